// SPDX-License-Identifier: Apache-2.0
// Watches: one connection listens for what the triggers notify. While it is lost, a thread connects again with
// backoff; watches then get a resync.
#pragma once

#include <atomic>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include <omnistore/driver.hpp>
#include <omnistore/lag.hpp>

#include "connection.hpp"
#include "pool.hpp"

namespace postgres {

/// Safe for threads.
class Watches {
public:
  /// `open` makes a connection to a database whose table is in place.
  Watches(const omnistore_host &host, const Statements &statements, Pool::Open open);
  ~Watches();

  void *add(omnistore::Call call, std::string_view base, omnistore_watcher &watcher);
  void end(void *watch);
  bool any() const;
  /// Returns the age of the newest proof that the watches are complete (omnistore/ext/lag.h).
  std::int64_t lag() const { return proof_.age(); }

private:
  struct Watch {
    std::string base;
    omnistore_watcher *watcher;
  };

  void listen(omnistore::Call call);
  void run();
  void hear();
  void take_all();
  void report(std::uint32_t type, std::uint32_t cause, std::string_view key);
  void take(std::string_view payload);
  void stop();
  /// Waits for the connection or the end. Returns false at the end.
  bool wait(int socket, int milliseconds, bool &readable);

  const omnistore_host &host_;
  const Statements &statements_;
  const Pool::Open open_;
  std::mutex starting_;     // for the thread and its connection
  mutable std::mutex lock_; // for the watches
  std::list<Watch> watches_;
  std::unique_ptr<Connection> connection_;
  omnistore::WatchProof proof_;
  omnistore::WatchProof::Clock::time_point listened_; ///< when the LISTEN of the connection was sent
  std::atomic<bool> stopping_{false};
  int wake_ = -1;
  std::thread thread_;
};

} // namespace postgres
