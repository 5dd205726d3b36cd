// SPDX-License-Identifier: Apache-2.0
// The rules of coherence: when a copy may be served without a request to the origin. They know neither threads nor
// clocks, so that a simulation can run them (tests/coherence).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace cache {

/// A copy may be served while two things hold:
/// - no event for its key, and no loss of events, has arrived since the request to the origin began that gave or
///   confirmed the copy. A ticket, which is taken before that request, shows this;
/// - the watch is no more than `max_lag` behind, so that every change that is older than that has arrived as an event.
/// Together they give the bound: no read is older than `max_lag`, whatever breaks.
///
/// Keys share slots. An event counts for all keys of its slot, which may cost a request but never gives an old value.
/// Any function may be called on any thread.
class Coherence {
public:
  struct Ticket {
    std::uint32_t losses = 0, changes = 0; ///< a ticket with no losses never holds
    bool operator==(const Ticket &) const = default;
  };

  explicit Coherence(std::int64_t max_lag, std::size_t slots = std::size_t{1} << 18)
      : max_lag_(max_lag), changes_(slots) {}

  /// Call it before the request to the origin.
  Ticket begin(std::string_view key) const noexcept {
    return {losses_.load(std::memory_order_acquire), slot(key).load(std::memory_order_acquire)};
  }
  /// The origin's value of the key may have changed.
  void changed(std::string_view key) noexcept { slot(key).fetch_add(1, std::memory_order_release); }
  /// Events may have been lost, or the watch has just begun.
  void lost() noexcept {
    if (losses_.fetch_add(1, std::memory_order_release) == UINT32_MAX) losses_.fetch_add(1, std::memory_order_release);
  }

  /// Returns true if nothing has arrived since the ticket was taken that concerns the key.
  bool holds(std::string_view key, const Ticket &ticket) const noexcept { return ticket == begin(key); }
  /// Returns true if events were lost since the ticket was taken: the value has probably not changed.
  bool lost_since(const Ticket &ticket) const noexcept {
    return ticket.losses != losses_.load(std::memory_order_acquire);
  }
  /// Returns true if a watch that is so many milliseconds behind is good enough.
  bool is_current(std::int64_t lag) const noexcept { return lag <= max_lag_; }
  /// `lag` must be found out before the call, so that the events that it vouches for are seen.
  bool may_serve(std::string_view key, const Ticket &ticket, std::int64_t lag) const noexcept {
    return is_current(lag) && holds(key, ticket);
  }

private:
  std::size_t index(std::string_view key) const noexcept {
    return std::hash<std::string_view>()(key) % changes_.size();
  }
  const std::atomic<std::uint32_t> &slot(std::string_view key) const noexcept { return changes_[index(key)]; }
  std::atomic<std::uint32_t> &slot(std::string_view key) noexcept { return changes_[index(key)]; }

  const std::int64_t max_lag_;
  std::atomic<std::uint32_t> losses_{1};
  std::vector<std::atomic<std::uint32_t>> changes_; ///< how many events each slot has had
};

} // namespace cache
