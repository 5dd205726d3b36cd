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
#include <vector>

#include <omnistore/driver.h>
#include <omnistore/lag.hpp>

#include "servers/master_check.hpp"
#include "servers/servers.hpp"
#include "values/layout.hpp"

namespace redis {

/// The parts of a store that a watch needs.
struct WatchSetup {
  const omnistore_host &host;
  Servers &servers;
  const Layout &layout;
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
  std::int64_t lag() const;

private:
  /// A connection to one of the servers that have the keys.
  struct Feed {
    Client *server;
    std::unique_ptr<Connection> connection;
    bool is_complete;                        ///< the server reports all changes
    Clock::time_point heard, pinged, proven; ///< the last message, the last ping, and the newest proof
    bool waits = false;                      ///< for the reply to the ping
  };
  /// A notification.
  struct Change {
    std::string name, key, what;
  };

  std::vector<Feed> subscribe_all();
  Feed subscribe(Client &server);
  std::string channels(std::string_view names) const;
  bool require_notifications(Connection &connection, Clock::time_point deadline);
  void run() noexcept;
  bool reconnect();
  void listen();
  void hear(Feed &feed, bool has_bytes);
  Clock::time_point due(const Feed &feed) const;
  void check_masters();
  void prove();
  bool stopped(milliseconds wait);
  void take(Feed &feed, const redisReply &message);
  void take_notification(std::string_view name, std::string_view what);
  void take_changes();
  void take_change(std::string_view key, std::string_view what);
  void report(std::uint32_t type, std::uint32_t cause, std::string_view key);

  const WatchSetup setup_;
  const std::string base_;
  const std::string channel_; ///< the part of a channel's name before the name of the key
  omnistore_watcher &watcher_;
  omnistore::WatchProof proof_;
  Clock::time_point next_check_; ///< of the cluster's masters
  Clock::time_point checked_;    ///< when the cluster's masters were requested for the last check that succeeded
  /// When the last check began in which the sentinels named this master (MasterCheck); in the far future without
  /// sentinels.
  std::atomic<Clock::time_point> confirmed_{Clock::time_point::max()};
  std::vector<Change> changes_; ///< from a cluster, not reported yet
  std::atomic<bool> stopping_ = false;
  std::unique_ptr<MasterCheck> master_check_; ///< if there are sentinels
  std::vector<Feed> feeds_;                   ///< after the members above, which subscribe_all() uses
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
