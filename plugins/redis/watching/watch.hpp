// SPDX-License-Identifier: Apache-2.0
// Changes of keys, from the server's keyspace notifications. Each watch has a connection and a thread of its own.
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
#include <omnistore/lag.hpp>

#include "connection/connection.hpp"
#include "values/layout.hpp"

namespace redis {

/// The parts of a store that a watch needs.
struct WatchSetup {
  const omnistore_host &host;
  const Endpoint &endpoint;
  const Layout &layout;
  milliseconds connect_timeout, command_timeout;
  bool notify; ///< the watch may switch notifications on
};

class Watch {
public:
  /// Returns when the server reports changes. Throws Failure: UNSUPPORTED if its notifications are off.
  Watch(const WatchSetup &setup, std::string_view base, omnistore_watcher &watcher);
  Watch(const Watch &) = delete;
  Watch &operator=(const Watch &) = delete;
  /// Returns after the last event.
  ~Watch();

  /// These keys will be cleared: the cause of their removal is `cleared`.
  void expect_cleared(std::span<const std::string_view> keys);
  /// Returns the age of the newest proof that the watch is complete (omnistore/ext/lag.h).
  std::int64_t lag() const { return proof_.age(); }

private:
  std::unique_ptr<Connection> subscribe();
  bool require_notifications(Connection &connection, Clock::time_point deadline);
  void run() noexcept;
  bool reconnect();
  void listen(Connection &connection);
  void ping(Connection &connection);
  bool stopped(milliseconds wait);
  void take(const redisReply &message);
  void take_change(std::string_view key, std::string_view what);
  void report(std::uint32_t type, std::uint32_t cause, std::string_view key);

  const WatchSetup setup_;
  const std::string base_;
  const std::string channel_; ///< the part of a channel's name before the key
  omnistore_watcher &watcher_;
  // Before the connection, since subscribing sets them.
  omnistore::WatchProof proof_;
  bool is_complete_ = false;     ///< all changes are reported on this connection
  Clock::time_point subscribed_; ///< when the subscription of the connection was requested
  Clock::time_point pinged_;     ///< when the ping was sent whose reply is awaited; the epoch: none is

  std::unique_ptr<Connection> connection_;
  std::string just_changed_; ///< the key of the previous event, if that was a set or an expiry in the same batch

  std::mutex mutex_;
  std::unordered_set<std::string> clearing_;

  int stop_[2] = {-1, -1}; ///< a pipe: the thread ends when the writing end closes
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
