// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

namespace omnistore::service {

/// Which file a path leads to, and in which state; all 0: none.
struct FileState {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t mtime = 0, ctime = 0; ///< nanoseconds
  bool operator==(const FileState &) const = default;
};
using FileStates = std::map<std::string, FileState>;

/// What a host is made of. Files and folders may be absent.
struct WatchedPaths {
  std::string config;               ///< empty: none
  std::vector<std::string> plugins; ///< folders and files
};
/// The states of the config's file, and of each plugin, as they are now. What cannot be looked at for the moment (no
/// descriptor left, a signal) is as it was `before`.
FileStates states_of(const WatchedPaths &paths, const FileStates &before = {});

/// Watches a config's file and its plugins, and calls back when something there is another one than before: after a
/// moment without further changes, so that a file that is being written, or several that are replaced, are one change.
/// It follows each path as it is written, through links and folders (file_events.hpp). If something cannot be watched,
/// it says so in the log and looks every two seconds.
class ConfigWatch {
public:
  /// `changed` is called on the watch's own thread, with what it was: "the config file changed", "SIGHUP". Changes made
  /// since `read` was taken, the states before the files were read, are reported at once. `paths` is asked again at
  /// each change, since a new config may name other folders.
  ConfigWatch(FileStates read, std::function<WatchedPaths()> paths, std::function<void(std::string_view why)> changed);
  /// Returns after the last callback has returned.
  ~ConfigWatch();

  /// Has `changed` called soon, whatever changed. On any thread.
  void poke(std::string_view why);
  /// Looks again at what there is to watch, and tries again to watch what could not be watched. On any thread.
  void refresh();

private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace omnistore::service
