// SPDX-License-Identifier: Apache-2.0
#include "http/connection.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include <boost/asio/post.hpp>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/ascii.hpp"
#include "http/reply.hpp"

namespace omnistore::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using std::chrono::milliseconds;

namespace {

constexpr unsigned most_empty_lines = 16;             // in front of a request
constexpr std::size_t first_read = 8 * 1024;          // what a connection's input buffer begins with
constexpr std::size_t chunk_room = 32 * 1024;         // behind the head of a chunked request
constexpr std::size_t beside_connection = 1024;       // its parser's state and what the system's interface keeps of it
constexpr std::size_t first_body = 16 * 1024;         // what is made room for when a long body is announced
constexpr std::size_t body_read = 1024 * 1024;        // how much of one is read at once
constexpr std::size_t kept_memory = 64 * 1024;        // of a buffer between two requests
constexpr std::size_t gathered = 256 * 1024;          // answers that wait for each other to be sent in one go
constexpr int most_unsent = 128 * 1024;               // bytes that the system holds and has not sent yet
constexpr std::uint64_t slowest = 16;                 // bytes a millisecond that a long body must come or go with
constexpr auto idle_memory = std::chrono::seconds(2); // for so long an idle connection keeps its buffers
constexpr auto linger_time = std::chrono::seconds(2);
constexpr std::string_view not_its_turn = "This store had no thread free in the request's time; nothing was done";
constexpr auto work_grace = std::chrono::seconds(1); // for a driver to notice that its time is up

} // namespace

// --------------------------------------------------------------------------------------------------------------
// Loop

Loop::Loop(const HttpConfig &settings, Application &served, WorkerPool &threads, MemoryBudget &budget,
           FeedLoop &for_feeds, std::function<void(bool)> closed)
    : io(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO), config(settings), application(served), pool(threads), memory(budget),
      feeds(for_feeds), closed_(std::move(closed)), work_(io.get_executor()),
      ticker_(io, std::min(config.idle_timeout, config.request_timeout), [this] { tick(); }) {}

Loop::~Loop() = default;

bool Loop::start() {
  if (thread_.joinable()) return true;
  try {
    ticker_.start();
    thread_ = std::thread([this] { io.run(); });
  } catch (const std::system_error &) {
    return false;
  }
  return true;
}

void Loop::finish() {
  asio::post(io, [this] {
    ticker_.stop();
    work_.reset();
  });
}

void Loop::join() {
  if (thread_.joinable()) thread_.join();
}

void Loop::tick() {
  now = Clock::now();
  for (std::size_t i = connections_.size(); i-- > 0;) {
    const auto kept = connections_[i]; // it may take itself out
    kept->check_time();
  }
}

void Loop::add(tcp::socket socket, bool refused) {
  auto connection = std::make_shared<Connection>(*this, std::move(socket), refused);
  connection->index = connections_.size();
  connections_.push_back(connection);
  connection->start();
}

void Loop::remove(Connection &connection) {
  const bool refused = connection.refused(); // hand_over() may end the connection
  hand_over(connection);
  closed_(refused);
}

void Loop::hand_over(Connection &connection) {
  const std::shared_ptr<Connection> kept = std::move(connections_[connection.index]);
  if (connection.index + 1 != connections_.size()) {
    connections_[connection.index] = std::move(connections_.back());
    connections_[connection.index]->index = connection.index;
  }
  connections_.pop_back();
}

void Loop::stop() {
  stopping = true;
  for (std::size_t i = connections_.size(); i-- > 0;) {
    const auto kept = connections_[i];
    kept->stop();
  }
}

void Loop::close_all() {
  while (!connections_.empty()) {
    const auto kept = connections_.back();
    kept->close();
  }
}

// --------------------------------------------------------------------------------------------------------------
// Connection: the way of a request

Connection::Connection(Loop &loop, tcp::socket socket, bool refused)
    : loop_(loop), share_(&loop.memory, sizeof(Connection) + beside_connection), socket_(std::move(socket)),
      peer_(socket_.native_handle()), refused_(refused), in_(&loop.memory),
      parser_(static_cast<std::uint32_t>(std::min<std::uint64_t>(loop.config.max_header, UINT32_MAX / 2))),
      handler_(loop.application.handler(request_)), body_(&loop.memory), out_(&loop.memory), worked_(&loop.memory) {
  request_.varies_by_origin = !loop.config.origins.empty();
  request_.peer = &peer_;
}

