// SPDX-License-Identifier: Apache-2.0
#include "watching/reporter.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>

#include "tree/retry.hpp"

namespace fs {
namespace {

/// Returns true if a path equals a folder's path, or lies below it.
bool is_at_or_below(std::string_view path, std::string_view folder) {
  return folder.empty() || (path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/'));
}

} // namespace

Reporter::Want Reporter::wanted(std::string_view path) const {
  Want want = Want::none;
  for (const WatchedBase *watching : watchings_) {
    if (is_at_or_below(path, watching->folder)) return Want::all;
    if (is_at_or_below(watching->folder, path)) want = Want::way;
  }
  return want;
}

bool Reporter::is_wanted_key(std::string_view path) const {
  return std::any_of(watchings_.begin(), watchings_.end(), [&](const WatchedBase *watching) {
    return path.size() > watching->folder.size() && is_at_or_below(path, watching->folder);
  });
}

std::vector<std::string> Reporter::ways_on(const std::string &path) const {
  std::vector<std::string> names;
  for (const WatchedBase *watching : watchings_) {
    const std::string_view base = watching->folder;
    if (base.size() <= path.size() || !is_at_or_below(base, path)) continue;
    const std::string_view onward = base.substr(path.empty() ? 0 : path.size() + 1);
    names.emplace_back(onward.substr(0, onward.find('/')));
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::string Reporter::value_path(std::string_view folder, std::string_view name) const {
  if (name == own_name) return std::string(folder);
  if (is_temporary(name) || !is_segment(name) || ignore_.file(folder, name)) return {};
  return join(folder, name);
}

Reporter::There Reporter::find(const std::string &path, struct stat &file) const {
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

void Reporter::report_change(const std::string &path, unsigned what) {
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

void Reporter::report(std::uint32_t type, std::string_view path) const {
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

void Reporter::report_lost(std::string_view path) const {
  const omnistore_event event = {sizeof event, OMNISTORE_EVENT_RESYNC, OMNISTORE_CAUSE_NONE, 0, {nullptr, 0}, 0};
  for (const WatchedBase *watching : watchings_) {
    if (is_at_or_below(path, watching->folder) || is_at_or_below(watching->folder, path)) {
      watching->watcher->event(watching->watcher, &event);
    }
  }
}

} // namespace fs
