// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include "loader/registry.hpp"
#include "support/temporary.hpp"

namespace test {

using omnistore::loader::Driver;
using omnistore::loader::Registry;
using omnistore::loader::RejectedPlugin;
using DriverPtr = std::shared_ptr<const Driver>;

/// The path of a built plugin of tests/loader/plugins.
inline std::string built(const std::string &name) { return OMNISTORE_BUILD "/tests/loader-plugins/" + name + ".so"; }

/// Puts a plugin into a folder under a name of the test's choice.
inline std::string put(const Folder &folder, const std::string &plugin, const std::string &as) {
  const std::string file = folder / (as + ".so");
  std::filesystem::copy_file(built(plugin), file, std::filesystem::copy_options::overwrite_existing);
  return file;
}

/// Sets a variable of the environment, or takes it away, until the object goes.
class Variable {
public:
  Variable(const char *name, const char *value) : name_(name) {
    if (const char *was = std::getenv(name)) old_ = was, had_ = true;
    if (value)
      ::setenv(name, value, 1);
    else
      ::unsetenv(name);
  }
  Variable(const Variable &) = delete;
  Variable &operator=(const Variable &) = delete;
  ~Variable() {
    if (had_)
      ::setenv(name_.c_str(), old_.c_str(), 1);
    else
      ::unsetenv(name_.c_str());
  }

private:
  std::string name_, old_;
  bool had_ = false;
};

/// Copies of plugins go into a folder of this program's own, not into the user's.
inline const struct {
  Folder folder;
  Variable runtime{"XDG_RUNTIME_DIR", folder.path().c_str()};
} private_runtime;

/// Returns the registry's message about a file; fails the test if it has none, or more than one.
inline RejectedPlugin reject_of(const Registry &registry, const std::string &file) {
  std::vector<RejectedPlugin> found;
  for (const RejectedPlugin &reject : registry.rejected())
    if (reject.file == file) found.push_back(reject);
  INFO(file);
  REQUIRE(found.size() == 1);
  return found.front();
}

/// Loads one file by itself and returns why it was refused. The host is well afterwards: it loads a good plugin.
inline RejectedPlugin refused(const std::string &file) {
  Registry registry({{file}, {}});
  registry.all();
  const RejectedPlugin reject = reject_of(registry, file);
  Registry other({{built("good")}, {}});
  REQUIRE(other.find("sample"));
  return reject;
}

/// The only driver of a built plugin.
inline DriverPtr load(const std::string &plugin, const std::string &driver = "sample") {
  Registry registry({{built(plugin)}, {}});
  return registry.find(driver);
}

/// The result of `remove` in the test plugins: it distinguishes them.
inline int answer(const Driver &driver) { return driver.table.remove(nullptr, nullptr, {nullptr, 0}, nullptr); }

/// Returns true if a file is mapped into this process.
inline bool is_mapped(const std::string &part_of_path) {
  return read_file("/proc/self/maps").find(part_of_path) != std::string::npos;
}

/// The log lines while the object lives.
struct Log {
  std::ostringstream text;
  std::shared_ptr<spdlog::logger> before = spdlog::default_logger();
  Log() {
    spdlog::set_default_logger(
        std::make_shared<spdlog::logger>("test", std::make_shared<spdlog::sinks::ostream_sink_mt>(text)));
  }
  ~Log() { spdlog::set_default_logger(before); }
};

inline std::vector<std::string> names(const std::vector<DriverPtr> &drivers) {
  std::vector<std::string> found;
  for (const DriverPtr &driver : drivers) found.push_back(driver->name);
  std::sort(found.begin(), found.end());
  return found;
}

inline bool contains(const std::string &text, const std::string &part) {
  UNSCOPED_INFO("\"" << text << "\" should hold \"" << part << "\"");
  return text.find(part) != std::string::npos;
}

} // namespace test
