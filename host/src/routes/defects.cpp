// SPDX-License-Identifier: Apache-2.0
#include "routes/defects.hpp"

#include <chrono>
#include <cstdint>
#include <exception>
#include <mutex>

#include <spdlog/spdlog.h>

#include "base/printable.hpp"

namespace omnistore::routes {

void log_defect(Status status, std::string_view message) noexcept {
  using Clock = std::chrono::steady_clock;
  constexpr unsigned most = 10;
  if (status != Status::internal) return;
  try {
    static std::mutex mutex;
    static Clock::time_point second;
    static unsigned lines = 0;
    static std::uint64_t left_out = 0;
    std::uint64_t before = 0;
    {
      const std::lock_guard lock(mutex);
      if (const auto now = Clock::now(); now - second >= std::chrono::seconds(1)) {
        second = now;
        lines = 0;
      }
      if (++lines > most) {
        ++left_out;
        return;
      }
      std::swap(before, left_out);
    }
    if (before != 0) spdlog::error("{} more internal failures were not logged", before);
    spdlog::error("internal failure: {}", base::printable_lines(message));
  } catch (const std::exception &) { // nothing is lost but the line
  }
}

} // namespace omnistore::routes
