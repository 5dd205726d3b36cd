// SPDX-License-Identifier: Apache-2.0
#include "jobs/rate.hpp"

#include <algorithm>
#include <thread>

namespace omnistore::jobs {

void Rate::take(std::uint64_t count, const std::atomic<bool> &stop) {
  constexpr auto burst = std::chrono::milliseconds(100);
  constexpr Clock::duration nap = std::chrono::milliseconds(50); // the longest time until a stop is noticed
  if (a_second_ == 0) return;
  Clock::time_point mine;
  {
    const std::lock_guard lock(mutex_);
    const std::chrono::duration<double> price(static_cast<double>(count) / static_cast<double>(a_second_));
    free_ = std::max(free_, Clock::now() - burst) + std::chrono::duration_cast<Clock::duration>(price);
    mine = free_;
  }
  for (;;) {
    const Clock::duration left = mine - Clock::now();
    if (left <= Clock::duration::zero() || stop.load(std::memory_order_relaxed)) return;
    std::this_thread::sleep_for(std::min(left, nap));
  }
}

} // namespace omnistore::jobs
