// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include <omnistore/call.hpp>
#include <omnistore/driver.h>

namespace omnistore {

/// Has the host run a store's sweep, a task, soon after its next value expires. A task cannot be taken back: if a
/// nearer expiry comes up, another task is submitted, and the one that is then too many does nothing. Times are those
/// of the host's clock. Safe for threads; no lock is held while the host is called.
///
///     void sweep(Call) {
///       if (timer_.begin(now())) timer_.schedule(remove_expired(), now());
///     }
class SweepTimer {
public:
  /// `task` is run with `argument`. It calls `begin` first.
  SweepTimer(const omnistore_host &host, omnistore_task task, void *argument) noexcept
      : host_(host), task_(task), argument_(argument) {}

  /// Makes a sweep begin soon after `expiry`, and within a minute in any case.
  void schedule(std::int64_t expiry, std::int64_t now) {
    const std::int64_t at = std::clamp(expiry, now + shortest_wait, now + longest_wait);
    std::int64_t planned = planned_;
    do {
      if (planned != never && at + latest >= planned) return;
    } while (!planned_.compare_exchange_weak(planned, at));
    add_task(at - now);
  }

  /// The first step of the task. Returns true if it must sweep now, and then call `schedule` for the next sweep.
  bool begin(std::int64_t now) {
    const bool last = --tasks_ == 0;
    const std::int64_t planned = planned_;
    if (planned <= now) return planned_ = never, true;
    if (last && planned != never) add_task(planned - now); // the host's timer was a little early
    return false;
  }

private:
  static constexpr std::int64_t never = INT64_MAX;
  static constexpr std::int64_t shortest_wait =
      20; // milliseconds, so that a stream of expiries goes in batches
  static constexpr std::int64_t longest_wait = 60'000; // milliseconds
  static constexpr std::int64_t latest =
      250; // milliseconds that a sweep may be late if one is planned already

  void add_task(std::int64_t delay) {
    ++tasks_;
    if (submit(host_, task_, argument_, static_cast<std::uint64_t>(delay))) return;
    --tasks_; // reads still hide what has expired, and the next write with an expiry tries again
    planned_ = never;
  }

  const omnistore_host &host_;
  const omnistore_task task_;
  void *const argument_;
  std::atomic<std::int64_t> planned_{never}; // when the next sweep is due
  std::atomic<int> tasks_{0};                // that the host has
};

} // namespace omnistore
