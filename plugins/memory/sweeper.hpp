// SPDX-License-Identifier: Apache-2.0
// Has the host call the store soon after its next entry expires. The host's tasks cannot be taken back: where a nearer
// expiry comes up, another task is submitted, and the one that is then too many does nothing.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include <omnistore/driver.h>

#include "timers.hpp"

namespace memory {

/// Safe for threads. Times are those of the host's clock.
class Sweeper {
public:
  /// `task` is run with `argument`; it calls begin.
  Sweeper(const omnistore_host &host, omnistore_task task, void *argument)
      : host_(host), task_(task), argument_(argument) {}

  /// Sees to it that a sweep comes soon after `expiry`. No lock is held.
  void schedule(int64_t expiry, int64_t now) {
    const int64_t at = std::clamp(expiry, now + SHORTEST_WAIT, now + LONGEST_WAIT);
    int64_t planned = planned_;
    do {
      if (planned != Timers::NEVER && at + LATEST >= planned) return;
    } while (!planned_.compare_exchange_weak(planned, at));
    submit(at - now);
  }

  /// The task's first step: whether to sweep now, and then to schedule the next sweep.
  bool begin(int64_t now) {
    const bool last = --tasks_ == 0;
    const int64_t planned = planned_;
    if (planned <= now) return planned_ = Timers::NEVER, true;
    if (last && planned != Timers::NEVER) submit(planned - now); // the host's timer was a little early
    return false;
  }

private:
  static constexpr int64_t SHORTEST_WAIT = 20;    // ms, so that a stream of expiries is swept in heaps
  static constexpr int64_t LONGEST_WAIT = 60'000; // ms
  static constexpr int64_t LATEST = 250;          // ms that a sweep may come late where one is under way already

  void submit(int64_t delay) {
    ++tasks_;
    if (host_.submit(&host_, task_, argument_, static_cast<uint64_t>(delay), 0) == OMNISTORE_OK) return;
    // Reads still hide what has expired; the next write that expires asks again.
    --tasks_;
    planned_ = Timers::NEVER;
  }

  const omnistore_host &host_;
  const omnistore_task task_;
  void *const argument_;
  alignas(64) std::atomic<int64_t> planned_{Timers::NEVER}; // when the next sweep is due
  std::atomic<int> tasks_{0};                               // that the host has
};

} // namespace memory
