// SPDX-License-Identifier: Apache-2.0
// Listings under way: a page's cursor names the walk that goes on with the next one, so that a folder is read and
// sorted once, not once a page. A cursor holds the last key too, and is good without the walk.
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

/// A cursor's text: sixteen hexadecimal digits and the key.
struct Cursor {
  std::uint64_t run;
  std::string_view key;
};
std::string write_cursor(std::uint64_t run, std::string_view key);
/// Throws a Failure for a text that write_cursor has not written.
Cursor read_cursor(std::string_view text);

/// Thread-safe. At most 16 walks that hold 4 million names are kept; the oldest go.
class PausedWalks {
public:
  /// The walk, taken out; null where it is gone, too old (what it has read would be too far from the truth), or
  /// another listing's.
  std::unique_ptr<Walk> resume(const Cursor &cursor, std::string_view base, std::uint32_t depth);
  /// Keeps it; the run's number.
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
  /// Numbers of another process's runs, or of this store before it was opened again, are not taken for its own.
  std::uint64_t next_ = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
};

} // namespace fs
