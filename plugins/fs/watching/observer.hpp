// SPDX-License-Identifier: Apache-2.0
// The observer turns the system's notifications into events of keys. The thread of a store's watches runs it.
//
// It holds the watched folders as a tree, like that on the disk. A notification names a folder by its number and a file
// in it by its name. The observer then looks at the file, and reports what it finds. The kind of the notification does
// not decide: if it arrives late, and the file has changed again meanwhile, it still leads to a correct event.
//
// The disk is ahead of the notifications. A new folder is watched first and then scanned, and each file in it is
// reported. Notifications of these files from before the scan say nothing new; a mark in the queue separates them from
// later ones.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include <sys/stat.h>

#include <omnistore/driver.h>

#include "listing/ignore.hpp"
#include "tree/tree.hpp"
#include "watching/inotify.hpp"
#include "watching/own_changes.hpp"

namespace fs {

/// The base of one watch of the store.
struct WatchedBase {
  std::string base;   ///< a key prefix: empty, or ending in ':'
  std::string folder; ///< its path
  omnistore_watcher *watcher;
};

/// Not thread-safe.
class Observer {
public:
  Observer(const omnistore_host &host, const Tree &tree, const Ignore &ignore, OwnChanges &own);

  /// Throws a Failure if not all folders can be watched; then nothing has changed.
  void add(const WatchedBase &watching);
  void remove(const WatchedBase &watching);

  /// Return the descriptor to poll, -1 for none, and the longest time to poll in milliseconds, -1 for ever.
  int get() const { return inotify_ ? inotify_->get() : -1; }
  int timeout() const;
  /// Returns true if folders must be scanned before the observer knows all changes.
  bool is_behind() const { return stale_ || retry_ != Clock::time_point() || !freed_.empty(); }
  /// Handles a part of the queued notifications, and all that is due.
  void work() noexcept;

private:
  using Clock = std::chrono::steady_clock;

  struct Folder {
    Folder *parent = nullptr;
    std::string name;
    int watch = -1;
    std::map<std::string, std::unique_ptr<Folder>, std::less<>> folders;
    bool whole = false;     ///< everything below it is watched too
    bool leaving = false;   ///< it was moved away, and its new place is not known yet
    std::uint64_t mark = 0; ///< set by its scan: files of earlier notifications are reported already
    /// Its paths before it was moved. A file that was removed before the scan must be reported under these too, if its
    /// removal is notified before the mark `was_until`.
    std::vector<std::string> was;
    std::uint64_t was_until = 0;
    std::vector<std::string> owed; ///< the same for moves after which it was not scanned yet
  };
  enum class There { nothing, value, other }; ///< what is at a path
  /// The changes that report_change() accepts: a file was put there, the value was removed, the value was replaced by
  /// something else. With `moved_in` it is no change if the store itself has moved the file into a folder of its name.
  /// With `unless_reported` it is no change if the same state was reported last.
  static constexpr unsigned put = 1, removed = 2, replaced = 4, moved_in = 8, unless_reported = 16;
  /// The part of a folder that the watches need: nothing, the next folder on the way to a base, or all of it.
  enum class Want { none, way, all };
  /// How a folder is scanned: whether its files are reported, and its paths before it was moved.
  struct Scan {
    bool reports;
    std::vector<std::string> was;
  };
  /// A folder on the way to the base, and the name of the next step in it.
  struct Anchor {
    int watch;
    std::string name;
    bool operator==(const Anchor &) const = default;
  };

  static constexpr std::size_t max_open = 4096; ///< files that others hold open, and that it waits for

  static std::uint32_t mask_of(Want want);
  Want wanted(std::string_view path) const;
  bool is_wanted_key(std::string_view path) const;

  // observer.cpp: the whole tree, and the way to the base
  void rebuild();
  void begin();
  void forget();
  bool has_base();
  void find_base();
  void anchor();
  void lose_track(const char *why) noexcept;

  // observer_folders.cpp: single folders
  static std::string path_to(const Folder &folder);
  bool is_hidden(std::string_view path, std::string_view name) const;
  Fd open_known(const Folder &folder);
  void visit(Folder &parent, const std::string &name, const Scan &how);
  void visit_freed();
  bool adopt(Folder &moved, int opened, Folder &parent, const std::string &name);
  static void owe(Folder &folder, const std::string &was);
  void scan(Folder &folder, Fd opened, const Scan &how);
  std::vector<std::string> scan_names(int opened, const std::string &path, const Scan &how);
  std::vector<std::string> ways_on(const std::string &path) const;
  void drop(Folder &folder);
  void drop_unwanted(Folder &folder);

  // observer_events.cpp: notifications and events
  void take(const Notification &notification);
  void take_folder(Folder &parent, const std::string &name, std::uint32_t mask);
  void take_file(const Folder &folder, std::string_view name, std::uint32_t mask);
  std::string value_path(std::string_view folder, std::string_view name) const;
  There find(const std::string &path, struct stat &file) const;
  bool is_being_written(const std::string &path) const;
  void note_open(const std::string &path);
  void report_open_files(std::size_t most);
  void report_change(const std::string &path, unsigned what);
  void report(std::uint32_t type, std::string_view path) const;
  void report_lost(std::string_view path) const;

  const omnistore_host &host_;
  const Tree &tree_;
  const Ignore &ignore_;
  OwnChanges &own_;
  std::vector<const WatchedBase *> watchings_;

  std::unique_ptr<Inotify> inotify_;
  Folder root_;
  std::unordered_map<int, Folder *> by_watch_;
  std::vector<Anchor> anchors_;
  std::uint64_t changes_ = 0;      ///< Tree::changes() that was seen last
  std::vector<std::string> freed_; ///< paths from which a folder has gone
  bool stale_ = false;             ///< all folders must be scanned again
  Clock::time_point retry_{};      ///< when to try again after a failure; else the epoch

  /// Values that others are writing and have not closed, with the time at which they are reported anyway. The queue has
  /// the same in the order of time, and also values that were closed since.
  std::map<std::string, Clock::time_point, std::less<>> open_;
  std::deque<std::pair<Clock::time_point, std::string>> open_order_;
};

/// Returns the path of a name in a folder; an empty folder is the base.
inline std::string join(std::string_view folder, std::string_view name) {
  std::string path(folder);
  if (!path.empty()) path += '/';
  return path += name;
}

/// Returns true if a path equals a folder's path, or lies below it.
inline bool is_at_or_below(std::string_view path, std::string_view folder) {
  return folder.empty() || (path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/'));
}

/// Errors of an open which mean that there is nothing at a path, or nothing that we may read.
inline bool is_nothing(int error) { return is_gone(error) || error == EACCES; }

} // namespace fs
