// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <omnistore/config.hpp>

#include "http/feed_loop.hpp"
#include "http/memory_budget.hpp"
#include "http/message.hpp"
#include "http/socket.hpp"
#include "http/ticker.hpp"
#include "http/worker_pool.hpp"
#include "tls/tls.hpp"

namespace omnistore::http {

class AccessLog;
class Limiter;
class Connection;

/// The parts that the loops of a listener share; each may be null.
struct LoopParts {
  const tls::Context *tls = nullptr;
  AccessLog *access = nullptr;
  Limiter *per_address = nullptr, *per_token = nullptr;
  std::string name{}; ///< of the listener, for the access log
};

/// One thread of a listener, with the connections that it serves. All but `counts` and `io` is for this thread alone.
class Loop {
public:
  using Clock = std::chrono::steady_clock;

  /// `closed` is called on the loop's thread for each connection that has gone. Connections on which events begin go to
  /// `feeds`, which owns them from then on.
  Loop(const HttpConfig &config, LoopParts shared, Application &application, WorkerPool &pool, MemoryBudget &memory,
       FeedLoop &feeds, std::function<void(bool refused)> closed);
  ~Loop();

  /// Starts the thread, unless it runs. Returns false if the system's limit on threads is reached.
  bool start();
  /// Lets the thread end when its connections have gone. On any thread.
  void finish();
  void join();

  /// Serves a connection, or responds that there are too many.
  void add(Socket socket, bool refused);
  /// Closes idle connections at once, and the others after the response that is under way.
  void stop();
  void close_all();
  void remove(Connection &connection);
  /// Removes a connection that somebody else owns now.
  void hand_over(Connection &connection);

  /// Written by this thread alone, read by others.
  struct Counts {
    std::atomic<std::uint64_t> timed_out{0};
    std::array<std::atomic<std::uint64_t>, 5> responses{};
  };
  static void count(std::atomic<std::uint64_t> &counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  boost::asio::io_context io;
  const HttpConfig &config;
  const LoopParts parts; ///< of the listener
  Application &application;
  WorkerPool &pool;
  MemoryBudget &memory;
  FeedLoop &feeds;
  Counts counts;
  Clock::time_point now = Clock::now(); ///< as of the last tick
  bool stopping = false;

private:
  void tick();
  void stop_connections(bool patient);

  const std::function<void(bool)> closed_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  Ticker ticker_;
  boost::asio::steady_timer first_requests_;
  std::vector<std::shared_ptr<Connection>> connections_;
  std::thread thread_;
};

} // namespace omnistore::http
