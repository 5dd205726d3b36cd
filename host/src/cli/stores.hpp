// SPDX-License-Identifier: Apache-2.0
// The stores that a command works on: those of a config, opened here, or a running host, opened as a storage whose root
// mount is the driver http.
#pragma once

#include <memory>
#include <string>

#include <omnistore/storage.hpp>

#include "cli/options.hpp"
#include "cli/time_limit.hpp"

namespace omnistore::cli {

class Stores {
public:
  /// Opens the stores and starts the log. Throws.
  explicit Stores(const Global &global);
  Stores(const Stores &) = delete;
  Stores &operator=(const Stores &) = delete;
  Storage *operator->() const { return storage_.get(); }
  Storage &operator*() const { return *storage_; }
  /// The config's file, or the host's URL, for messages.
  const std::string &name() const { return name_; }

private:
  std::string name_;
  std::string address_;                 ///< of a running host
  std::unique_ptr<WaitsForHost> waits_; ///< names `address_`
  std::unique_ptr<Storage> storage_;
};

/// A running host as a config of one mount. Its plugin comes from the plugin folders of the config, if one was named.
/// Throws Error(invalid) if the URL cannot be one.
Config config_of_host(const Global &global);

/// A value and its meta.
struct WholeValue : Reader {
  char *begin(const Meta &given) override {
    meta = given;
    value.clear();
    return nullptr;
  }
  void write(std::string_view bytes) override { value += bytes; }

  std::string value;
  Meta meta;
};

} // namespace omnistore::cli
