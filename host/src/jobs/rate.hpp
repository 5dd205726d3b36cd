// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>

namespace omnistore::jobs {

/// A rate limit for all threads together: a token bucket that holds the tokens of a tenth of a second. [any thread]
class Rate {
public:
  /// 0 means no limit.
  explicit Rate(std::uint64_t a_second) : a_second_(a_second) {}
  /// Waits until `count` tokens may be taken, or until `stop` is set. If the count is more than the bucket holds, later
  /// calls wait for the rest.
  void take(std::uint64_t count, const std::atomic<bool> &stop);

private:
  using Clock = std::chrono::steady_clock;
  const std::uint64_t a_second_;
  std::mutex mutex_;
  Clock::time_point free_ = Clock::now(); ///< when the bucket has the tokens that were taken so far
};

} // namespace omnistore::jobs
