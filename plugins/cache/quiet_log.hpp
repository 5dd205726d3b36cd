// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include <omnistore/call.hpp>

namespace cache {

/// Logs at most one warning in ten seconds, since a store that is away would fill the log. Thread-safe.
class QuietLog {
public:
  explicit QuietLog(const omnistore_host &host) : host_(host) {}

  void warn(const std::string &message) {
    {
      const std::lock_guard lock(mutex_);
      const std::int64_t now = host_.now(&host_);
      if (warned_ != 0 && now - warned_ < interval) return;
      warned_ = now;
    }
    omnistore::log_line(host_, OMNISTORE_LOG_WARN, message);
  }

private:
  static constexpr std::int64_t interval = 10'000; // milliseconds
  const omnistore_host &host_;
  std::mutex mutex_;
  std::int64_t warned_ = 0; ///< the time of the last warning
};

} // namespace cache
