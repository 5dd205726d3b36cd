// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <string>

#include <omnistore/error.hpp>
#include <omnistore/ext/health.h>

#include "storage/driver_store.hpp"

namespace omnistore {

/// Checks the health of one store on a thread of the store's tasks, at most once a second. A store that hangs holds
/// only that thread: callers wait until their deadline. Thread-safe.
class HealthReport {
public:
  using Clock = std::chrono::steady_clock;
  /// The time that a store has for its report, and the time that a report counts.
  static constexpr std::chrono::seconds patience{1}, fresh{1};

  struct Answer {
    Status status = Status::ok;
    std::string message;
  };

  HealthReport(DriverStore &store, const omnistore_health &extension) : store_(store), extension_(extension) {}
  ~HealthReport() {
    store_.tasks()->drop(this);
    store_.tasks()->forget(this);
  }
  HealthReport(const HealthReport &) = delete;
  HealthReport &operator=(const HealthReport &) = delete;

  const std::string &driver() const { return store_.driver().name; }
  /// Begins a check, unless a fresh report is there or a check is under way.
  void begin();
  /// Waits for the report until the deadline.
  Answer wait(Clock::time_point deadline);

private:
  static void OMNISTORE_CALL run_(void *self, omnistore_call *call);
  Answer ask();

  DriverStore &store_;
  const omnistore_health &extension_;
  std::mutex mutex_;
  std::condition_variable answered_;
  bool asking_ = false;
  Clock::time_point known_since_{};
  Answer answer_;
};

} // namespace omnistore