void Connection::start() {
  error_code error;
  socket_.non_blocking(true, error);
  if (error) return close();
  socket_.set_option(tcp::no_delay(true), error);
  // The system would take in megabytes for a client that does not read, beside the memory that is counted here.
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most_unsent, sizeof most_unsent);
  deadline_ = loop_.now + milliseconds(loop_.config.idle_timeout);
  if (!refused_) return park();
  refuse(503, "There are too many connections (" + std::to_string(loop_.config.max_connections) + ")");
  proceed();
}

void Connection::proceed() {
  try {
    while (step()) {
    }
  } catch (const std::bad_alloc &) {
    no_memory();
  }
}

/// A request that does not fit into memory is refused where it still can be; a connection with an answer under way
/// ends.
void Connection::no_memory() {
  const bool reads = phase_ == Phase::head || phase_ == Phase::body_in_place || phase_ == Phase::body_apart ||
                     phase_ == Phase::body_chunks;
  try {
    if (!reads || reading_ || awaits_output_) return close();
    body_.clear(0);
    refuse(503, OverBudget::message, "Retry-After: 1\r\n");
    while (step()) {
    }
  } catch (const std::bad_alloc &) {
    close();
  }
}

/// Goes one step on; false: it waits, or is closed.
bool Connection::step() {
  if (out_.size() - sent_ >= gathered && !flush()) return false;
  switch (phase_) {
  case Phase::head:
    return read_head();
  case Phase::body_in_place:
    return read_body_in_place();
  case Phase::body_apart:
    return read_body_apart();
  case Phase::body_chunks:
    return read_chunks();
  case Phase::body_piped:
    return pipe_body();
  case Phase::respond:
    return respond();
  case Phase::stream:
    return stream();
  case Phase::piped:
    return pipe_response();
  case Phase::lent:
    return send_lent();
  case Phase::last_write:
    return last_write();
  case Phase::work:
  case Phase::held:
  case Phase::linger:
  case Phase::closed:
    return false;
  }
  return false;
}

bool Connection::read_head() {
  std::string_view message = in_.view().substr(start_);
  while (!parser_.begun() && message.starts_with("\r\n")) { // RFC 9112 section 2.2: some clients send them
    if (++empty_lines_ > most_empty_lines) return refuse(400, "There are too many empty lines before a request");
    message.remove_prefix(2);
    start_ += 2;
  }
  if (message.empty()) {
    in_.clear(kept_memory);
    start_ = 0;
    deadline_ = loop_.now + milliseconds(loop_.config.idle_timeout);
    return await_input();
  }
  if (!parser_.begun()) begin_transfer();
  if (message == "\r") return await_input(); // of an empty line, or of nothing
  switch (parser_.head(message)) {
  case RequestParser::Progress::more:
    return await_input();
  case RequestParser::Progress::failed:
    return refuse(parser_.status(), parser_.message());
  case RequestParser::Progress::done:
    return begin_request();
  }
  return false;
}

/// The head is there: judges it, and sees how the body comes.
bool Connection::begin_request() {
  const std::optional<std::uint64_t> length = parser_.content_length();
  end_ = start_ + parser_.head_size();
  if (!length) in_.room(chunk_room); // before views into the buffer are taken
  parser_.fill(in_.data() + start_, request_);
  if (loop_.stopping) request_.keep_alive = false;

  const bool body_is_here = length && *length <= in_.size() - end_;
  const bool keep_alive = request_.keep_alive;
  if (!body_is_here) request_.keep_alive = false; // where it is refused its body is not waited for
  Response response(out_);
  if (!handler_->admit(response)) {
    if (body_is_here) end_ += *length;
    finish_response(response);
    return true;
  }
  request_.keep_alive = keep_alive;

  const std::uint64_t most_piped = !length || *length > long_value ? handler_->longest_stream() : 0;
  if (const std::uint64_t most = std::max(most_piped, loop_.config.max_body); length && *length > most) {
    return refuse(413, "The body is longer than " + std::to_string(most) + " bytes");
  }
  if (request_.has(Header::expect)) {
    if (!base::equal_ignoring_case(request_[Header::expect], "100-continue")) {
      return refuse(417, "The only expectation here is 100-continue");
    }
    if (!body_is_here && request_.version == 11) out_.append("HTTP/1.1 100 Continue\r\n\r\n");
  }
  chunked_ = !length;
  most_piped_ = most_piped;
  if (!length) {
    phase_ = Phase::body_chunks;
    return true;
  }
  body_length_ = *length;
  if (end_ + body_length_ <= in_.capacity()) {
    phase_ = Phase::body_in_place;
    return true;
  }
  // The announced length is made room for up to a bound only: it costs the client nothing to announce more.
  body_.room(std::min<std::uint64_t>(body_length_, first_body));
  body_.append(in_.view().substr(end_));
  in_.truncate(end_);
  if (most_piped_ != 0) return begin_piped_body();
  phase_ = Phase::body_apart;
  return true;
}

