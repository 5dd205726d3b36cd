// SPDX-License-Identifier: Apache-2.0
// What the thread of a store's watches knows and does: which folders the system watches for it, and what it tells.
//
// The folders are a tree like that on the disk. Notifications name a folder by its number and a file in it by its name.
// What is told is decided by what lies there now, not by the kind of notification, so that one which comes late, after
// others have changed the same file again, tells nothing wrong.
//
// The disk is ahead of the notifications. A folder that appears is watched first and then scanned, and each file in it
// told. Notifications of its files from before the scan say nothing new; a mark in the queue tells which those are.
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

/// One watch of the store.
struct WatchedBase {
  std::string base;   ///< a key prefix: empty, or ending in ':'
  std::string folder; ///< its path
  omnistore_watcher *watcher;
};

/// Not thread-safe: one thread at a time uses it.
class Observer {
public:
  Observer(const omnistore_host &host, const Tree &tree, const Ignore &ignore, OwnChanges &own);

  /// Throws a Failure where not all of the folders can be watched; nothing has changed then.
  void add(const WatchedBase &watching);
  void remove(const WatchedBase &watching);

  /// What to poll, -1: nothing; and for how long at most, in milliseconds, -1: for ever.
  int get() const { return inotify_ ? inotify_->get() : -1; }
  int timeout() const;
  /// Does what there is to do now: a part of it where there is much.
  void work() noexcept;

private:
  using Clock = std::chrono::steady_clock;

  struct Folder {
    Folder *parent = nullptr;
    std::string name;
    int watch = -1;
    std::map<std::string, std::unique_ptr<Folder>, std::less<>> folders;
    bool whole = false;            ///< all below it is watched too
    bool leaving = false;          ///< it was moved away; whereto is not known yet
    std::uint64_t mark = 0;        ///< put when it was scanned: what was notified before is told already
    std::vector<std::string> was;  ///< its paths before it was moved, of which files may be gone that no scan has met:
    std::uint64_t was_until = 0;   ///< those whose removal is notified before this mark
    std::vector<std::string> owed; ///< the same of moves after which it was not scanned yet
  };
  enum class There { nothing, value, other };
  /// What a change may be: a file put there, the value's end, the value's end where something else lies there now. And
  /// when it is none: the file lies in a folder that the store has made around it (moved_in); it is what was told last
  /// (unless_reported).
  static constexpr unsigned put = 1, removed = 2, replaced = 4, moved_in = 8, unless_reported = 16;
  /// What the watches want of a folder: nothing, to see the next folder on the way to a base, or all of it.
  enum class Want { none, way, all };
  /// How a folder is scanned: whether its files are told, and its paths before it was moved.
  struct Scan {
    bool reports;
    std::vector<std::string> was;
  };
  /// A folder on the way to base, and the name in it by which the way goes on.
  struct Anchor {
    int watch;
    std::string name;
    bool operator==(const Anchor &) const = default;
  };

  static constexpr std::size_t max_open = 4096; ///< files that others keep open, and that are waited for

  static std::uint32_t mask_of(Want want);
  Want wanted(std::string_view path) const;
  bool is_wanted_key(std::string_view path) const;

  // The whole of it (observer.cpp).
  void rebuild();
  void begin();
  void forget();
  bool has_base();
  void find_base();
  void anchor();
  void lose_track(const char *why) noexcept;

  // The folders (observer_folders.cpp).
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

  // Notifications, and what is told (observer_events.cpp).
  void take(const Notification &notification);
  void take_folder(Folder &parent, const std::string &name, std::uint32_t mask);
  void take_file(const Folder &folder, std::string_view name, std::uint32_t mask);
  std::string value_path(std::string_view folder, std::string_view name) const;
  There find(const std::string &path, struct stat &file) const;
  bool is_being_written(const std::string &path) const;
  void note_open(const std::string &path);
  void report_open_files(std::size_t most);
  void report_change(const std::string &path, unsigned what);
  void tell(std::uint32_t type, std::string_view path) const;
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
  std::uint64_t changes_ = 0;      ///< of base, as far as they were seen
  std::vector<std::string> freed_; ///< places from which a folder has gone
  bool stale_ = false;             ///< the folders must be gone through anew
  Clock::time_point retry_{};      ///< when, where that has failed; else the epoch

  /// Values that others are writing and have not closed, and when they are told anyway; and the same in that order,
  /// with those that were closed since.
  std::map<std::string, Clock::time_point, std::less<>> open_;
  std::deque<std::pair<Clock::time_point, std::string>> open_order_;
};

/// A path inside a folder; an empty one is the base folder's.
inline std::string join(std::string_view folder, std::string_view name) {
  std::string path(folder);
  if (!path.empty()) path += '/';
  return path += name;
}

/// Whether a path is another, or lies below it.
inline bool is_at_or_below(std::string_view path, std::string_view folder) {
  return folder.empty() || (path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/'));
}

/// Errors of an open that say that there is nothing (for us) at a path.
inline bool is_nothing(int error) { return is_gone(error) || error == EACCES; }

} // namespace fs
