// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <omnistore/config.hpp>
#include <omnistore/storage.hpp>

#include "config/draft.hpp"
#include "loader/registry.hpp"
#include "server/listener_stats.hpp"

namespace omnistore::server {

/// What a reload did, or would do.
struct Reload {
  std::vector<MountChange> mounts; ///< by mountpoint
  std::vector<std::string> later;  ///< what is different too, and takes effect when the host is started again
  /// Whether any of it is different.
  bool changes() const;
};

/// The config of a host that runs: reads it anew, and brings the mounts to it. Each change is told in the log.
/// Thread-safe: reloads happen one at a time, and hold up no other change but those of the mountpoints that they are
/// about (Storage::reload). None waits for old stores.
class Reloader {
public:
  struct Hooks {
    /// Reads the config; throws Error if the file cannot be read. Null: there is no file to read.
    std::function<Draft()> load;
    /// Called before a store of this config is opened, with its plugins. May be null.
    std::function<void(const Config &, loader::Registry &)> opening;
    /// Called when the config holds. May be null.
    std::function<void(const Config &)> applied;
    /// Called at the end of each reload, also of one that failed. May be null.
    std::function<void()> ended = {};
  };
  /// `config` is what the storage was opened with. `storage` must outlive it.
  Reloader(Storage &storage, Config config, Hooks hooks);
  Reloader(Storage &storage, Config config);

  /// `why` is for the log: "SIGHUP". Throws ConfigError or Error, and then nothing has changed.
  Reload reload(std::string_view why, const ChangeOptions &options = {});
  /// What reload would do. Waits for no change.
  Reload diff() const;
  struct Mounted {
    bool replaced;       ///< it took another one's place
    std::string drivers; ///< with their versions: "greet 1.0.0 -> 2.0.0", "greet 1.0.0 kept", "greet 1.0.0"
  };
  /// Mounts a store that a JSON object describes as one of the config's mounts; variables are not put in, and relative
  /// paths start at the config's folder. A plugin file that was replaced is loaded anew. Throws as Storage::mount does.
  Mounted mount(const std::string &mountpoint, std::string_view json, const ChangeOptions &options = {});
  /// False: nothing is mounted there.
  bool unmount(const std::string &mountpoint, const ChangeOptions &options = {});

  Config config() const;
  ReloadStats stats() const;
  Storage &storage() { return storage_; }

private:
  /// The drivers that run at a mountpoint, layers included, with their versions.
  std::vector<std::pair<std::string, std::string>> versions_at(const std::string &mountpoint) const;
  Reload changes(const Config &config, std::vector<MountChange> mounts) const;
  /// A config that can be served, and its plugins. Throws ConfigError with everything that is wrong.
  std::pair<Config, std::shared_ptr<loader::Registry>> load() const;

  Storage &storage_;
  const Hooks hooks_;
  std::timed_mutex reloading_;
  mutable std::mutex mutex_; ///< for what follows
  Config config_;
  ReloadStats stats_;
};

/// "added", "kept", ...
std::string_view change_name(MountChange::Kind kind);

} // namespace omnistore::server
