// SPDX-License-Identifier: Apache-2.0
#include "storage/op_log.hpp"

#include <string>

#include <spdlog/spdlog.h>

#include "base/clock.hpp"
#include "base/log_trace.hpp"
#include "base/printable.hpp"
#include "storage/mount_table.hpp"

namespace omnistore {

void OpLog::configure(std::int64_t slow) {
  slow_.store(slow, std::memory_order_relaxed);
  each_.store(spdlog::default_logger_raw()->should_log(spdlog::level::debug), std::memory_order_relaxed);
  wanted_.store(slow > 0 || each_.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

std::vector<SlowOperation> OpLog::slow() const {
  const std::lock_guard lock(mutex_);
  return {kept_.begin(), kept_.end()};
}

void OpLog::log(std::string_view what, std::string_view key, const Mount &mount, Clock::duration took,
                std::string_view error) const {
  const double milliseconds = std::chrono::duration<double, std::milli>(took).count();
  const std::int64_t slow = slow_.load(std::memory_order_relaxed);
  const bool is_slow = slow > 0 && milliseconds >= static_cast<double>(slow);
  if (!is_slow && !each_.load(std::memory_order_relaxed)) return;
  if (is_slow) {
    constexpr std::size_t longest_error = 512;
    const std::lock_guard lock(mutex_);
    if (kept_.size() == most_kept) kept_.pop_back();
    kept_.push_front({now_ms(), milliseconds, std::string(what), std::string(key), mount.mountpoint,
                      mount.config.store.driver, std::string(error.substr(0, longest_error)),
                      std::string(base::LogTrace::current())});
  }
  std::string line =
      fmt::format("{} {} ({:.{}f}ms)", what, base::printable(key), milliseconds, milliseconds < 0.1 ? 3 : 1);
  if (!error.empty()) line.append(": ").append(error);
  if (is_slow)
    spdlog::warn("slow: {}; mount {}, driver {}", line, base::printable(mount.shown()), mount.config.store.driver);
  else
    spdlog::debug("{}", line);
}

} // namespace omnistore
