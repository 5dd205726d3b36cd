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

namespace omnistore::server {

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
  std::string config;
  std::vector<std::string> plugins; ///< folders and files
};
/// The states of the config's file, and of each plugin, as they are now.
FileStates states_of(const WatchedPaths &paths);

/// Watches a config's file and the folders of its plugins (inotify(7)), and calls back when something there is another
/// one than before: after a moment without further changes, so that a file that is being written, or several that are
/// replaced, are one change. A file that is renamed over the old one counts, and one that a link leads to.
class ConfigWatch {
public:
  /// `changed` is called on the watch's own thread, with what it was: "the config file changed", "SIGHUP". What has
  /// changed from `read` on, the states before the files were read, and before this watched, is told at once. `paths`
  /// is asked again after each call, since a new config may name other folders; where one is absent, the folder that it
  /// would lie in is watched.
  ConfigWatch(FileStates read, std::function<WatchedPaths()> paths, std::function<void(std::string_view why)> changed);
  /// Returns after the last callback has returned.
  ~ConfigWatch();

  /// Has `changed` called soon, whatever changed. On any thread.
  void poke(std::string_view why);

private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace omnistore::server
