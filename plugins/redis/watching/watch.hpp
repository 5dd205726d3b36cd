// SPDX-License-Identifier: Apache-2.0
// What the server tells of changes: its keyspace notifications, on a connection and a thread of the watch's own.
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_set>

#include <omnistore/driver.h>

#include "connection/connection.hpp"
#include "values/layout.hpp"

namespace redis {

/// What a watch needs of its store.
struct WatchSetup {
  const omnistore_host &host;
  const Endpoint &endpoint;
  const Layout &layout;
  milliseconds connect_timeout, command_timeout;
  bool notify; ///< it may switch notifications on
};

class Watch {
public:
  /// Returns when the server tells of changes. Throws Failure: UNSUPPORTED where its notifications are off.
  Watch(const WatchSetup &setup, std::string_view base, omnistore_watcher &watcher);
  Watch(const Watch &) = delete;
  Watch &operator=(const Watch &) = delete;
  /// Returns after the last event.
  ~Watch();

  /// These keys are about to be cleared: that is the cause of their removal.
  void expect_cleared(std::span<const std::string_view> keys);

private:
  std::unique_ptr<Connection> subscribe();
  void require_notifications(Connection &connection, Clock::time_point deadline);
  void run() noexcept;
  bool reconnect();
  void listen(Connection &connection);
  bool stopped(milliseconds wait);
  void take(const redisReply &message);
  void take_change(std::string_view key, std::string_view what);
  void report(std::uint32_t type, std::uint32_t cause, std::string_view key);

  const WatchSetup setup_;
  const std::string base_;
  const std::string channel_; ///< what stands in front of a key in a channel's name
  omnistore_watcher &watcher_;
  std::unique_ptr<Connection> connection_;
  std::string just_changed_; ///< the key of the event before, if a set or another expiry came with this one

  std::mutex mutex_;
  std::unordered_set<std::string> clearing_;

  int stop_[2] = {-1, -1}; ///< a pipe: the thread ends when its writing end closes
  std::thread thread_;
};

/// A store's watches. Thread-safe.
class Watches {
public:
  void *add(const WatchSetup &setup, std::string_view base, omnistore_watcher &watcher);
  void end(void *watch);
  void expect_cleared(std::span<const std::string_view> keys);

private:
  std::mutex mutex_;
  std::list<std::unique_ptr<Watch>> watches_;
  std::atomic<std::size_t> count_ = 0;
};

} // namespace redis
