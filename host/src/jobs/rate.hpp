// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>

namespace omnistore::jobs {

/// So much a second and no more, whoever takes it: a token bucket that holds a tenth of a second's worth. [any thread]
class Rate {
public:
  /// 0: no limit.
  explicit Rate(std::uint64_t a_second) : a_second_(a_second) {}
  /// Waits until `count` may be taken, or until `stop` is set. More than the bucket holds is a debt that the next ones
  /// wait for.
  void take(std::uint64_t count, const std::atomic<bool> &stop);

private:
  using Clock = std::chrono::steady_clock;
  const std::uint64_t a_second_;
  std::mutex mutex_;
  Clock::time_point free_ = Clock::now(); ///< when what was taken so far is paid for
};

} // namespace omnistore::jobs
