// SPDX-License-Identifier: Apache-2.0
#include "storage/clock.hpp"

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

} // namespace

std::int64_t now_ms() noexcept { return monotonic_ms() + offset(); }

} // namespace omnistore