bool Connection::read_body_in_place() {
  if (in_.size() - end_ < body_length_) return await_input();
  request_.body = in_.view().substr(end_, body_length_);
  end_ += body_length_;
  phase_ = Phase::respond;
  return true;
}

bool Connection::read_body_apart() {
  if (body_.size() < body_length_) return await_input();
  request_.body = body_.view();
  phase_ = Phase::respond;
  return true;
}

bool Connection::read_chunks() {
  std::size_t used = 0;
  const auto progress =
      parser_.chunks(in_.view().substr(end_), used, body_, std::max(most_piped_, loop_.config.max_body));
  in_.erase(end_, used);
  if (progress == RequestParser::Progress::more && most_piped_ != 0 && body_.size() > long_value)
    return begin_piped_body();
  switch (progress) {
  case RequestParser::Progress::failed:
    return refuse(parser_.status(), parser_.message());
  case RequestParser::Progress::more:
    if (in_.size() == in_.capacity()) return refuse(400, "A chunk's head is too long");
    return await_input();
  case RequestParser::Progress::done:
    break;
  }
  request_.body = body_.view();
  phase_ = Phase::respond;
  return true;
}

// A long body goes to the store as it comes: this thread reads it into body_ and gives it to the pipe, a piece at a
// time; a thread of the pool, on which the driver may wait, takes it from there.

bool Connection::begin_piped_body() {
  body_pipe_ = std::make_unique<BodyPipe>(loop_.memory, [this] {
    asio::post(loop_.io, [self = shared_from_this()] {
      if (self->phase_ == Phase::body_piped) self->proceed();
    });
  });
  request_.source = body_pipe_.get();
  request_.source_size = chunked_ ? UINT64_MAX : body_length_;
  if (!chunked_) body_length_ -= body_.size(); // what is to come still
  body_whole_ = piping_ = false;
  phase_ = Phase::body_piped;
  return true;
}

/// Goes on with a long body; false, for step() to return.
bool Connection::pipe_body() {
  if (!flush()) return false;
  if (!piping_) {
    lane_ = handler_->lane();
    if (!submit_job(long_lane())) return true;
  }
  if (phase_ != Phase::body_piped || reading_) return false;
  if (!body_whole_ && !take_body_in()) return false;
  const bool given = body_.empty() || body_pipe_->try_give(body_);
  if (body_whole_ && given) body_pipe_->finish();
  if (body_whole_ || body_.size() >= stream_piece) {
    await_store();
    return false;
  }
  if (paused_ != Loop::Clock::time_point()) { // the client is not to blame for that time
    transfer_began_ += Loop::Clock::now() - paused_;
    paused_ = {};
  }
  moved(0);
  if (chunked_) {
    read(in_, in_.capacity() - in_.size()); // it must not move: the request's fields lie in it
  } else {
    read(body_, std::min<std::uint64_t>(body_length_, stream_piece));
  }
  return false;
}

/// Sees what of the body has been read. False: it is malformed or too long, and the store is told so.
bool Connection::take_body_in() {
  if (!chunked_) {
    body_whole_ = body_length_ == 0;
    return true;
  }
  if (body_.size() >= stream_piece) return true;
  std::size_t used = 0;
  const auto progress = parser_.chunks(in_.view().substr(end_), used, body_, most_piped_);
  in_.erase(end_, used);
  body_whole_ = progress == RequestParser::Progress::done;
  const bool is_stuck = progress == RequestParser::Progress::more && in_.size() == in_.capacity();
  if (progress != RequestParser::Progress::failed && !is_stuck) return true;
  body_fails(!is_stuck && parser_.status() == 413 ? Status::too_large : Status::invalid,
             is_stuck ? "A chunk's head is too long" : parser_.message());
  return false;
}

