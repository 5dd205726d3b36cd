// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <omnistore/child.hpp>
#include <omnistore/ext/lag.h>

#include "coherence/rules.hpp"

namespace cache {

/// The watch of the origin that a coherent cache has, and the watches of the cache that it serves. If the origin is
/// away when the cache opens, a thread begins the watch later. Thread-safe.
class OriginWatch : public omnistore_watcher {
public:
  /// Throws a Failure if the origin cannot be watched, or cannot prove that a watch is complete.
  OriginWatch(const omnistore_host &host, omnistore::Child origin, omnistore::Call call, std::int64_t max_lag);
  OriginWatch(const OriginWatch &) = delete;
  OriginWatch &operator=(const OriginWatch &) = delete;
  ~OriginWatch();

  Coherence::Ticket begin(std::string_view key) const { return rules_.begin(key); }
  /// Returns true if the watch is complete enough for copies to be used.
  bool is_current() const { return rules_.is_current(lag()); }
  /// Returns true if the copy that was requested with this ticket may be served.
  bool trusts(std::string_view key, const Coherence::Ticket &ticket) const {
    const std::int64_t behind = lag();
    return rules_.may_serve(key, ticket, behind);
  }
  bool lost_since(const Coherence::Ticket &ticket) const { return rules_.lost_since(ticket); }
  /// Returns the milliseconds by which the watch may lag (omnistore/ext/lag.h).
  std::int64_t lag() const;

  std::uint64_t events() const { return events_.load(std::memory_order_relaxed); }
  std::uint64_t losses() const { return losses_.load(std::memory_order_relaxed); }

  /// Passes the origin's events under a base on. An event reaches `watcher` when the copy is not used any more.
  void *add(std::string_view base, omnistore_watcher &watcher);
  void end(void *watch);

private:
  struct Reader {
    std::string base;
    omnistore_watcher *watcher;
  };

  omnistore_status start(omnistore::Call call);
  void keep_trying();
  void take(const omnistore_event &change);
  static void OMNISTORE_CALL event_(omnistore_watcher *watcher, const omnistore_event *change) noexcept;

  const omnistore_host &host_;
  const omnistore::Child origin_;
  const omnistore_lag *const lag_; ///< the extension of the origin; never null
  Coherence rules_;
  std::atomic<std::uint64_t> events_{0}, losses_{0};
  std::atomic<void *> watch_{nullptr}; ///< null: it has not begun
  std::atomic<bool> begun_{false};

  std::mutex readers_mutex_;
  std::vector<std::unique_ptr<Reader>> readers_;

  std::mutex mutex_; ///< guards stopping_ for the wait
  std::condition_variable stop_;
  std::atomic<bool> stopping_{false};
  std::thread thread_; ///< runs until the watch has begun
};

} // namespace cache
