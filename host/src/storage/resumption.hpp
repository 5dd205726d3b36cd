// SPDX-License-Identifier: Apache-2.0
// The parts of the hub that let a watch resume after the event that its client saw last.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "storage/hub.hpp"
#include "storage/topic.hpp"

namespace omnistore {

/// Returns true if a key is the base itself or lies under it.
bool lies_under(std::string_view key, std::string_view base);

/// Numbers all events, and remembers the last ones while a watch can be resumed. Not thread-safe.
class EventHistory {
public:
  EventHistory();

  /// Gives the event its number, and remembers it.
  void add(const std::shared_ptr<Record> &record);
  /// Returns the number of the last event.
  std::uint64_t sequence() const { return sequence_; }

  /// Counts one more watch that can be resumed.
  void keep() { ++resumable_; }
  /// Counts watches that can no longer be resumed.
  void release(std::size_t count) { resumable_ -= count; }
  bool is_kept() const { return resumable_ != 0; }

  /// Returns true if all events after this number are remembered.
  bool reaches(std::uint64_t after) const;
  /// Returns the events after this number that a watch of `base` has to get, at most `most` of them. If it drops older
  /// ones, the first event is a resync.
  std::deque<SharedRecord> replay(std::string_view base, std::size_t most, std::uint64_t after) const;
  /// Leaves a gap in the numbers: no watch can resume from before it.
  void forget();
  void stop();

private:
  std::uint64_t sequence_;
  std::size_t resumable_ = 0;       ///< watches that can be resumed, with those that linger
  std::deque<SharedRecord> events_; ///< the last ones, while there are such watches
};

/// The bases of watches that have ended and may be resumed for a time. Not thread-safe. Each function appends the bases
/// that it drops to `ended`.
class LingeringBases {
public:
  using Clock = std::chrono::steady_clock;

  /// Returns true if there were too many, so that it has dropped one.
  bool add(const std::string &base, Clock::time_point until, std::vector<std::string> &ended);
  /// Drops the bases under that of a watch which begins and can be resumed instead.
  void retire(const std::string &successor, std::vector<std::string> &ended);
  /// Drops those whose time is up. Returns the time of the next one, if there is one.
  std::optional<Clock::time_point> expire(Clock::time_point now, std::vector<std::string> &ended);
  void clear() { bases_.clear(); }

private:
  using Bases = std::multimap<std::string, Clock::time_point, std::less<>>;

  Bases::iterator drop(Bases::iterator base, std::vector<std::string> &ended);

  Bases bases_;
};

} // namespace omnistore
