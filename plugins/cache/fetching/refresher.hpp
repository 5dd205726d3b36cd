// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include <omnistore/call.hpp>

#include "copies/records.hpp"
#include "fetching/workers.hpp"
#include "quiet_log.hpp"

namespace cache {

/// Refreshes stale copies in the background: one refresh at a time for a key, and after a failure none for a while.
/// Thread-safe.
class Refresher {
public:
  using Refresh = std::function<void(omnistore::Call, const std::string &key)>;

  /// `refresh` runs on threads of this object. An exception from it counts as a failure.
  Refresher(const omnistore_host &host, std::size_t most, QuietLog &log, Refresh refresh);

  void submit(std::string_view key);
  /// Waits. Returns false if this object is being destroyed.
  bool pause(std::chrono::milliseconds time) { return workers_.pause(time); }
  /// Notes the outcome of a refresh. After a failure the stale copy stays, and the key is not refreshed for a while.
  void note_failure(const std::string &key, const std::string &message);
  void note_success(const std::string &key);

  bool is_refreshing(std::string_view key) const;
  /// Returns true if a refresh failed and the next one is delayed.
  bool is_delayed(std::string_view key) const;
  std::size_t running() const;
  std::uint64_t failures() const { return failures_; }

private:
  struct Backoff {
    std::int64_t until; ///< no refresh before this time
    std::int64_t pause;
  };

  void run(omnistore::Call call, const std::string &key);
  std::int64_t now() const { return host_.now(&host_); }

  const omnistore_host &host_;
  QuietLog &log_;
  const Refresh refresh_;
  std::atomic<std::uint64_t> failures_{0};
  mutable std::mutex mutex_;
  std::unordered_set<std::string, TextHash, std::equal_to<>> refreshing_; ///< refreshes that wait or are under way
  std::unordered_map<std::string, Backoff> failing_;
  Workers workers_; ///< the last member, since its threads use the others
};

} // namespace cache
