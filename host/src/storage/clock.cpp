// SPDX-License-Identifier: Apache-2.0
#include "storage/clock.hpp"

#include <atomic>
#include <chrono>
#include <ctime>

namespace omnistore {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

/// The kernel's tick, some milliseconds coarse: a get or set asks it, and the exact clock costs as much as they do.
std::int64_t monotonic_ms() {
  timespec time{};
#ifdef CLOCK_MONOTONIC_COARSE
  clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
#else
  clock_gettime(CLOCK_MONOTONIC, &time);
#endif
  return std::int64_t{time.tv_sec} * 1000 + time.tv_nsec / 1'000'000;
}

std::int64_t offset() {
  static const std::int64_t offset =
      duration_cast<milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count() - monotonic_ms();
  return offset;
}

std::atomic<std::int64_t> advanced{0};

} // namespace

std::int64_t now_ms() noexcept { return monotonic_ms() + offset() + advanced.load(std::memory_order_relaxed); }

void advance_clock(std::int64_t milliseconds) noexcept { advanced.fetch_add(milliseconds); }

} // namespace omnistore
