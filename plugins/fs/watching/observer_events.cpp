// SPDX-License-Identifier: Apache-2.0
#include <cerrno>

#include <fcntl.h>
#include <sys/inotify.h>

#include "tree/retry.hpp"
#include "watching/observer.hpp"

namespace fs {

namespace {
constexpr std::chrono::seconds patience(1); ///< how long a file that another program holds open is not reported
}

void Observer::take(const Notification &notification) {
  const std::uint32_t mask = notification.mask;
  if (mask & IN_Q_OVERFLOW) {
    stale_ = true;
    return;
  }
  bool is_anchor = false, concerns_base = false;
  for (Anchor &anchor : anchors_) {
    if (notification.watch != anchor.watch) continue;
    is_anchor = true;
    concerns_base |= (mask & (IN_IGNORED | IN_DELETE_SELF | IN_MOVE_SELF)) || notification.name == anchor.name;
    if (mask & IN_IGNORED) anchor.watch = -1;
  }
  if (concerns_base) find_base();
  if (is_anchor) return;
  const auto found = by_watch_.find(notification.watch);
  if (found == by_watch_.end()) return;
  Folder &folder = *found->second;
  if (mask & IN_UNMOUNT) report_lost(path_to(folder));
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
    report_lost(freed_.back()); // the keys in it are not known any more
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
  const std::string path = value_path(path_to(folder), name);
  if (path.empty()) return;
  const bool reported = !inotify_->has_passed(folder.mark);
  if (mask & (IN_DELETE | IN_MOVED_FROM)) {
    for (const std::string &was : folder.owed) report_change(value_path(was, name), removed);
    if (!inotify_->has_passed(folder.was_until)) {
      for (const std::string &was : folder.was) report_change(value_path(was, name), removed);
    }
    return report_change(path, removed);
  }
  if (reported || !is_wanted_key(path)) return;
  if (mask & IN_MODIFY || (mask & IN_CREATE && is_being_written(path))) return note_open(path);
  // If the file was closed without a write, such as after it was moved here while open, it is reported only if it
  // differs from the last report.
  const bool was_written = open_.erase(path) > 0;
  if (mask & IN_CLOSE_WRITE) return report_change(path, was_written ? put : put | unless_reported);
  // A file that was moved over a value may be no value itself.
  report_change(path, mask & IN_MOVED_TO ? put | replaced : put);
}

/// Returns the path of the key whose value a file is; empty: it is no value.
std::string Observer::value_path(std::string_view folder, std::string_view name) const {
  if (name == own_name) return std::string(folder);
  if (is_temporary(name) || !is_segment(name) || ignore_.file(folder, name)) return {};
  return join(folder, name);
}

/// Returns what is at a path. For a value, `file` is the stat of its file.
Observer::There Observer::find(const std::string &path, struct stat &file) const {
  const Fd found = tree_.open(path.c_str(), O_PATH);
  if (!found && !is_nothing(errno)) fail(errno, path);
  if (!found) return tree_.open(path.c_str(), O_PATH | O_NOFOLLOW) ? There::other : There::nothing;
  if (retry(::fstat, found.get(), &file) != 0) fail(errno, path);
  if (S_ISDIR(file.st_mode) && retry(::fstatat, found.get(), own_name, &file, AT_SYMLINK_NOFOLLOW) != 0) {
    if (!is_nothing(errno)) fail(errno, path);
    return There::other;
  }
  return S_ISREG(file.st_mode) ? There::value : There::other;
}

/// Returns true if a new file will be written and closed by its maker. A new link to an older file will not.
bool Observer::is_being_written(const std::string &path) const {
  const Fd found = tree_.open(path.c_str(), O_PATH | O_NOFOLLOW);
  struct stat file;
  return found && retry(::fstat, found.get(), &file) == 0 && S_ISREG(file.st_mode) && file.st_nlink == 1;
}

void Observer::note_open(const std::string &path) {
  const Clock::time_point due = Clock::now() + patience;
  if (!open_.try_emplace(path, due).second) return;
  open_order_.emplace_back(due, path);
  report_open_files(max_open);
}

/// Reports the files that were open for long enough, and the oldest ones if there are more than `most`.
void Observer::report_open_files(std::size_t most) {
  while (!open_order_.empty() && (open_order_.size() > most || open_order_.front().first <= Clock::now())) {
    const auto [due, path] = std::move(open_order_.front());
    open_order_.pop_front();
    const auto found = open_.find(path);
    if (found == open_.end() || found->second != due) continue; // it was closed meanwhile
    open_.erase(found);
    report_change(path, put);
  }
}

/// Reports a change that is not the store's own: there is a value now (put), or there is none (removed).
void Observer::report_change(const std::string &path, unsigned what) {
  if (path.empty() || path.size() > longest_key || !is_wanted_key(path)) return;
  OwnChanges::Entry place(own_, path);
  struct stat file;
  const There found = find(path, file);
  const bool there = found == There::value;
  if (!(what & (there ? put : found == There::other ? removed | replaced : removed))) return;
  if (!there && place.has_removed()) return;
  if (there && (place.has_written(file) || (what & moved_in && place.has_nested(file)) ||
                (what & unless_reported && place.has_reported(file)))) {
    return;
  }
  if (there)
    place.note_reported(file);
  else
    place.forget();
  report(there ? OMNISTORE_EVENT_UPDATE : OMNISTORE_EVENT_REMOVE, path);
}

void Observer::report(std::uint32_t type, std::string_view path) const {
  const std::string key = key_of(path);
  const omnistore_event event = {sizeof event,
                                 type,
                                 type == OMNISTORE_EVENT_REMOVE ? OMNISTORE_CAUSE_REMOVED : OMNISTORE_CAUSE_NONE,
                                 0,
                                 {key.data(), key.size()},
                                 0};
  for (const WatchedBase *watching : watchings_) {
    if (key.starts_with(watching->base)) watching->watcher->event(watching->watcher, &event);
  }
}

/// Reports to all watches of bases at, below or above a path that changes were lost.
void Observer::report_lost(std::string_view path) const {
  const omnistore_event event = {sizeof event, OMNISTORE_EVENT_RESYNC, OMNISTORE_CAUSE_NONE, 0, {nullptr, 0}, 0};
  for (const WatchedBase *watching : watchings_) {
    if (is_at_or_below(path, watching->folder) || is_at_or_below(watching->folder, path)) {
      watching->watcher->event(watching->watcher, &event);
    }
  }
}

} // namespace fs
