// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string_view>
#include <vector>

#include <omnistore/storage.hpp>

namespace omnistore {

struct Mount;

/// Logs operations: each at debug (`READ HIT user:1 (0.2ms)`), and the slow ones at warn, with mount and driver. If
/// neither is wanted, an operation costs one load. Thread-safe.
class OpLog {
public:
  using Clock = std::chrono::steady_clock;

  /// Sets the time from which an operation is slow, in milliseconds; 0 logs none as slow. The log's level at this
  /// moment decides if each operation is logged.
  void configure(std::int64_t slow);

  /// Returns the latest slow operations, the newest first.
  std::vector<SlowOperation> slow() const;

  /// Times one operation from the construction of this, if the log wants the time.
  class Timer {
  public:
    explicit Timer(const OpLog &log) : log_(log.wanted() ? &log : nullptr) {
      if (log_) start_ = Clock::now();
    }
    /// Returns true if the log wants the operation.
    bool runs() const { return log_ != nullptr; }
    void log(std::string_view what, std::string_view key, const Mount &mount, std::string_view error = {}) const {
      if (log_) log_->log(what, key, mount, Clock::now() - start_, error);
    }

  private:
    const OpLog *log_;
    Clock::time_point start_;
  };

private:
  bool wanted() const { return wanted_.load(std::memory_order_relaxed); }
  /// Logs the operation. `what` is "READ HIT"; `error` is the reason of its failure, or empty.
  void log(std::string_view what, std::string_view key, const Mount &mount, Clock::duration took,
           std::string_view error) const;

  std::atomic<bool> wanted_{false};
  std::atomic<bool> each_{false};
  std::atomic<std::int64_t> slow_{0}; ///< milliseconds

  static constexpr std::size_t most_kept = 128;
  mutable std::mutex mutex_; ///< for what follows
  mutable std::deque<SlowOperation> kept_;
};

} // namespace omnistore
