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
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <omnistore/driver.h>

#include "listing/ignore.hpp"
#include "tree/tree.hpp"
#include "watching/inotify.hpp"
#include "watching/open_files.hpp"
#include "watching/reporter.hpp"
#include "watching/way.hpp"

namespace fs {

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
  using Want = Reporter::Want;
  /// How a folder is scanned: whether its files are reported, and its paths before it was moved.
  struct Scan {
    bool reports;
    std::vector<std::string> was;
  };
  static std::uint32_t mask_of(Want want);

  // observer.cpp: the whole tree
  void rebuild();
  void begin();
  void forget();
  bool has_base();
  void find_base();
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
  bool has_value(int opened, const std::string &path, const std::string &name) const;
  std::vector<std::string> scan_names(int opened, const std::string &path, const Scan &how);
  void drop(Folder &folder);
  void drop_unwanted(Folder &folder);

  // observer_events.cpp: notifications
  void take(const Notification &notification);
  void take_folder(Folder &parent, const std::string &name, std::uint32_t mask);
  void take_file(const Folder &folder, std::string_view name, std::uint32_t mask);
  bool is_being_written(const std::string &path) const;
  void report_open_files();

  const omnistore_host &host_;
  const Tree &tree_;
  const Ignore &ignore_;
  Reporter reporter_;
  Way way_;
  OpenFiles open_files_;

  std::unique_ptr<Inotify> inotify_;
  Folder root_;
  std::unordered_map<int, Folder *> by_watch_;
  std::uint64_t changes_ = 0;      ///< Tree::changes() that was seen last
  std::vector<std::string> freed_; ///< paths from which a folder has gone
  bool stale_ = false;             ///< all folders must be scanned again
  Clock::time_point retry_{};      ///< when to try again after a failure; else the epoch
};

} // namespace fs