/// The store keeps what it had, and the answer says why.
void Connection::body_fails(Status status, const std::string &message) {
  body_pipe_->fail(std::make_exception_ptr(Error(status, message)));
  close_ = true;
  await_store();
}

void Connection::await_store() {
  paused_ = Loop::Clock::now();
  deadline_ = paused_ + milliseconds(loop_.config.request_timeout) + work_grace;
}

bool Connection::respond() {
  lane_ = handler_->lane();
  if (!lane_.name.empty()) return submit(lane_);
  Response response(out_);
  handler_->respond(response);
  finish_response(response);
  return true;
}

/// Hands the request to the pool. What was answered before goes out first: it need not wait for this one.
bool Connection::submit(const WorkerPool::Lane &lane) {
  if (!flush()) return false;
  if (request_.method == Method::get) offer_pipe();
  if (!submit_job(lane)) return true;
  phase_ = Phase::work;
  return false;
}

/// Of the request, if its body or answer is a long value: of the store that the request went to, even if another one
/// has taken its place since. On any thread while the request is worked at.
WorkerPool::Lane Connection::long_lane() const { return {lane_.name, lane_.store, true}; }

/// Gives the request a pipe, in case that its answer is a long value. A thread that enters the pipe may be kept waiting
/// by a slow client, so it counts for a lane in which slow clients hold up each other alone.
void Connection::offer_pipe() {
  const auto ready = [this] {
    asio::post(loop_.io, [self = shared_from_this()] {
      if (self->phase_ == Phase::work) self->phase_ = Phase::piped;
      if (self->phase_ == Phase::piped) self->proceed();
    });
  };
  response_pipe_.emplace(loop_.memory, ready, [this] { return loop_.pool.move(long_lane()); });
  request_.pipe = &*response_pipe_;
}

/// False: there was no room for it, and that has been answered.
bool Connection::submit_job(const WorkerPool::Lane &lane) {
  const milliseconds timeout(loop_.config.request_timeout);
  const auto deadline = Loop::Clock::now() + timeout;
  ticket_ = loop_.pool.submit(lane, [self = shared_from_this(), deadline] { self->work(deadline); });
  if (!ticket_) {
    Response response(out_);
    reply_error(request_, response, 503, "Too many requests wait for this store", "Retry-After: 1\r\n");
    close_ = close_ || body_pipe_; // the rest of its body is not waited for
    finish_response(response);
    return false;
  }
  piping_ = body_pipe_ != nullptr;
  deadline_ = deadline + work_grace;
  return true;
}

/// On a thread of the pool. Until responded() has been posted, nothing else touches the request.
void Connection::work(Loop::Clock::time_point deadline) {
  Response response(worked_);
  request_.deadline = deadline;
  request_.cancelled = &gone_;
  if (gone_.load(std::memory_order_relaxed) || Loop::Clock::now() >= deadline) {
    reply_error(request_, response, 503, not_its_turn, "Retry-After: 1\r\n");
  } else {
    handler_->respond(response);
  }
  asio::post(loop_.io, [self = shared_from_this(), response = std::move(response)] { self->responded(response); });
}

void Connection::responded(const Response &response) {
  if (phase_ == Phase::closed) return;
  if (response.retry) return retry();
  last_.emplace(response);
  if (phase_ == Phase::body_piped) {
    close_ = close_ || !body_whole_; // the store did not want all of it
    // What is being read into must stay: on_read goes on here when the read has ended.
    if (reading_) {
      error_code ignored;
      socket_.cancel(ignored);
      return;
    }
  }
  if (phase_ != Phase::piped) end_work(); // else what is in the pipe goes first
  proceed();
}

/// The answer has been put together and nothing else goes on: sends it, or the rest of it.
void Connection::end_work() {
  const Response response = *last_;
  last_.reset();
  response_pipe_.reset();
  request_.pipe = nullptr;
  if (response.cut) return close();
  out_.swap(worked_);
  finish_response(response);
}

