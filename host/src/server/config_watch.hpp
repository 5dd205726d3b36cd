// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace omnistore::server {

/// Watches a config's file and the folders of its plugins (inotify(7)), and calls back when something there is another
/// one than before: after a moment without further changes, so that a file that is being written, or several that are
/// replaced, are one change. A file that is renamed over the old one counts, and one that a link leads to.
class ConfigWatch {
public:
  /// What is looked at now; asked for again after each call, since a new config may name other folders. Files and
  /// folders may be absent: the folder that they would lie in is watched.
  struct Paths {
    std::string config;
    std::vector<std::string> plugins; ///< folders and files
  };
  /// The moment before the config is read, for the constructor.
  static std::int64_t moment();
  /// `changed` is called on the watch's own thread, with what it was: "the config file changed", "SIGHUP". What changed
  /// from the moment `since` on, and before this watched, is told at once.
  ConfigWatch(std::int64_t since, std::function<Paths()> paths, std::function<void(std::string_view why)> changed);
  /// Returns after the last callback has returned.
  ~ConfigWatch();

  /// Has `changed` called soon, whatever changed. On any thread.
  void poke(std::string_view why);

private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

} // namespace omnistore::server
