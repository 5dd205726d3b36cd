// SPDX-License-Identifier: Apache-2.0
#include "base/clock.hpp"

#include <atomic>
#include <cstdio>
#include <ctime>

namespace omnistore {
namespace {

/// The kernel's tick, some milliseconds coarse: a get or set reads it, because the exact clock costs as much as they
/// do.
#ifdef CLOCK_MONOTONIC_COARSE
constexpr clockid_t tick = CLOCK_MONOTONIC_COARSE;
#else
constexpr clockid_t tick = CLOCK_MONOTONIC;
#endif

std::int64_t nanoseconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

/// By the exact clocks, so that all processes have the same.
std::int64_t offset() {
  static const std::int64_t offset = nanoseconds(CLOCK_REALTIME) - nanoseconds(CLOCK_MONOTONIC);
  return offset;
}

std::atomic<std::int64_t> advanced{0};

} // namespace

std::int64_t now_ms() noexcept {
  return (nanoseconds(tick) + offset()) / 1'000'000 + advanced.load(std::memory_order_relaxed);
}

void advance_clock(std::int64_t milliseconds) noexcept { advanced.fetch_add(milliseconds); }

std::string seconds_text(std::chrono::duration<double> time) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", time.count());
  return text;
}

} // namespace omnistore
