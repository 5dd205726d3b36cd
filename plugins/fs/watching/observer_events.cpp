// SPDX-License-Identifier: Apache-2.0
#include <cerrno>

#include <fcntl.h>
#include <sys/inotify.h>

#include "tree/retry.hpp"
#include "watching/observer.hpp"

namespace fs {

void Observer::take(const Notification &notification) {
  const std::uint32_t mask = notification.mask;
  if (mask & IN_Q_OVERFLOW) {
    stale_ = true;
    return;
  }
  const Way::News news = way_.take(notification);
  if (news.concerns_base) find_base();
  if (news.is_step) return;
  const auto found = by_watch_.find(notification.watch);
  if (found == by_watch_.end()) return;
  Folder &folder = *found->second;
  if (mask & IN_UNMOUNT) reporter_.report_lost(path_to(folder));
  if (mask & IN_IGNORED) {
    if (!folder.parent) {
      drop(folder);
      return find_base();
    }
    freed_.push_back(path_to(folder));
    drop(folder);
  } else if (mask & IN_MOVE_SELF) {
    if (!folder.parent) return find_base();
    if (!folder.leaving) return;
    freed_.push_back(path_to(folder));
    reporter_.report_lost(freed_.back()); // the keys in it are not known any more
    drop(folder);
  } else if (!notification.name.empty()) {
    if (mask & IN_ISDIR)
      take_folder(folder, std::string(notification.name), mask);
    else
      take_file(folder, notification.name, mask);
  }
  visit_freed();
}

void Observer::take_folder(Folder &parent, const std::string &name, std::uint32_t mask) {
  const auto known = parent.folders.find(name);
  if (mask & IN_MOVED_FROM) {
    // Its new place is known when it appears there. The folder's own notification (IN_MOVE_SELF) comes after that.
    if (known != parent.folders.end()) known->second->leaving = true;
    return;
  }
  // A folder that was scanned after this notification is another one.
  const bool is_known = known != parent.folders.end() && inotify_->has_passed(known->second->mark);
  if (mask & IN_DELETE && is_known) drop(*known->second);
  visit(parent, name, {true, {}});
}

void Observer::take_file(const Folder &folder, std::string_view name, std::uint32_t mask) {
  const std::string path = reporter_.value_path(path_to(folder), name);
  if (path.empty()) return;
  const bool reported = !inotify_->has_passed(folder.mark);
  if (mask & (IN_DELETE | IN_MOVED_FROM)) {
    for (const std::string &was : folder.owed)
      reporter_.report_change(reporter_.value_path(was, name), Reporter::removed);
    if (!inotify_->has_passed(folder.was_until)) {
      for (const std::string &was : folder.was)
        reporter_.report_change(reporter_.value_path(was, name), Reporter::removed);
    }
    return reporter_.report_change(path, Reporter::removed);
  }
  if (reported || !reporter_.is_wanted_key(path)) return;
  if (mask & IN_MODIFY || (mask & IN_CREATE && is_being_written(path))) {
    open_files_.note(path);
    return report_open_files();
  }
  // If the file was closed without a write, such as after it was moved here while open, it is reported only if it
  // differs from the last report.
  const bool was_written = open_files_.close(path);
  if (mask & IN_CLOSE_WRITE)
    return reporter_.report_change(path, was_written ? Reporter::put : Reporter::put | Reporter::unless_reported);
  // A file that was moved over a value may be no value itself.
  reporter_.report_change(path, mask & IN_MOVED_TO ? Reporter::put | Reporter::replaced : Reporter::put);
}

/// Returns true if a new file will be written and closed by its maker. A new link to an older file will not.
bool Observer::is_being_written(const std::string &path) const {
  const Fd found = tree_.open(path.c_str(), O_PATH | O_NOFOLLOW);
  struct stat file;
  return found && retry(::fstat, found.get(), &file) == 0 && S_ISREG(file.st_mode) && file.st_nlink == 1;
}

void Observer::report_open_files() {
  while (const std::optional<std::string> path = open_files_.take_due()) reporter_.report_change(*path, Reporter::put);
}

} // namespace fs
