// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <utility>

#include "http/buffer.hpp"
#include "http/message.hpp"
#include "http/pipes.hpp"
#include "http/worker_pool.hpp"

namespace omnistore::http {

class Connection;

/// A connection's requests on the worker pool: hands the handler's work to a thread of the pool, and brings the
/// response back to the connection's thread. All functions are for the connection's thread.
class PoolWork {
public:
  using Clock = std::chrono::steady_clock;

  /// All must outlive it.
  PoolWork(Connection &connection, Handler &handler, Request &request);

  /// Sets the lane for what follows.
  void use(WorkerPool::Lane lane) { lane_ = std::move(lane); }
  /// Until when a request may wait for a thread, and until when it must be done.
  struct Limits {
    Clock::time_point turn, deadline;
  };
  /// Lets the pool respond to the request. Connection::responded() is called when it has. Returns false if too many
  /// requests wait.
  bool submit(const Limits &limits);
  /// The same in the lane of the store's long values.
  bool submit_long(const Limits &limits);
  /// Gives the request a pipe, in case that its response is a long value. Connection::pipe_ready() is called for each
  /// piece.
  void offer_pipe();
  /// Repeats a request as its response says.
  bool retry(const Response &response, const Limits &limits);
  /// Lets the pool write the next part of a long response, before the requests that wait. Connection::part_written() is
  /// called when it has.
  bool submit_part(WorkerPool::Lane lane, std::function<bool(Buffer &)> &more, std::chrono::milliseconds timeout);

  /// The place where the pool's threads put responses.
  Buffer &written() { return written_; }
  /// Takes a piece of a long value. Returns false if there is none.
  bool take_piece(Buffer &into) { return pipe_->try_take(into); }
  /// Takes the pipe away from the request.
  void end_pipe();
  /// Nobody takes anything from the pipe any more.
  void abandon_pipe() {
    if (pipe_) pipe_->abandon();
  }

  /// Cancels the driver's calls for this connection.
  void cancel() { gone_.store(true, std::memory_order_relaxed); }
  WorkerPool::State give_up();
  /// Takes the request back if it still waits for a thread. Returns false if it does not.
  bool withdraw();
  void end_request();

private:
  WorkerPool::Lane long_lane() const { return {lane_.name, lane_.store, true}; }
  bool submit_to(const WorkerPool::Lane &lane, const Limits &limits);
  void run(const Limits &limits);
  void run_part(std::function<bool(Buffer &)> &more, std::chrono::milliseconds timeout);

  Connection &connection_;
  Handler &handler_;
  Request &request_;
  std::atomic<bool> gone_{false}; ///< the client has gone, so that its work can stop
  WorkerPool::Lane lane_;         ///< of the request at hand
  WorkerPool::Ticket ticket_;
  std::optional<ResponsePipe> pipe_;
  Buffer written_;
};

} // namespace omnistore::http
