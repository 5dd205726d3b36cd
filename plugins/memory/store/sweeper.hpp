// SPDX-License-Identifier: Apache-2.0
// Makes the host call the store soon after its next entry expires. A task of the host cannot be cancelled: if an
// earlier expiry comes up, another task is submitted, and the task that is no longer needed does nothing.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include <omnistore/driver.h>

#include "shard/timers.hpp"

namespace memory {

/// Thread-safe. All times are of the host's clock.
class Sweeper {
public:
  /// The host runs `task` with `argument`. The task calls begin() first.
  Sweeper(const omnistore_host &host, omnistore_task task, void *argument)
      : host_(host), task_(task), argument_(argument) {}

  /// Makes sure that a sweep comes soon after `expiry`. The caller holds no lock.
  void schedule(int64_t expiry, int64_t now) {
    const int64_t at = std::clamp(expiry, now + min_wait, now + max_wait);
    int64_t planned = planned_;
    do {
      if (planned != Timers::never && at + max_lateness >= planned) return;
    } while (!planned_.compare_exchange_weak(planned, at));
    submit(at - now);
  }

  /// Returns true if the task must sweep now; it then schedules the next sweep.
  bool begin(int64_t now) {
    const bool last = --tasks_ == 0;
    const int64_t planned = planned_;
    if (planned <= now) return planned_ = Timers::never, true;
    if (last && planned != Timers::never) submit(planned - now); // the host's timer was a little early
    return false;
  }

private:
  static constexpr int64_t min_wait = 20;      // ms, so that one sweep removes many entries
  static constexpr int64_t max_wait = 60'000;  // ms
  static constexpr int64_t max_lateness = 250; // ms that a sweep may come late if another one is planned already

  void submit(int64_t delay) {
    ++tasks_;
    if (host_.submit(&host_, task_, argument_, static_cast<uint64_t>(delay), 0) == OMNISTORE_OK) return;
    // Reads hide expired entries all the same, and the next write with an expiry submits again.
    --tasks_;
    planned_ = Timers::never;
  }

  const omnistore_host &host_;
  const omnistore_task task_;
  void *const argument_;
  alignas(64) std::atomic<int64_t> planned_{Timers::never}; // when the next sweep is due
  std::atomic<int> tasks_{0};                               // tasks that the host has
};

} // namespace memory
