// SPDX-License-Identifier: Apache-2.0
// One thread of a listener, and the connections that it serves.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <omnistore/config.hpp>

#include "http/buffer.hpp"
#include "http/feed_loop.hpp"
#include "http/message.hpp"
#include "http/peer.hpp"
#include "http/pipes.hpp"
#include "http/request_parser.hpp"
#include "http/ticker.hpp"
#include "http/worker_pool.hpp"

namespace omnistore::http {

class Connection;

/// One thread of a listener. All but `counts` and `io` is for this thread alone.
class Loop {
public:
  using Clock = std::chrono::steady_clock;

  /// `closed` is called, on the loop's thread, for each connection that has gone; whether it was a refused one.
  /// Connections on which events begin go to `feeds`, and are its own from then on.
  Loop(const HttpConfig &config, Application &application, WorkerPool &pool, MemoryBudget &memory, FeedLoop &feeds,
       std::function<void(bool refused)> closed);
  ~Loop();

  /// Starts the thread, unless it runs. False: the system's limit on threads is reached.
  bool start();
  /// Lets the thread end when its connections have gone. On any thread.
  void finish();
  void join();

  /// Serves a connection, or tells its client that there are too many.
  void add(boost::asio::ip::tcp::socket socket, bool refused);
  /// Closes what is idle, and the rest as it is answered.
  void stop();
  void close_all();
  void remove(Connection &connection);
  /// Takes out a connection that goes on elsewhere.
  void hand_over(Connection &connection);

  /// What happened here; written by this thread alone, read by others.
  struct Counts {
    std::atomic<std::uint64_t> timed_out{0};
    std::array<std::atomic<std::uint64_t>, 5> responses{};
  };
  static void count(std::atomic<std::uint64_t> &counter) {
    counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }

  boost::asio::io_context io;
  const HttpConfig &config;
  Application &application;
  WorkerPool &pool;
  MemoryBudget &memory;
  FeedLoop &feeds;
  Counts counts;
  Clock::time_point now = Clock::now(); ///< as of the last tick
  bool stopping = false;

private:
  void tick();

  const std::function<void(bool)> closed_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  Ticker ticker_;
  std::vector<std::shared_ptr<Connection>> connections_;
  std::thread thread_;
};

/// One client's connection: reads requests, has them answered one after the other, and writes the answers. Answers to
/// requests that came together go out together. At any time it waits for one thing alone: input, room for output, or
/// the pool. Only while a long body comes in, a thread of the pool stores what has come. A connection on which events
/// begin leaves its loop.
class Connection : public std::enable_shared_from_this<Connection> {
public:
  Connection(Loop &loop, boost::asio::ip::tcp::socket socket, bool refused);

  void start();
  /// Closes it if it is later than it may be.
  void check_time();
  /// Closes it if it is idle, else once what is in flight has been answered.
  void stop();
  void close();

  bool refused() const { return refused_; }
  std::size_t index = 0; ///< among the loop's connections

private:
  enum class Phase {
    head,          ///< reading a head
    body_in_place, ///< reading a body that fits behind its head
    body_apart,    ///< reading a longer one into its own buffer
    body_chunks,   ///< reading a chunked one
    body_piped,    ///< reading a long one while the store takes it, or waiting until it has
    respond,       ///< the request is complete
    work,          ///< a thread of the pool is at it
    stream,        ///< a part of a long answer goes out
    piped,         ///< a long value goes out as the store gives it
    lent,          ///< a long value goes out that the store lends
    held,          ///< the answer to a wrong token waits for its time
    last_write,    ///< the last bytes go out
    linger,        ///< waiting for the client to have read them
    closed
  };

  void proceed();
  bool step();
  bool read_head();
  bool begin_request();
  bool read_body_in_place();
  bool read_body_apart();
  bool read_chunks();
  bool begin_piped_body();
  bool pipe_body();
  bool take_body_in();
  void body_fails(Status status, const std::string &message);
  void await_store();
  bool respond();
  bool submit(const WorkerPool::Lane &lane);
  WorkerPool::Lane long_lane() const;
  void offer_pipe();
  bool submit_job(const WorkerPool::Lane &lane);
  void look_for_client();
  void work(Loop::Clock::time_point deadline);
  void responded(const Response &response);
  void end_work();
  void retry();
  bool pipe_response();
  bool send_lent();
  void no_memory();
  bool stream();
  void stream_part();
  void begin_feed(std::shared_ptr<Feed> feed);
  void finish_response(const Response &response);
  bool write_some(const char *data, std::size_t size, std::size_t &sent);
  void let_go();
  void end_request();
  Request unread_request() const;
  bool refuse(unsigned status, std::string_view message, std::string_view extra = {});
  bool last_write();

  bool await_input();
  void read(Buffer &into, std::size_t most);
  void on_read(Buffer &into, std::size_t count, bool failed);
  void park();
  bool flush();
  void await_output();
  void begin_transfer();
  void moved(std::size_t count);
  void late();

  Loop &loop_;
  const MemoryShare share_; ///< what the connection itself takes
  boost::asio::ip::tcp::socket socket_;
  Peer peer_;
  const bool refused_;
  Phase phase_ = Phase::head;
  bool awaits_output_ = false;
  bool close_ = false;            ///< behind the answer at hand
  std::atomic<bool> gone_{false}; ///< its client has gone: work for it is in vain
  WorkerPool::Lane lane_;         ///< of the request at hand, if it needs a thread of the pool
  WorkerPool::Ticket ticket_;     ///< what the pool does for it

  Buffer in_;
  std::size_t start_ = 0; ///< where in `in_` the request at hand begins
  std::size_t end_ = 0;   ///< where what belongs to it ends, as far as that is known
  RequestParser parser_;
  unsigned empty_lines_ = 0; ///< in front of the request at hand
  Request request_;
  const std::unique_ptr<Handler> handler_;
  Buffer body_;
  std::uint64_t body_length_ = 0;
  bool chunked_ = false;
  bool reading_ = false; ///< a read of the socket is under way
  bool parked_ = false;  ///< it is idle and has no buffers, or will have none

  std::unique_ptr<BodyPipe> body_pipe_;
  std::uint64_t most_piped_ = 0;
  bool piping_ = false;     ///< a thread of the pool takes from the pipe, or will
  bool body_whole_ = false; ///< all of it has been read
  std::optional<ResponsePipe> response_pipe_;
  std::optional<Response> last_; ///< the answer, or its end, that waits for what is still on its way

  Buffer out_;
  std::size_t sent_ = 0;
  std::string_view lent_; ///< what goes out behind it
  std::shared_ptr<const void> loan_;
  Buffer worked_; ///< where the pool's threads put answers
  std::function<bool(Buffer &)> more_;

  Loop::Clock::time_point deadline_;
  Loop::Clock::time_point transfer_began_;
  Loop::Clock::time_point paused_{}; ///< since when it does not read, for the store's sake
  std::uint64_t transferred_ = 0;
};

} // namespace omnistore::http