/// The answer is a long value, and the lane of long values was full: it waits there for its turn.
void Connection::retry() {
  worked_.clear(0);
  response_pipe_->let_in();
  submit_job(long_lane());
  proceed();
}

/// Sends what the store has given, and, when that was all, ends the answer.
bool Connection::pipe_response() {
  do {
    if (!flush()) return false;
  } while (response_pipe_->try_take(out_));
  if (last_) {
    end_work();
    return true;
  }
  await_store();
  return false;
}

bool Connection::stream() {
  if (!flush()) return false;
  const auto deadline = Loop::Clock::now() + milliseconds(loop_.config.request_timeout);
  ticket_ = loop_.pool.submit(handler_->lane(), [self = shared_from_this()] { self->stream_part(); });
  if (!ticket_) {
    close(); // the client sees that the body was cut off
    return false;
  }
  phase_ = Phase::work;
  deadline_ = deadline + work_grace;
  return false;
}

/// On a thread of the pool: the next part of a long answer.
void Connection::stream_part() {
  if (gone_.load(std::memory_order_relaxed)) return;
  request_.deadline = Loop::Clock::now() + milliseconds(loop_.config.request_timeout);
  bool failed = false, is_last = false;
  try {
    is_last = !more_(worked_);
  } catch (const std::exception &) {
    failed = true;
  }
  asio::post(loop_.io, [self = shared_from_this(), failed, is_last] {
    if (self->phase_ != Phase::work) return;
    if (failed) return self->close();
    self->out_.swap(self->worked_);
    self->phase_ = Phase::stream;
    if (is_last) self->end_request();
    self->proceed();
  });
}

/// The response goes on with events, on the thread of those.
void Connection::begin_feed(std::shared_ptr<Feed> feed) {
  const auto self = shared_from_this();
  error_code error, failed;
  const tcp protocol = socket_.local_endpoint(error).protocol();
  if (error) return close();
  const auto handle = socket_.release(error); // cancels what waits for it
  if (error) return close();
  if (!loop_.feeds.add(protocol, handle, out_.view().substr(sent_), std::move(feed))) {
    socket_.assign(protocol, handle, failed);
    return close();
  }
  phase_ = Phase::closed;
  loop_.hand_over(*this);
}

void Connection::finish_response(const Response &response) {
  if (response.status >= 100 && response.status < 600) Loop::count(loop_.counts.responses[response.status / 100 - 1]);
  close_ = close_ || response.close || !request_.keep_alive || loop_.stopping;
  if (response.delay.count() > 0 && !loop_.stopping) {
    phase_ = Phase::held;
    deadline_ = Loop::Clock::now() + response.delay;
    return;
  }
  if (response.feed) return begin_feed(response.feed);
  if (response.loan) {
    lent_ = response.lent;
    loan_ = response.loan;
    phase_ = Phase::lent;
    return;
  }
  if (!response.more) return end_request();
  more_ = response.more;
  phase_ = Phase::stream;
}

/// Sends what a store lends, out of the store's memory.
bool Connection::send_lent() {
  if (!flush()) return false;
  if (lent_.size() != 0 && transferred_ == 0) begin_transfer();
  std::size_t sent = 0;
  const bool went = write_some(lent_.data(), lent_.size(), sent);
  lent_.remove_prefix(sent);
  if (!went) {
    if (phase_ == Phase::closed) return false;
    transferred_ += sent;
    await_output();
    return false;
  }
  loan_.reset();
  end_request();
  return true;
}

/// Sends the answer that was held back.
void Connection::let_go() {
  close_ = close_ || loop_.stopping;
  end_request();
  proceed();
}

void Connection::end_request() {
  more_ = nullptr;
  body_pipe_.reset();
  response_pipe_.reset();
  piping_ = false;
  paused_ = {};
  ticket_.reset();
  request_.source = nullptr;
  request_.source_size = UINT64_MAX;
  request_.pipe = nullptr;
  request_.deadline = Loop::Clock::time_point::max();
  request_.cancelled = nullptr;
  start_ = end_;
  body_.clear(kept_memory);
  parser_.reset();
  empty_lines_ = 0;
  request_.method = Method::other;
  phase_ = close_ ? Phase::last_write : Phase::head;
}

/// What is answered when a request was not read, or not to its end.
Request Connection::unread_request() const {
  Request unread;
  unread.keep_alive = false;
  unread.varies_by_origin = request_.varies_by_origin;
  return unread;
}

