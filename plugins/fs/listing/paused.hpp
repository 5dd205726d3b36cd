// SPDX-License-Identifier: Apache-2.0
// Walks that pause between two pages of a listing. A page's cursor names the walk that continues with the next page, so
// that a folder is read and sorted once and not for every page. A cursor also holds the last key, so it is valid
// without its walk.
#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "listing/walk.hpp"

namespace fs {

/// A cursor's text is sixteen hexadecimal digits and the last name.
struct Cursor {
  std::uint64_t run;
  std::string_view key;
};
std::string write_cursor(std::uint64_t run, std::string_view key);
/// Throws a Failure if write_cursor() has not written the text.
Cursor read_cursor(std::string_view text);

/// Thread-safe. It holds at most 16 walks with 4 million names; the oldest are dropped.
class PausedWalks {
public:
  /// Removes and returns the walk. Returns null if it is gone, belongs to another listing, or is so old that the
  /// folders may have changed too much.
  std::unique_ptr<Walk> resume(const Cursor &cursor, const Walk::Options &options);
  /// Stores the walk and returns its number.
  std::uint64_t keep(std::unique_ptr<Walk> walk);

private:
  using Clock = std::chrono::steady_clock;
  struct PausedWalk {
    std::uint64_t number;
    Clock::time_point begun;
    std::unique_ptr<Walk> walk;
  };

  std::mutex mutex_;
  std::list<PausedWalk> paused_; ///< the oldest first
  std::size_t names_ = 0;
  /// It starts at the time, so that a number of another process, or of an earlier opening, is never taken for a walk
  /// here.
  std::uint64_t next_ = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
};

} // namespace fs
