// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace omnistore {

struct Mount;

/// Tells operations in the log: each at debug (`READ HIT user:1 (0.2ms)`), and the slow ones at warn, with mount and
/// driver. Where neither is wanted an operation costs one load. Thread-safe.
class OpLog {
public:
  using Clock = std::chrono::steady_clock;

  /// Operations that take `slow` milliseconds or longer are told; 0: none. Whether each is told is what the log's
  /// level is now.
  void configure(std::int64_t slow);

  /// Times one operation from the construction of this, if the log wants the time.
  class Timer {
  public:
    explicit Timer(const OpLog &log) : log_(log.wanted() ? &log : nullptr) {
      if (log_) start_ = Clock::now();
    }
    /// Whether tell() has anybody to tell.
    bool runs() const { return log_ != nullptr; }
    void tell(std::string_view what, std::string_view key, const Mount &mount, std::string_view error = {}) const {
      if (log_) log_->tell(what, key, mount, Clock::now() - start_, error);
    }

  private:
    const OpLog *log_;
    Clock::time_point start_;
  };

private:
  bool wanted() const { return wanted_.load(std::memory_order_relaxed); }
  /// `what` is "READ HIT"; `error` is why it failed, or empty.
  void tell(std::string_view what, std::string_view key, const Mount &mount, Clock::duration took,
            std::string_view error) const;

  std::atomic<bool> wanted_{false};
  std::atomic<bool> each_{false};
  std::atomic<std::int64_t> slow_{0}; ///< milliseconds
};

} // namespace omnistore