/// Answers what cannot be understood or taken; the connection ends with it, since the rest of it is not known.
bool Connection::refuse(unsigned status, std::string_view message, std::string_view extra) {
  Request unread = unread_request();
  unread.method = request_.method == Method::head ? Method::head : Method::get;
  Response response(out_);
  reply_error(unread, response, status, message, extra);
  request_.keep_alive = false;
  end_ = in_.size();
  finish_response(response);
  return true;
}

/// Ends the connection, but not before the client has read what was sent: closing a socket with input unread resets
/// it, and the answer would be lost on its way.
bool Connection::last_write() {
  if (!flush()) return false;
  error_code error;
  socket_.shutdown(tcp::socket::shutdown_send, error);
  if (error) {
    close();
    return false;
  }
  phase_ = Phase::linger;
  deadline_ = loop_.now + linger_time;
  in_.truncate(0);
  start_ = end_ = 0;
  read(in_, first_read);
  return false;
}

// --------------------------------------------------------------------------------------------------------------
// Connection: bytes and time

/// Sends what there is and reads on; false, for step() to return.
bool Connection::await_input() {
  if (!flush()) return false;
  switch (phase_) {
  case Phase::head:
    if (start_ > 0) {
      in_.erase(0, start_);
      start_ = 0;
    }
    in_.room(in_.capacity() == 0 ? first_read : 1);
    read(in_, in_.capacity() - in_.size());
    return false;
  case Phase::body_apart:
    // As much more at a time as has come: what is only announced takes no memory.
    read(body_, std::min<std::uint64_t>(body_length_ - body_.size(), std::clamp(body_.size(), first_body, body_read)));
    return false;
  default:
    read(in_, in_.capacity() - in_.size());
    return false;
  }
}

void Connection::read(Buffer &into, std::size_t most) {
  char *const place = into.room(most); // there may be no memory for it
  reading_ = true;
  socket_.async_read_some(
      asio::buffer(place, most), [self = shared_from_this(), &into](const error_code &error, std::size_t count) {
        if (error == asio::error::operation_aborted && self->parked_ && self->phase_ != Phase::closed) {
          self->reading_ = false;
          return self->park();
        }
        self->parked_ = false;
        self->on_read(into, count, error.failed());
      });
}

void Connection::on_read(Buffer &into, std::size_t count, bool failed) {
  reading_ = false;
  if (phase_ == Phase::closed) return;
  if (last_) { // the answer was there before the body
    end_work();
    return proceed();
  }
  if (failed) return close(); // the client's end, or a broken connection: what was complete has been answered
  if (phase_ == Phase::linger) return read(in_, first_read);
  into.grew(count);
  if (phase_ == Phase::body_piped && !chunked_) body_length_ -= count;
  moved(count);
  proceed();
}

/// Whether all of the output has gone out; else it waits for room, and proceed() is called then.
bool Connection::flush() {
  if (awaits_output_) return false;
  if (out_.empty()) return true;
  if (sent_ == 0) begin_transfer();
  if (!write_some(out_.data(), out_.size(), sent_)) {
    if (phase_ == Phase::closed) return false;
    transferred_ = sent_;
    await_output();
    return false;
  }
  out_.clear(kept_memory);
  sent_ = 0;
  return true;
}

/// Sends what of `data` is not sent yet, as far as the socket takes it. False: there is more, or the connection is
/// closed.
bool Connection::write_some(const char *data, std::size_t size, std::size_t &sent) {
  while (sent < size) {
    error_code error;
    sent += socket_.write_some(asio::buffer(data + sent, size - sent), error);
    if (!error) continue;
    if (error != asio::error::would_block) close();
    return false;
  }
  return true;
}

void Connection::await_output() {
  awaits_output_ = true;
  moved(0);
  socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const error_code &) {
    if (self->phase_ == Phase::closed) return;
    self->awaits_output_ = false;
    self->proceed();
  });
}

/// Something begins to come in or go out. It may take the idle time, and longer only as long as it keeps up a pace, so
/// that nobody holds a connection by sending or reading a byte now and then.
void Connection::begin_transfer() {
  transfer_began_ = loop_.now;
  transferred_ = 0;
  moved(0);
}

