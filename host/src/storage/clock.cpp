// SPDX-License-Identifier: Apache-2.0
#include "storage/clock.hpp"

#include <atomic>
#include <chrono>

namespace omnistore {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

std::int64_t monotonic_ms() {
  return duration_cast<milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
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
