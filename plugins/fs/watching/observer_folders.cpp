// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <omnistore/call.hpp>

#include "listing/walk.hpp"
#include "tree/retry.hpp"
#include "watching/observer.hpp"

namespace fs {

std::string Observer::path_to(const Folder &folder) {
  return folder.parent ? join(path_to(*folder.parent), folder.name) : std::string();
}

/// Returns true if no key can lie in a folder.
bool Observer::is_hidden(std::string_view path, std::string_view name) const {
  return name == own_name || is_temporary(name) || !is_segment(name) || ignore_.folder(path, name);
}

/// Opens a folder if it is still in its place.
Fd Observer::open_known(const Folder &folder) {
  const std::string path = path_to(folder);
  Fd opened = tree_.open_real_folder(path);
  if (!opened) {
    if (!is_nothing(errno)) fail(errno, path);
    return opened;
  }
  const int watch = inotify_->add(opened.get(), mask_of(reporter_.wanted(path)), path);
  if (watch == folder.watch) return opened;
  if (!by_watch_.contains(watch)) inotify_->remove(watch);
  return {};
}

/// Updates the tree for a folder, if it exists on the disk.
void Observer::visit(Folder &parent, const std::string &name, const Scan &how) {
  const std::string above = path_to(parent), path = join(above, name);
  const Want want = reporter_.wanted(path);
  if (want == Want::none || is_hidden(above, name) || path.size() > longest_key) return;
  const Fd holder = open_known(parent);
  if (!holder) return; // a notification of the parent's removal or move leads here again
  Fd opened(retry(::openat, holder.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!opened) {
    if (!is_nothing(errno)) fail(errno, path);
    if (errno == EACCES) omnistore::log_line(host_, OMNISTORE_LOG_WARN, path + ": no permission to watch it");
    return;
  }
  const int watch = inotify_->add(opened.get(), mask_of(want), path);
  const auto child = parent.folders.find(name);
  Folder *folder = child == parent.folders.end() ? nullptr : child->second.get();
  if (folder && folder->watch != watch) {
    // The removal of the known folder will be notified, and leads here again.
    if (!by_watch_.contains(watch)) inotify_->remove(watch);
    return;
  }
  Scan further = how;
  if (const auto known = by_watch_.find(watch); folder) {
    folder->leaving = false;
    if (folder->owed.empty() && folder->whole) return;
    if (!folder->owed.empty()) further = {true, folder->owed};
  } else if (known != by_watch_.end()) {
    folder = known->second;
    if (!adopt(*folder, opened.get(), parent, name)) return;
    further = {true, folder->owed};
  } else {
    std::unique_ptr<Folder> &fresh = parent.folders[name];
    fresh = std::make_unique<Folder>();
    folder = fresh.get();
    folder->parent = &parent;
    folder->name = name;
    folder->watch = watch;
    by_watch_.emplace(watch, folder);
  }
  scan(*folder, std::move(opened), further);
}

/// Visits the paths from which a folder has gone: another folder may be there now.
void Observer::visit_freed() {
  for (std::size_t i = 0; i < freed_.size() && !stale_; ++i) {
    const std::string path = freed_[i];
    Folder *parent = &root_;
    std::size_t at = 0;
    for (std::size_t slash; parent && (slash = path.find('/', at)) != path.npos; at = slash + 1) {
      const auto next = parent->folders.find(std::string_view(path).substr(at, slash - at));
      parent = next == parent->folders.end() ? nullptr : next->second.get();
    }
    if (parent) visit(*parent, path.substr(at), {true, {}});
  }
  freed_.clear();
}

/// Moves a folder to its new place in the tree. Returns false if it is still in its old place too (a mount), or if all
/// folders must be scanned again.
bool Observer::adopt(Folder &moved, int opened, Folder &parent, const std::string &name) {
  const std::string was = path_to(moved);
  const Fd old_place = tree_.open_real_folder(was);
  if (!old_place && !is_nothing(errno)) fail(errno, was);
  struct stat there, here;
  if (old_place && retry(::fstat, old_place.get(), &there) == 0 && retry(::fstat, opened, &here) == 0 &&
      there.st_ino == here.st_ino && there.st_dev == here.st_dev) {
    return false;
  }
  for (const Folder *above = &parent; above; above = above->parent) {
    if (above == &moved) return stale_ = true, false;
  }
  freed_.push_back(was);
  auto node = moved.parent->folders.extract(moved.name);
  moved.parent = &parent;
  moved.name = name;
  moved.leaving = false;
  parent.folders[name] = std::move(node.mapped());
  owe(moved, was);
  if (reporter_.wanted(path_to(moved)) == Want::way) drop_unwanted(moved);
  return true;
}

void Observer::owe(Folder &folder, const std::string &was) {
  folder.owed.push_back(was);
  for (auto &[name, below] : folder.folders) owe(*below, join(was, name));
}

void Observer::scan(Folder &folder, Fd opened, const Scan &how) {
  const std::string path = path_to(folder);
  folder.whole = reporter_.wanted(path) == Want::all;
  if (how.reports) folder.mark = inotify_->mark();
  const std::vector<std::string> names = folder.whole ? scan_names(opened.get(), path, how) : reporter_.ways_on(path);
  opened = Fd();
  if (how.reports) {
    folder.owed.clear();
    if (inotify_->has_passed(folder.was_until)) folder.was.clear();
    folder.was.insert(folder.was.end(), how.was.begin(), how.was.end());
    if (!how.was.empty()) folder.was_until = inotify_->mark();
  }
  for (const std::string &name : names) {
    if (stale_) return;
    Scan below{how.reports, {}};
    for (const std::string &was : how.was) below.was.push_back(join(was, name));
    visit(folder, name, below);
  }
}

/// Returns true if a name in an opened folder is that of a value. The folder may have been moved on meanwhile, so that
/// `path` leads to another one, or to none; only for a link that still counts, since it may lead out of the base.
bool Observer::has_value(int opened, const std::string &path, const std::string &name) const {
  struct stat file;
  if (retry(::fstatat, opened, name.c_str(), &file, AT_SYMLINK_NOFOLLOW) != 0) return false;
  if (!S_ISLNK(file.st_mode)) return S_ISREG(file.st_mode);
  const Reporter::There there = reporter_.find(join(path, name), file);
  if (there != Reporter::There::nothing) return there == Reporter::There::value;
  return retry(::fstatat, opened, name.c_str(), &file, 0) == 0 && S_ISREG(file.st_mode);
}

/// Reports the values in a folder, and returns the names of the folders in it. A file that is no value now was none
/// before the folder was moved.
std::vector<std::string> Observer::scan_names(int opened, const std::string &path, const Scan &how) {
  const auto found = [&](std::string_view name, unsigned what) {
    const std::string value = reporter_.value_path(path, name);
    const bool was_value = !how.was.empty() && has_value(opened, path, std::string(name));
    for (const std::string &was : how.was) {
      if (was_value) reporter_.report_change(reporter_.value_path(was, name), Reporter::removed);
    }
    reporter_.report_change(value, what);
  };
  if (how.reports && !path.empty()) found(own_name, Reporter::put | Reporter::moved_in);
  std::vector<std::string> folders, leftovers;
  std::string last;
  Names names;
  do {
    retry(::lseek, opened, 0, SEEK_SET);
    names.read(opened, path, ignore_, {last, false}, leftovers);
    leftovers.clear();
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::string_view name = names.text(names[i]);
      last = name;
      if (names[i].kind == Names::Kind::below)
        folders.emplace_back(name.substr(0, name.size() - 1));
      else if (how.reports && names[i].kind != Names::Kind::own)
        found(name, Reporter::put);
    }
  } while (names.was_cut());
  return folders;
}

/// Ends the watches of a folder and all below it. Deletes its object, unless it is the base.
void Observer::drop(Folder &folder) {
  while (!folder.folders.empty()) drop(*folder.folders.begin()->second);
  by_watch_.erase(folder.watch);
  inotify_->remove(folder.watch);
  folder.watch = -1;
  if (folder.parent) folder.parent->folders.erase(folder.parent->folders.find(folder.name));
}

/// Drops the folders below a folder that no watch needs any more.
void Observer::drop_unwanted(Folder &folder) {
  const std::string path = path_to(folder);
  folder.whole = folder.whole && reporter_.wanted(path) == Want::all;
  for (auto next = folder.folders.begin(); next != folder.folders.end();) {
    Folder &below = *next++->second;
    if (reporter_.wanted(join(path, below.name)) == Want::none)
      drop(below);
    else
      drop_unwanted(below);
  }
}

} // namespace fs