void Connection::moved(std::size_t count) {
  transferred_ += count;
  // The head's bytes buy no time.
  const std::uint64_t paid = phase_ == Phase::head && !awaits_output_ ? 0 : transferred_ / slowest;
  if (phase_ == Phase::head && !awaits_output_ && in_.empty()) return;
  deadline_ = transfer_began_ + milliseconds(loop_.config.idle_timeout + static_cast<std::int64_t>(paid));
  // What a long value has earned must not buy it hours of silence.
  if (phase_ == Phase::body_piped || phase_ == Phase::piped || phase_ == Phase::lent)
    deadline_ = std::min(deadline_, Loop::Clock::now() + milliseconds(loop_.config.idle_timeout));
}

void Connection::check_time() {
  if (phase_ == Phase::work) look_for_client();
  if (loop_.now >= deadline_) return phase_ == Phase::held && !awaits_output_ ? let_go() : late();
  // An idle connection gives its memory back: its read, which has a buffer, is cancelled, and on_read's caller parks
  // it.
  if (phase_ != Phase::head || !reading_ || parked_ || awaits_output_ || !in_.empty()) return;
  if (deadline_ - loop_.now > milliseconds(loop_.config.idle_timeout) - idle_memory) return;
  parked_ = true;
  error_code ignored;
  socket_.cancel(ignored);
}

/// Waits for input without a buffer, and reads then.
void Connection::park() {
  parked_ = true;
  for (Buffer *buffer : {&in_, &out_, &body_, &worked_}) buffer->clear(0);
  socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const error_code &) {
    if (self->phase_ == Phase::closed) return;
    self->parked_ = false;
    self->proceed();
  });
}

/// Calls off what goes on for a client that has ended its side of the connection. It may be one that only sends no
/// more, and then gets the answer that there is.
void Connection::look_for_client() {
  pollfd seen{socket_.native_handle(), POLLRDHUP, 0};
  if (::poll(&seen, 1, 0) == 1) gone_.store(true, std::memory_order_relaxed);
}

/// What it waited for did not come. Says so where the client waits for an answer, as far as the socket takes it.
void Connection::late() {
  const bool reads_request = (phase_ == Phase::head && !in_.empty()) || phase_ == Phase::body_in_place ||
                             phase_ == Phase::body_apart || phase_ == Phase::body_chunks ||
                             (phase_ == Phase::body_piped && reading_);
  const bool answering = (phase_ == Phase::work && !more_) || (phase_ == Phase::body_piped && !reading_);
  if (phase_ != Phase::linger) Loop::count(loop_.counts.timed_out);
  const WorkerPool::State work = ticket_ ? loop_.pool.give_up(ticket_) : WorkerPool::State::done;
  if (!awaits_output_ && (reads_request || answering)) {
    Buffer last;
    Response response(last);
    const Request unread = unread_request();
    if (answering && work == WorkerPool::State::waiting) {
      reply_error(unread, response, 503, not_its_turn, "Retry-After: 1\r\n");
    } else if (answering) {
      reply_error(unread, response, 504,
                  is_write(request_.method) ? "The store did not answer in time; the write may still take place"
                                            : "The store did not answer in time");
    } else {
      reply_error(unread, response, 408, "The request took too long to come");
    }
    Loop::count(loop_.counts.responses[response.status / 100 - 1]);
    error_code ignored;
    socket_.write_some(asio::buffer(last.data(), last.size()), ignored);
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
  }
  close();
}

void Connection::stop() {
  if (phase_ == Phase::held) return let_go();
  if (phase_ != Phase::head || awaits_output_ || !in_.empty()) return;
  error_code error;
  if (socket_.available(error) == 0 || error) close();
}

void Connection::close() {
  if (phase_ == Phase::closed) return;
  if (ticket_) loop_.pool.give_up(ticket_);
  // A pipe ends by itself, and tells the store that it is the client who has gone.
  if (phase_ != Phase::piped && phase_ != Phase::body_piped) gone_.store(true, std::memory_order_relaxed);
  phase_ = Phase::closed;
  if (body_pipe_) body_pipe_->fail(std::make_exception_ptr(Error(Status::unavailable, "the client went away")));
  if (response_pipe_) response_pipe_->abandon();
  error_code ignored;
  socket_.close(ignored);
  loan_.reset();
  loop_.remove(*this);
}

} // namespace omnistore::http
