// SPDX-License-Identifier: Apache-2.0
#include "watching/inotify.hpp"

#include <cstdio>
#include <cstring>
#include <string>

#include <fcntl.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tree/retry.hpp"

namespace fs {

namespace {

constexpr std::size_t max_marks = 4000;

/// Returns "the system's limit NAME (now VALUE)".
std::string limit_named(const char *name) {
  char value[32] = "unknown";
  const Fd file(retry(::open, (std::string("/proc/sys/fs/inotify/") + name).c_str(), O_RDONLY | O_CLOEXEC));
  const ssize_t size = file ? retry(::read, file.get(), value, sizeof value) : 0;
  std::string_view text(value, size > 0 ? static_cast<std::size_t>(size) : std::strlen(value));
  return std::string("the system's limit fs.inotify.") + name + " (now " +
         std::string(text.substr(0, text.find('\n'))) + ")";
}

/// A path to an open file, for system calls that take a path.
struct ProcName {
  char text[40];
  explicit ProcName(int file) { std::snprintf(text, sizeof text, "/proc/self/fd/%d", file); }
};

} // namespace

Inotify::Inotify()
    : instance_(inotify_init1(IN_NONBLOCK | IN_CLOEXEC)),
      marker_(instance_ ? memfd_create("omnistore-fs-mark", MFD_CLOEXEC) : -1) {
  if (marker_) return;
  if (errno != EMFILE) fail(errno, "inotify");
  throw omnistore::Failure(OMNISTORE_NO_SPACE, limit_named("max_user_instances") +
                                                   ", or that of open files, is reached: raise it with sysctl, or "
                                                   "ulimit -n, or watch fewer stores");
}

int Inotify::add(int folder, std::uint32_t mask, std::string_view path) {
  // IN_MASK_ADD extends an existing mask. If the mask were replaced, notifications at that moment would be lost.
  const int watch = retry(::inotify_add_watch, instance_.get(), ProcName(folder).text, mask | IN_MASK_ADD);
  if (watch >= 0) return watch;
  if (errno != ENOSPC) fail(errno, path.empty() ? "watching the base folder" : path);
  throw omnistore::Failure(OMNISTORE_NO_SPACE,
                           std::string(path.empty() ? "the base folder" : path) + ": " +
                               limit_named("max_user_watches") +
                               " is reached; each folder takes one: raise it with sysctl, or watch a smaller base");
}

void Inotify::remove(int watch) { inotify_rm_watch(instance_.get(), watch); }

std::uint64_t Inotify::mark() {
  if (marks_.size() >= max_marks) return passed_;
  const int watch = retry(::inotify_add_watch, instance_.get(), ProcName(marker_.get()).text, IN_DELETE_SELF);
  if (watch < 0 || inotify_rm_watch(instance_.get(), watch) != 0) return passed_;
  marks_.push_back(watch);
  return ++made_;
}

std::size_t Inotify::fill() {
  const ssize_t size = retry(::read, instance_.get(), buffer_, sizeof buffer_);
  return size > 0 ? static_cast<std::size_t>(size) : 0;
}

/// Reads the next notification that is not a mark.
bool Inotify::next(std::size_t size, std::size_t &at, Notification &notification) {
  while (at < size) {
    inotify_event event;
    std::memcpy(&event, buffer_ + at, sizeof event);
    const char *const name = buffer_ + at + sizeof event;
    at += sizeof event + event.len;
    if (!marks_.empty() && event.wd == marks_.front() && event.mask & IN_IGNORED) {
      marks_.pop_front();
      ++passed_;
      continue;
    }
    notification = {event.wd, event.mask, {name, strnlen(name, event.len)}};
    return true;
  }
  return false;
}

} // namespace fs
