// SPDX-License-Identifier: Apache-2.0
// Many threads share few connections. The commands of several threads go out in one write, and their replies come back
// in one read. One of the threads that wait on a connection is its leader: it sends for all of them and gives each its
// replies. When its own replies are there, it passes the leadership on. So the plugin needs no threads of its own, and
// a single caller costs no thread switch.
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
#include "servers/server.hpp"

namespace redis {

/// Decides on commands whose connection breaks before the server has replied to them.
enum class OnBroken {
  resend, ///< they are sent once more on a new connection: doing them twice does no harm
  fail    ///< they fail, and the message says that their outcome is not known
};

/// Some commands with their replies, and the thread that waits for them.
class Exchange {
public:
  Exchange(std::string commands, std::uint32_t count) : bytes(std::move(commands)), expected(count) {
    replies.reserve(expected);
  }

  enum class Wake { none, lead, done };

  /// Waits for `span` at most.
  Wake wait(milliseconds span);
  Wake wake() const;
  /// Wakes the thread that waits.
  void notify(Wake what);
  bool done() const { return replies.size() == expected || failure; }

  std::string bytes;
  const std::uint32_t expected;
  // Used by the leader only, until it notifies `done`.
  Replies replies;
  bool sent = false;   ///< a part of it may have been sent
  bool broken = false; ///< it failed because its connection broke
  std::optional<StoredFailure> failure;

  // Guarded by the slot's lock.
  bool abandoned = false;  ///< nobody waits any more
  bool unattended = false; ///< nobody waits yet: its thread is busy with another server

private:
  mutable std::mutex mutex_;
  std::condition_variable woken_;
  Wake wake_ = Wake::none;
};

/// The state that all connections of a store share. It outlives them.
struct SharedState {
  Server server;
  milliseconds connect_timeout, command_timeout;
  Breaker breaker;
  std::atomic<std::uint64_t> connects = 0; ///< how many connections were made
  std::atomic<int> connected = 0;          ///< how many connections exist now
};

/// One connection, which may be missing, and the exchanges that wait on it. Thread-safe.
class ConnectionSlot {
public:
  explicit ConnectionSlot(SharedState &shared) : shared_(shared) {}

  /// Returns how many exchanges wait.
  std::uint32_t load() const { return load_.load(std::memory_order_relaxed); }
  bool is_connected() const { return connected_.load(std::memory_order_relaxed); }

  /// Returns when the exchange is done. Throws Failure if the call's time is over.
  void run(const std::shared_ptr<Exchange> &exchange, omnistore::Call call);
  /// Sends what can be sent without waiting for the server, and returns. finish() must follow.
  void start(const std::shared_ptr<Exchange> &exchange, omnistore::Call call);
  /// Returns when an exchange that was started is done. Throws Failure if the call's time is over.
  void finish(const std::shared_ptr<Exchange> &exchange, omnistore::Call call);
  /// Takes a connection over, if there is none and nobody waits.
  void adopt(std::unique_ptr<Connection> connection);

private:
  using Waiting = std::deque<std::shared_ptr<Exchange>>;

  bool enqueue(const std::shared_ptr<Exchange> &exchange);
  bool follow(const std::shared_ptr<Exchange> &exchange, omnistore::Call call);
  void lead(const std::shared_ptr<Exchange> &own, omnistore::Call call);
  template <class Step>
  void attempt(Step step);
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
  std::string out_; ///< the bytes to send, from sent_ on
  std::size_t sent_ = 0;
  bool full_ = false;            ///< the system took no more bytes
  bool demoted_ = false;         ///< the server is not the master any more, which the next connection finds
  Clock::time_point last_heard_; ///< when the server last accepted or sent bytes
};

struct ClientSettings {
  Endpoint endpoint;
  Sentinels sentinels;
  milliseconds connect_timeout, command_timeout;
  std::size_t pool_size; ///< the most connections to a server
  bool is_cluster;
};

/// An exchange that a thread has started on one connection, while it deals with others.
struct StartedExchange {
  ConnectionSlot *slot = nullptr;
  std::shared_ptr<Exchange> exchange;
};

/// Thread-safe. It must not move.
class Client {
public:
  Client(const omnistore_host &host, const ClientSettings &settings);

  /// Runs the commands and returns a reply to each. It consumes `commands`. Throws Failure.
  Replies run(omnistore::Call call, Commands &commands, OnBroken on_broken);
  /// Sends the commands, and does not wait for the replies. Throws Failure if nothing was sent.
  StartedExchange start(omnistore::Call call, std::string bytes, std::uint32_t count);
  /// A server that is not wanted is tried again only by calls.
  void set_wanted(bool wanted) { wanted_ = wanted; }
  /// Makes the first connection. If the server is away, it is tried again later. Throws Failure if the server refuses
  /// the user or the database.
  void open(omnistore::Call call);
  /// Changes with every new connection. If it is equal before and after two runs, the server was not restarted between.
  std::uint64_t epoch() const { return shared_.connects; }

  /// Returns the number of connections on which somebody waits.
  std::size_t in_use() const;

  Server &server() { return shared_.server; }
  const Endpoint &endpoint() const { return shared_.server.endpoint(); }

private:
  static void OMNISTORE_CALL try_connection(void *self, omnistore_call *call);
  ConnectionSlot &choose();
  bool settle_read_only(Replies &replies, bool last);
  void connect(milliseconds limit);

  SharedState shared_;
  std::atomic<bool> wanted_ = true;
  std::deque<ConnectionSlot> slots_;
};

} // namespace redis
