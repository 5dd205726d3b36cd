// SPDX-License-Identifier: Apache-2.0
#include "http/pool_work.hpp"

#include <exception>
#include <utility>

#include <boost/asio/post.hpp>

#include "http/connection.hpp"
#include "http/reply.hpp"

namespace omnistore::http {

namespace asio = boost::asio;

PoolWork::PoolWork(Connection &connection, Handler &handler, Request &request)
    : connection_(connection), handler_(handler), request_(request), written_(&connection.loop().memory) {}

bool PoolWork::submit(const Limits &limits) { return submit_to(lane_, limits); }

// The lane is that of the store that the request went to, even if another one has taken its place since.
bool PoolWork::submit_long(const Limits &limits) { return submit_to(long_lane(), limits); }

bool PoolWork::submit_to(const WorkerPool::Lane &lane, const Limits &limits) {
  ticket_ =
      connection_.loop().pool.submit(lane, [self = connection_.shared_from_this(), this, limits] { run(limits); });
  return ticket_ != nullptr;
}

/// A thread that enters the pipe may be kept waiting by a slow client. So it moves to a lane in which slow clients
/// delay only each other.
void PoolWork::offer_pipe() {
  const auto ready = [this] {
    asio::post(connection_.loop().io, [self = connection_.shared_from_this()] { self->pipe_ready(); });
  };
  Loop &loop = connection_.loop();
  pipe_.emplace(loop.memory, ready, [this, &loop] { return loop.pool.move(long_lane()); });
  request_.pipe = &*pipe_;
}

/// On a thread of the pool. Until responded() has been posted, nothing else touches the request.
void PoolWork::run(const Limits &limits) {
  Response response(written_);
  request_.deadline = limits.deadline;
  request_.cancelled = &gone_;
  request_.pool = &connection_.loop().pool;
  if (gone_.load(std::memory_order_relaxed) || Clock::now() >= limits.turn) {
    reply_error(request_, response, 503, Connection::not_its_turn, "Retry-After: 1\r\n");
  } else {
    handler_.respond(response);
  }
  asio::post(connection_.loop().io,
             [self = connection_.shared_from_this(), response = std::move(response)] { self->responded(response); });
}

bool PoolWork::retry(const Response &response, const Limits &limits) {
  written_.clear(0);
  if (!response.lane.name.empty()) return submit_to(response.lane, limits);
  pipe_->let_in();
  return submit_long(limits);
}

bool PoolWork::submit_part(WorkerPool::Lane lane, std::function<bool(Buffer &)> &more,
                           std::chrono::milliseconds timeout) {
  ticket_ = connection_.loop().pool.submit(
      lane, [self = connection_.shared_from_this(), this, &more, timeout] { run_part(more, timeout); }, true);
  return ticket_ != nullptr;
}

/// On a thread of the pool.
void PoolWork::run_part(std::function<bool(Buffer &)> &more, std::chrono::milliseconds timeout) {
  if (gone_.load(std::memory_order_relaxed)) return;
  request_.deadline = Clock::now() + timeout;
  bool failed = false, is_last = false;
  try {
    is_last = !more(written_);
  } catch (const std::exception &) {
    failed = true;
  }
  asio::post(connection_.loop().io,
             [self = connection_.shared_from_this(), failed, is_last] { self->part_written(failed, is_last); });
}

void PoolWork::end_pipe() {
  pipe_.reset();
  request_.pipe = nullptr;
}

bool PoolWork::withdraw() { return ticket_ && connection_.loop().pool.withdraw(ticket_); }

WorkerPool::State PoolWork::give_up() {
  return ticket_ ? connection_.loop().pool.give_up(ticket_) : WorkerPool::State::done;
}

void PoolWork::end_request() {
  end_pipe();
  ticket_.reset();
  request_.deadline = Clock::time_point::max();
  request_.cancelled = nullptr;
  request_.pool = nullptr;
}

} // namespace omnistore::http
