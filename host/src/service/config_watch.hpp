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

/// Identifies the file at a path and its state; all 0 if there is none.
struct FileState {
  dev_t device = 0;
  ino_t inode = 0;
  off_t size = 0;
  std::int64_t mtime = 0, ctime = 0; ///< nanoseconds
  bool operator==(const FileState &) const = default;
};
using FileStates = std::map<std::string, FileState>;

/// The files of a host. Files and folders may be absent.
struct WatchedPaths {
  std::string config;                 ///< empty: none
  std::vector<std::string> plugins;   ///< folders and files
  std::vector<std::string> secrets{}; ///< the files whose contents the config takes in
};
/// Returns the present states of the config's file, of the secrets' files, and of each plugin. A file that cannot be
/// read for the moment (no descriptor left, a signal) has its state from `before`.
FileStates states_of(const WatchedPaths &paths, const FileStates &before = {});

/// Watches a config's file and its plugins, and calls back when one of them has changed: after a moment without further
/// changes, so that a file that is being written, or several that are replaced, are one change. It follows each path as
/// it is written, through links and folders (file_events.hpp). If something cannot be watched, it says so in the log
/// and looks every two seconds.
class ConfigWatch {
public:
  /// `changed` is called on the watch's own thread, with the cause: "the config file changed", "SIGHUP". Changes made
  /// since `read` was taken, the states before the files were read, are reported at once. `paths` is called again at
  /// each change, since a new config may name other folders.
  ConfigWatch(FileStates read, std::function<WatchedPaths()> paths, std::function<void(std::string_view why)> changed);
  /// Returns after the last callback has returned.
  ~ConfigWatch();

  /// Lets the watch call `changed` soon, even without a change. On any thread.
  void poke(std::string_view why);
  /// Looks up the paths again, and tries again to watch those that could not be watched. On any thread.
  void refresh();

private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace omnistore::service
