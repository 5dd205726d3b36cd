// SPDX-License-Identifier: Apache-2.0
#include "service/file_events.hpp"

#include <cerrno>
#include <climits>
#include <deque>
#include <filesystem>
#include <system_error>

#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

namespace omnistore::service {
namespace {

namespace fs = std::filesystem;

constexpr unsigned most_links = 40; // on one way, the kernel's own limit
constexpr std::uint32_t entry_events = IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_MOVED_FROM | IN_ONLYDIR;
constexpr std::uint32_t content_events = IN_CLOSE_WRITE | IN_ATTRIB;

std::deque<std::string> names_in(const std::string &path) {
  std::deque<std::string> names;
  for (const fs::path &part : fs::path(path).relative_path())
    if (!part.empty() && part != ".") names.push_back(part.string());
  return names;
}

std::string inside(const std::string &folder, const std::string &name) {
  return folder == "/" ? folder + name : folder + "/" + name;
}

/// Returns the target of a symbolic link; empty if it is none.
std::string link_target(const std::string &path) {
  char room[PATH_MAX];
  const ssize_t size = ::readlink(path.c_str(), room, sizeof room);
  return size > 0 ? std::string(room, static_cast<std::size_t>(size)) : std::string();
}

bool is_folder(const std::string &path) {
  struct stat info {};
  return ::lstat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

std::string reason(const std::string &folder, int error) {
  const std::string text = std::generic_category().message(error);
  if (folder.empty())
    return error == EMFILE ? "no inotify instance is left: raise the sysctl fs.inotify.max_user_instances, or the "
                             "limit of open files"
                           : "inotify: " + text;
  if (error == ENOSPC) return "no inotify watch is left: raise the sysctl fs.inotify.max_user_watches";
  if (error == EACCES) return folder + " cannot be watched: " + text + "; let the host read it";
  return folder + " cannot be watched: " + text;
}

} // namespace

FileEvents::~FileEvents() {
  if (notify_ >= 0) ::close(notify_);
}

void FileEvents::begin() {
  trouble_.clear();
  next_.clear();
  if (notify_ < 0) notify_ = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  if (notify_ < 0) trouble_ = reason({}, errno);
}

void FileEvents::finish() {
  for (const auto &[watch, names] : watched_)
    if (!next_.contains(watch)) ::inotify_rm_watch(notify_, watch);
  watched_ = std::move(next_);
}

void FileEvents::watch_file(const std::string &path) { walk(path); }

void FileEvents::watch_folder(const std::string &path, const std::string &ending) {
  walk(path);
  std::error_code failed;
  if (!fs::is_directory(path, failed)) return;
  add(path, {}, ending, true);
  for (fs::directory_iterator at(path, failed), end; !failed && at != end; at.increment(failed))
    if (std::error_code unknown; at->path().extension() == ending && at->is_symlink(unknown)) walk(at->path().string());
  // A link after the failure is not watched, so the host checks the files from time to time.
  if (failed && failed != std::errc::no_such_file_or_directory && failed != std::errc::not_a_directory &&
      trouble_.empty())
    trouble_ = reason(path, failed.value());
}

/// Each folder is watched before the name in it is looked at, so no change falls in between.
void FileEvents::walk(const std::string &path) {
  std::error_code failed;
  std::deque<std::string> left = names_in(fs::absolute(path, failed).string());
  std::string folder = "/";
  for (unsigned links = 0; !left.empty();) {
    const std::string name = left.front();
    left.pop_front();
    if (name == "..") {
      folder = fs::path(folder).parent_path().string(); // no link is left in it
      continue;
    }
    add(folder, name, {}, left.empty());
    const std::string full = inside(folder, name);
    if (const std::string target = link_target(full); !target.empty()) {
      if (++links > most_links) return;
      const std::deque<std::string> further = names_in(target);
      left.insert(left.begin(), further.begin(), further.end());
      if (target.front() == '/') folder = "/";
    } else if (is_folder(full)) {
      folder = full;
    } else {
      return; // the file, or a name that does not exist yet
    }
  }
}

void FileEvents::add(const std::string &folder, const std::string &name, const std::string &ending, bool contents) {
  if (notify_ < 0) return;
  const int watch =
      ::inotify_add_watch(notify_, folder.c_str(), entry_events | IN_MASK_ADD | (contents ? content_events : 0));
  if (watch < 0) {
    // The folder around it reports a folder that has just gone.
    if (errno != ENOENT && errno != ENOTDIR && trouble_.empty()) trouble_ = reason(folder, errno);
    return;
  }
  Names &names = next_[watch];
  if (!name.empty()) names.names.insert(name);
  if (!ending.empty()) names.ending = ending;
}

bool FileEvents::concerns(int watch, const char *name) const {
  const auto at = watched_.find(watch);
  if (at == watched_.end()) return false;
  const std::string text(name);
  return text.empty() || at->second.names.contains(text) ||
         (!at->second.ending.empty() && text.ends_with(at->second.ending));
}

bool FileEvents::drain() {
  bool happened = false;
  alignas(inotify_event) char buffer[16 * 1024];
  for (ssize_t size = 0; notify_ >= 0 && (size = ::read(notify_, buffer, sizeof buffer)) > 0;) {
    for (const char *at = buffer; at < buffer + size;) {
      const auto &event = *reinterpret_cast<const inotify_event *>(at);
      happened = happened || (event.mask & IN_Q_OVERFLOW) || concerns(event.wd, event.len != 0 ? event.name : "");
      at += sizeof event + event.len;
    }
  }
  return happened;
}

} // namespace omnistore::service
