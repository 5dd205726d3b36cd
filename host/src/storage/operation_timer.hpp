// SPDX-License-Identifier: Apache-2.0
// The counters and timers of a store's operations.
#pragma once

#include <chrono>
#include <cstdint>

#include "storage/call.hpp"
#include "storage/meter.hpp"

namespace omnistore {

/// Drivers that never block, and layers above such drivers, time only one operation in so many: reading the clock twice
/// costs as much as the operation.
inline constexpr unsigned timed_one_in = 64;

inline bool has_failed(omnistore_status status) {
  return status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND && status != OMNISTORE_CONFLICT;
}

/// Counts an operation, also among those under way if every operation of the store is timed: others are over too soon.
class OperationCounter {
public:
  OperationCounter(Meter &meter, unsigned time_every) : here_(meter.here()), may_last_(time_every == 1) {
    if (may_last_) here_.under_way(1);
  }
  ~OperationCounter() {
    if (may_last_) here_.under_way(-1);
  }
  OperationCounter(const OperationCounter &) = delete;
  OperationCounter &operator=(const OperationCounter &) = delete;

  void add(Count count, std::uint64_t by = 1) { here_.add(count, by); }
  omnistore_status failure(omnistore_status status, Count count) {
    here_.add(count);
    here_.fail(status);
    return status;
  }

protected:
  Meter::Here here_;

private:
  const bool may_last_;
};

/// Counts one operation, or the items of a batch, and takes its time if it is due.
class OperationTimer : public OperationCounter {
public:
  OperationTimer(Meter &meter, unsigned time_every, Meter::Kind kind)
      : OperationCounter(meter, time_every), kind_(kind) {
    if (here_.due(time_every)) start_ = Clock::now();
  }
  ~OperationTimer() {
    if (start_ != Clock::time_point()) here_.time(kind_, std::chrono::nanoseconds(Clock::now() - start_).count());
  }

  omnistore_status read(omnistore_status status) {
    // If the reader stopped, the store had the value.
    const bool is_hit = status == OMNISTORE_OK || (GivingUp::gave_up() && has_failed(status));
    if (!is_hit && status != OMNISTORE_NOT_FOUND) return failure(status, Count::read_errors);
    add(is_hit ? Count::hits : Count::misses);
    return status;
  }
  omnistore_status write(omnistore_status status, Count done, std::uint64_t written = 0) {
    if (status == OMNISTORE_OK) {
      add(done);
      if (written != 0) add(Count::bytes_written, written);
    } else if (has_failed(status) && !GivingUp::gave_up()) {
      failure(status, Count::write_errors);
    }
    return status;
  }

private:
  using Clock = std::chrono::steady_clock;
  const Meter::Kind kind_;
  Clock::time_point start_{};
};

} // namespace omnistore
