// SPDX-License-Identifier: Apache-2.0
// A circuit breaker. While the server is away, calls fail at once instead of waiting for it. After a pause, which grows
// with each attempt and is jittered, one attempt is made: by a task of the host, or by the next caller if the host
// takes no task.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <random>

#include <omnistore/driver.h>

#include "connection/connection.hpp"

namespace redis {

/// Thread-safe. It must not move.
class Breaker {
public:
  /// The host runs `task(argument)` when an attempt is due. `one_try` is the longest time of one attempt,
  /// and `longest_pause` that of a pause.
  Breaker(const omnistore_host &host, omnistore_task task, void *argument, milliseconds one_try,
          milliseconds longest_pause)
      : host_(host), task_(task), argument_(argument), one_try_(one_try), longest_pause_(longest_pause) {}

  /// Returns if a request may be sent. Otherwise throws the failure that opened the breaker.
  void check() {
    if (open_.load(std::memory_order_acquire)) refuse_or_try();
  }
  /// The server could not be reached, or did not respond.
  void failed(const StoredFailure &why);
  /// The server responded.
  void worked() {
    if (open_.load(std::memory_order_acquire)) close();
  }
  /// The host's task begins an attempt. Returns false if none is due any more.
  bool begin_try();

private:
  void refuse_or_try();
  void close();
  milliseconds next_pause();

  const omnistore_host &host_;
  const omnistore_task task_;
  void *const argument_;
  const milliseconds one_try_, longest_pause_;

  std::atomic<bool> open_ = false;
  std::mutex mutex_;
  bool trying_ = false;     ///< an attempt is under way
  bool background_ = false; ///< the host has the task
  milliseconds pause_{};
  Clock::time_point due_;
  StoredFailure why_{OMNISTORE_UNAVAILABLE, ""};
  std::minstd_rand random_{std::random_device{}()};
};

} // namespace redis
