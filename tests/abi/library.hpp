// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

#include <dlfcn.h>

#include <omnistore/driver.h>

namespace test {

/// A plugin file, loaded as a host does it: every symbol bound at once, none shown to others.
class Library {
public:
  explicit Library(const std::string &file) : handle_(dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL)) {
    if (!handle_) throw std::runtime_error(dlerror());
    const auto entry = reinterpret_cast<omnistore_entry>(dlsym(handle_, OMNISTORE_ENTRY));
    if (!entry) throw std::runtime_error(dlerror());
    const omnistore_abi host{sizeof host, OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MAJOR, OMNISTORE_ABI_MINOR};
    plugin_ = entry(&host);
    if (!plugin_ || plugin_->driver_count != 1) throw std::runtime_error(file + ": expected one driver");
  }
  Library(const Library &) = delete;
  Library &operator=(const Library &) = delete;
  ~Library() { dlclose(handle_); }

  const omnistore_plugin &plugin() const { return *plugin_; }
  const omnistore_driver &driver() const { return *plugin_->drivers[0]; }

private:
  void *handle_;
  const omnistore_plugin *plugin_ = nullptr;
};

} // namespace test
