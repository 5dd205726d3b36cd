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
#include "report/host_state.hpp"
#include "routes/host_control.hpp"

namespace omnistore::service {

/// Returns what a reload of `wanted` changes in a host that runs with `running`. `mounts` has the changes of its
/// mounts.
report::Reload changes_of(const Config &running, const Config &wanted, std::vector<MountChange> mounts);

/// Reads the config of a running host again, and changes the mounts accordingly. The log reports each change.
/// Thread-safe: reloads happen one at a time, and delay other changes only at their own mountpoints (Storage::reload).
/// None waits for old stores.
class Reloader final : public routes::HostControl {
public:
  struct Hooks {
    /// Reads the config; throws Error if the file cannot be read. Null: there is no file to read.
    std::function<Draft()> load;
    /// Called before a store of this config is opened, with its plugins. May be null.
    std::function<void(const Config &, loader::Registry &)> opening;
    /// Called when the config is in effect, with the values that run in the fields that a reload does not change. May
    /// be null.
    std::function<void(const Config &)> applied;
    /// Called at the end of each reload, also of one that failed. May be null.
    std::function<void()> ended = {};
    /// Called at the begin of each reload. May be null.
    std::function<void()> began = {};
  };
  /// The storage was opened with `config`, and must outlive the reloader.
  Reloader(Storage &storage, Config config, Hooks hooks);
  Reloader(Storage &storage, Config config);

  report::Reload reload(std::string_view why, const ChangeOptions &options = {}) override;
  report::Reload diff() const override;
  Mounted mount(const std::string &mountpoint, std::string_view json, const ChangeOptions &options = {}) override;
  bool unmount(const std::string &mountpoint, const ChangeOptions &options = {}) override;

  Config config() const override;
  report::ReloadStats stats() const;
  Storage &storage() { return storage_; }

private:
  /// Returns the drivers that run at a mountpoint, layers included, with their versions.
  std::vector<std::pair<std::string, std::string>> versions_at(const std::string &mountpoint) const;
  /// Puts the values that run into the fields whose changes wait for the next start, see report::Reload::later.
  void keep_what_stays(Config &config) const;
  /// Returns a config that can be served, and its plugins. Throws ConfigError with all problems.
  std::pair<Config, std::shared_ptr<loader::Registry>> load() const;

  Storage &storage_;
  const Hooks hooks_;
  std::timed_mutex reloading_;
  mutable std::mutex mutex_; ///< for what follows
  Config config_;
  report::ReloadStats stats_;
};

} // namespace omnistore::service
