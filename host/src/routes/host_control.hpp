// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include <omnistore/config.hpp>
#include <omnistore/storage.hpp>

#include "report/host_state.hpp"

namespace omnistore::routes {

/// The changes that the admin routes can make to a running host. Thread-safe.
class HostControl {
public:
  virtual ~HostControl() = default;

  /// Reads the config anew and applies it. `why` is for the log, such as "SIGHUP". If it throws ConfigError or Error,
  /// nothing has changed.
  virtual report::Reload reload(std::string_view why, const ChangeOptions &options) = 0;
  /// Returns what reload() would do. Waits for no other change.
  virtual report::Reload diff() const = 0;

  struct Mounted {
    bool replaced;       ///< another store was mounted there
    std::string drivers; ///< with their versions: "greet 1.0.0 -> 2.0.0", "greet 1.0.0 kept", "greet 1.0.0"
  };
  /// Mounts a store that a JSON object describes like one of the config's mounts. Variables are not replaced, and
  /// relative paths start at the config's folder. A plugin file that was replaced is loaded anew. Throws as
  /// Storage::mount does.
  virtual Mounted mount(const std::string &mountpoint, std::string_view json, const ChangeOptions &options) = 0;
  /// Returns false if nothing is mounted there.
  virtual bool unmount(const std::string &mountpoint, const ChangeOptions &options) = 0;

  /// Returns the config that is in effect.
  virtual Config config() const = 0;
};

} // namespace omnistore::routes
