// SPDX-License-Identifier: Apache-2.0
// Reports that files may have changed, along the whole way that leads to them (inotify(7)).
#pragma once

#include <map>
#include <set>
#include <string>

namespace omnistore::service {

/// Watches files and folders under the paths that name them. A path is watched at every folder and every link on its
/// way, so a change is seen however it happens: the file is written or renamed over, a link is switched, a folder on
/// the way is replaced, removed or made. For one thread.
class FileEvents {
public:
  ~FileEvents();
  FileEvents() = default;
  FileEvents(const FileEvents &) = delete;
  FileEvents &operator=(const FileEvents &) = delete;

  /// Begins a new set of paths; `finish` drops the watches that are not in it.
  void begin();
  void watch_file(const std::string &path);
  /// Watches the files in a folder whose names end in `ending`, and what they link to.
  void watch_folder(const std::string &path, const std::string &ending);
  void finish();

  /// Returns true if something has happened to one of the paths since the last call. Does not wait.
  bool drain();

  /// Returns the descriptor for poll(2); negative if there is none, see `trouble`.
  int descriptor() const { return notify_; }
  /// Returns why not everything is watched, and the remedy; empty if everything is.
  const std::string &trouble() const { return trouble_; }

private:
  struct Names {
    std::set<std::string> names;
    std::string ending; ///< of further names; empty: none
  };

  void walk(const std::string &path);
  void add(const std::string &folder, const std::string &name, const std::string &ending, bool contents);
  bool concerns(int watch, const char *name) const;

  int notify_ = -1;
  std::string trouble_;
  std::map<int, Names> watched_, next_; ///< by the watch's number: one for each folder
};

} // namespace omnistore::service
