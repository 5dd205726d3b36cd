// SPDX-License-Identifier: Apache-2.0
// Many threads over few connections. What threads ask at the same time goes out in one write and comes back in one
// read: of those who wait on a connection one leads, which means that it sends for all and hands each its replies. When
// its own are there it lets the next one lead, so no thread of the plugin's is needed and one caller alone has no
// switch of threads.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <omnistore/call.hpp>

#include "connection/breaker.hpp"
#include "connection/commands.hpp"
#include "connection/connection.hpp"
#include "connection/reply.hpp"

namespace redis {

/// What happens to commands whose connection breaks before the server has replied to them.
enum class OnBroken {
  resend, ///< they are sent once more on a new connection: doing them twice does no harm
  fail    ///< they fail, and the message says that their outcome is not known
};

/// Some commands on their way, with whoever waits for them.
class Exchange {
public:
  Exchange(std::string commands, std::uint32_t count) : bytes(std::move(commands)), expected(count) {
    replies.reserve(expected);
  }

  enum class Wake { none, lead, done };

  /// Waits for at most `span`.
  Wake wait(milliseconds span);
  Wake wake() const;
  /// Wakes whoever waits.
  void notify(Wake what);
  bool done() const { return replies.size() == expected || failure; }

  std::string bytes;
  const std::uint32_t expected;
  // The leader's, until it tells `done`.
  Replies replies;
  bool sent = false;   ///< a part of it may have gone out
  bool broken = false; ///< it failed since its connection broke
  std::optional<StoredFailure> failure;

  bool abandoned = false; ///< nobody waits; under the slot's lock

private:
  mutable std::mutex mutex_;
  std::condition_variable woken_;
  Wake wake_ = Wake::none;
};

/// What all connections of a store share. It outlives them.
struct SharedState {
  Endpoint endpoint;
  milliseconds connect_timeout, command_timeout;
  Breaker breaker;
  std::atomic<std::uint64_t> connects = 0; ///< counts the connections made
  std::atomic<int> connected = 0;          ///< those that are there
};

/// A place for one connection, and those who wait on it. Thread-safe.
class ConnectionSlot {
public:
  explicit ConnectionSlot(SharedState &shared) : shared_(shared) {}

  /// How many wait.
  std::uint32_t load() const { return load_.load(std::memory_order_relaxed); }
  bool is_connected() const { return connected_.load(std::memory_order_relaxed); }

  /// Returns when the exchange is done; throws Failure when the call's time is up.
  void run(const std::shared_ptr<Exchange> &exchange, omnistore::Call call);
  /// Takes a connection over, where there is none and nobody waits.
  void adopt(std::unique_ptr<Connection> connection);

private:
  using Waiting = std::deque<std::shared_ptr<Exchange>>;

  bool enqueue(const std::shared_ptr<Exchange> &exchange);
  bool follow(const std::shared_ptr<Exchange> &exchange, omnistore::Call call);
  void lead(const std::shared_ptr<Exchange> &own, omnistore::Call call);
  [[noreturn]] void give_up(const std::shared_ptr<Exchange> &own, omnistore::Call call);
  void pass_leadership();
  void settle(const std::shared_ptr<Exchange> &exchange);
  void fail_all(const StoredFailure &problem, bool broken);
  // The leader's, without the lock.
  bool connect(milliseconds limit);
  void connected();
  void drop();
  void take_queued();
  void send();
  void receive(milliseconds wait);

  SharedState &shared_;
  std::atomic<std::uint32_t> load_ = 0;
  std::atomic<bool> connected_ = false;

  std::mutex mutex_;
  bool has_leader_ = false;
  Waiting queued_; ///< not sent yet

  // The leader's.
  std::unique_ptr<Connection> connection_;
  Waiting in_flight_;
  std::string out_; ///< what is to be sent, from sent_ on
  std::size_t sent_ = 0;
  bool full_ = false;            ///< the system took no more of it
  Clock::time_point last_heard_; ///< when the server last took or gave something
};

/// Thread-safe. It must stay where it is.
class Client {
public:
  Client(const omnistore_host &host, Endpoint endpoint, milliseconds connect_timeout, milliseconds command_timeout,
         std::size_t pool_size);

  /// Sends the commands, which must be no more used, and returns a reply to each. Throws Failure.
  Replies run(omnistore::Call call, Commands &commands, OnBroken on_broken);
  /// Makes the first connection. Where the server is away it is tried again later; where it refuses this user or the
  /// database, Failure is thrown.
  void open(omnistore::Call call);
  /// Changes with every connection made: where it is the same, two runs had the same server, not restarted between.
  std::uint64_t epoch() const { return shared_.connects; }

  /// On how many connections somebody waits.
  std::size_t in_use() const;

  const Endpoint &endpoint() const { return shared_.endpoint; }
  milliseconds connect_timeout() const { return shared_.connect_timeout; }
  milliseconds command_timeout() const { return shared_.command_timeout; }

private:
  static void OMNISTORE_CALL try_connection(void *self, omnistore_call *call);
  ConnectionSlot &choose();
  void connect(milliseconds limit);

  SharedState shared_;
  std::deque<ConnectionSlot> slots_;
};

} // namespace redis
