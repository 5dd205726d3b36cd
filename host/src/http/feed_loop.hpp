// SPDX-License-Identifier: Apache-2.0
// The thread of a listener that sends events, and the connections that it sends them on.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include <omnistore/config.hpp>

#include "http/buffer.hpp"
#include "http/limiter.hpp"
#include "http/message.hpp"
#include "http/socket.hpp"
#include "http/ticker.hpp"
#include "tls/tls.hpp"

namespace omnistore::http {

class FeedConnection;

/// The parts that a connection keeps when events begin on it. Each may be null.
struct FeedParts {
  std::unique_ptr<tls::Session> tls;
  std::shared_ptr<Limiter::Slot> of_address, of_token;
};

/// Sends events, on one thread for all streams of a listener, so that requests do not wait while events go out. The
/// thread is woken once when feeds have events. Events that come while others are sent go out together, after a pause.
///
/// A stream takes some hundred bytes and the bytes that its client has not read: at most one take() of its feed.
class FeedLoop {
public:
  using Clock = std::chrono::steady_clock;

  /// `closed` is called, on the loop's thread, for each connection that has gone. The bytes that clients have not read
  /// count in `memory`.
  FeedLoop(const HttpConfig &config, MemoryBudget &memory, std::function<void()> closed);
  ~FeedLoop();

  /// Takes over a connection whose response `feed` continues. The bytes of `unsent` go out first. Starts the thread
  /// with the first connection. Returns false, and leaves the connection
  /// alone, if the system's limit on threads is reached. On any thread.
  bool add(const Protocol &protocol, int handle, FeedParts parts, std::string_view unsent, std::shared_ptr<Feed> feed);
  /// Ends the streams, and those that are still to come. On any thread, like the functions that follow.
  void stop();
  void close_all();
  /// Lets the thread end.
  void finish();
  void join();

  /// Connections that were closed because their clients did not read.
  std::uint64_t timed_out() const { return timed_out_.load(std::memory_order_relaxed); }

private:
  friend class FeedConnection;

  bool start();
  void tick();
  void ready(std::shared_ptr<FeedConnection> connection);
  void serve();
  void remove(FeedConnection &connection);
  template <typename Function>
  void each(const Function &function);

  const HttpConfig &config_;
  MemoryBudget &memory_;
  const std::chrono::milliseconds keep_alive_;
  const std::function<void()> closed_;
  std::atomic<std::uint64_t> timed_out_{0};
  std::mutex starting_;
  std::thread thread_;

  boost::asio::io_context io_; ///< before what has its sockets
  std::mutex mutex_;
  std::vector<std::shared_ptr<FeedConnection>> ready_; ///< those with events to send
  bool woken_ = false;                                 ///< serve() will look at them

  // For the loop's thread alone.
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  boost::asio::steady_timer pause_; ///< between two rounds
  Ticker ticker_;
  Clock::time_point now_ = Clock::now();                 ///< as of the last tick
  std::vector<std::shared_ptr<FeedConnection>> serving_; ///< those of the current round whose turn is to come
  Clock::time_point round_began_;
  std::vector<std::shared_ptr<FeedConnection>> connections_;
  Buffer out_; ///< what goes out on the connection whose turn it is
  bool stopping_ = false;
};

} // namespace omnistore::http
