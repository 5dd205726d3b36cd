// SPDX-License-Identifier: Apache-2.0
// The system's notifications of changes in folders.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>

#include "tree/tree.hpp"

namespace fs {

struct Notification {
  int watch;          ///< -1: the queue was full, and notifications were lost
  std::uint32_t mask; ///< IN_...
  std::string_view name;
};

/// One inotify instance. Not thread-safe.
class Inotify {
public:
  /// Throws a Failure that names the limit, if one is reached.
  Inotify();

  /// Returns the descriptor to poll.
  int get() const { return instance_.get(); }

  /// Watches an open folder, or extends the mask of its watch. Returns the watch's number, which is the same for the
  /// same folder. Throws a Failure that names the limit, if one is reached. `path` is for the message.
  int add(int folder, std::uint32_t mask, std::string_view path);
  void remove(int watch);

  /// Puts a mark into the queue, after every notification until now, and returns its number. Numbers ascend. If four
  /// thousand marks wait already, returns a mark that was passed.
  std::uint64_t mark();
  bool has_passed(std::uint64_t mark) const { return mark <= passed_; }

  /// Reads a part of the queue and calls take(const Notification &) for each notification, the oldest first, while it
  /// returns true.
  template <class Take>
  void read(Take take) {
    const std::size_t size = fill();
    Notification notification;
    for (std::size_t at = 0; next(size, at, notification);) {
      if (!take(notification)) return;
    }
  }

private:
  std::size_t fill();
  bool next(std::size_t size, std::size_t &at, Notification &notification);

  Fd instance_;
  Fd marker_; ///< a file without a name: the end of a watch of it is a mark
  std::deque<int> marks_;
  std::uint64_t made_ = 0, passed_ = 0;
  alignas(8) char buffer_[32 * 1024];
};

} // namespace fs
