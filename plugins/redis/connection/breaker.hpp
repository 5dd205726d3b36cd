// SPDX-License-Identifier: Apache-2.0
// Knows that the server is away, so that only the first calls wait for it. After a pause, which grows with each try and
// is jittered, one try is made: by a task of the host's, or where the host takes none by the next caller.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <random>

#include <omnistore/driver.h>

#include "connection/connection.hpp"

namespace redis {

/// Thread-safe. It must stay where it is.
class Breaker {
public:
  /// `task(argument)` is given to the host when a try is due. `one_try` is how long one takes at most.
  Breaker(const omnistore_host &host, omnistore_task task, void *argument, milliseconds one_try)
      : host_(host), task_(task), argument_(argument), one_try_(one_try) {}

  /// Returns where the server may be asked; else throws the failure that says why it is away.
  void check() {
    if (open_.load(std::memory_order_acquire)) refuse_or_try();
  }
  /// The server could not be reached, or did not answer.
  void failed(const StoredFailure &why);
  /// It answered.
  void worked() {
    if (open_.load(std::memory_order_acquire)) close();
  }
  /// The host's task begins its try. Whether one is still due.
  bool begin_try();

private:
  void refuse_or_try();
  void close();
  milliseconds next_pause();

  const omnistore_host &host_;
  const omnistore_task task_;
  void *const argument_;
  const milliseconds one_try_;

  std::atomic<bool> open_ = false;
  std::mutex mutex_;
  bool trying_ = false;     ///< a try is under way
  bool background_ = false; ///< the host has the task
  milliseconds pause_{};
  Clock::time_point due_;
  StoredFailure why_{OMNISTORE_UNAVAILABLE, ""};
  std::minstd_rand random_{std::random_device{}()};
};

} // namespace redis
