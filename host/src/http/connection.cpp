// SPDX-License-Identifier: Apache-2.0
#include "http/connection.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include <boost/asio/post.hpp>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include "base/ascii.hpp"
#include "http/access_log.hpp"
#include "http/reply.hpp"

namespace omnistore::http {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;

namespace {

constexpr std::size_t beside_connection = 1536; // its parser, its handler, and what the system's interface keeps
constexpr std::size_t gathered = 256 * 1024;    // responses that wait for each other to be sent in one go
constexpr int most_unsent = 128 * 1024;         // bytes that the system holds and has not sent yet
constexpr auto linger_time = std::chrono::seconds(2);
constexpr std::string_view too_many_wait = "Too many requests wait for this store";

/// Returns null if the listener has no TLS, or if there is no memory for it.
std::unique_ptr<tls::Session> tls_session(const Loop &loop, int socket) {
  if (!loop.parts.tls) return nullptr;
  try {
    return loop.parts.tls->begin(socket, std::make_shared<MemoryShare>(&loop.memory, tls::memory_of_session));
  } catch (const std::bad_alloc &) {
    return nullptr;
  }
}

} // namespace

Connection::Connection(Loop &loop, Socket socket, bool refused)
    : loop_(loop), share_(&loop.memory, sizeof(Connection) + beside_connection), socket_(std::move(socket)),
      tls_(tls_session(loop, socket_.native_handle())), peer_(socket_.native_handle()), refused_(refused),
      reader_(loop.memory, loop.config.max_header), handler_(loop.application.handler(request_)),
      work_(*this, *handler_, request_), output_(socket_, tls_.get(), &loop.memory), pace_(loop.config.idle_timeout) {
  request_.varies_by_origin = !loop.config.origins.empty();
  request_.peer = &peer_;
}

void Connection::start() {
  error_code error;
  socket_.non_blocking(true, error);
  if (error) return close();
  if (loop_.parts.tls && !tls_) return close();             // there is no memory for it
  socket_.set_option(asio::ip::tcp::no_delay(true), error); // a unix socket has no such option, and needs none
  // The system would take in megabytes for a client that does not read, beside the memory that is counted here.
  ::setsockopt(socket_.native_handle(), IPPROTO_TCP, TCP_NOTSENT_LOWAT, &most_unsent, sizeof most_unsent);
  pace_.idle(loop_.now);
  if (loop_.parts.access) peer_.name(); // when the client has gone, nobody knows its address
  refused_by_limit_ = !refused_ && !admit_address();
  if (tls_)
    phase_ = Phase::handshake;
  else if (!refused_ && !refused_by_limit_)
    return park();
  else
    refuse_connection();
  proceed();
}

void Connection::refuse_connection() {
  if (refused_by_limit_) {
    refuse(429, "This address has too many connections", "Retry-After: 1\r\n");
    return;
  }
  refuse(503, "There are too many connections (" + std::to_string(loop_.config.max_connections) + ")");
}

void Connection::proceed() {
  try {
    while (step()) {
    }
  } catch (const std::bad_alloc &) {
    no_memory();
  }
}

/// Refuses a request that does not fit into memory. If a response is under way already, the connection ends.
void Connection::no_memory() {
  try {
    if ((phase_ != Phase::head && phase_ != Phase::body) || reading_ || awaits_output_) return close();
    reader_.clear_body();
    refuse(503, OverBudget::message, "Retry-After: 1\r\n");
    while (step()) {
    }
  } catch (const std::bad_alloc &) {
    close();
  }
}

/// Does the work of the phase. Returns false if the connection waits or is closed.
bool Connection::step() {
  if (output_.unsent().size() >= gathered && !flush()) return false;
  switch (phase_) {
  case Phase::handshake:
    return handshake();
  case Phase::head:
    return read_head();
  case Phase::judged:
    return begin_request();
  case Phase::body:
    return read_body();
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
  case Phase::checking:
  case Phase::work:
  case Phase::held:
  case Phase::linger:
  case Phase::closed:
    return false;
  }
  return false;
}

// --------------------------------------------------------------------------------------------------------------
// The way of a request

bool Connection::read_head() {
  const bool begins = !reader_.begun();
  const auto progress = reader_.head();
  if (progress == RequestReader::Progress::failed) return refuse(reader_.status(), reader_.message());
  if (reader_.idle()) {
    reader_.shrink();
    pace_.idle(loop_.now);
    return await_input();
  }
  if (begins) {
    pace_.begin(loop_.now);
    limit_time();
  }
  return progress == RequestReader::Progress::done ? begin_request() : await_input();
}

/// The head is there: judges it, and decides how the body comes.
bool Connection::begin_request() {
  reader_.fill(request_);
  had_request_ = true;
  request_.identity = {};
  if (loop_.parts.access) begin_entry();
  if (loop_.stopping) request_.keep_alive = false;
  const std::optional<std::uint64_t> length = reader_.content_length();
  const bool body_is_here = reader_.has_body();
  const bool keep_alive = request_.keep_alive;
  if (!body_is_here) request_.keep_alive = false; // the body of a refused request is not waited for
  Response response(output_.buffer());
  if ((of_address_ && !admit_by_address(response)) || !handler_->admit(response) ||
      (loop_.parts.per_token && !admit_by_token(response))) {
    if (response.status == 0) return check_credentials();
    if (body_is_here) reader_.skip_body();
    finish_response(response);
    return true;
  }
  request_.keep_alive = keep_alive;

  const std::uint64_t most_piped = !length || *length > long_value ? handler_->longest_stream() : 0;
  if (const std::uint64_t most = std::max(most_piped, loop_.config.max_body); length && *length > most)
    return refuse(413, "The body is longer than " + std::to_string(most) + " bytes");
  if (request_.has(Header::expect)) {
    if (!base::equal_ignoring_case(request_[Header::expect], "100-continue"))
      return refuse(417, "The only expectation here is 100-continue");
    if (!body_is_here && request_.version == 11) output_.buffer().append("HTTP/1.1 100 Continue\r\n\r\n");
  }
  reader_.begin_body(most_piped, loop_.config.max_body);
  phase_ = Phase::body;
  return true;
}

bool Connection::check_credentials() {
  phase_ = Phase::checking;
  pace_.wait_until(request_deadline());
  const auto done = [self = shared_from_this()] {
    asio::post(self->loop_.io, [self] {
      if (self->phase_ != Phase::checking) return;
      self->phase_ = Phase::judged;
      self->proceed();
    });
  };
  return !handler_->check(done) && too_busy("Too many tokens are being checked");
}

bool Connection::read_body() {
  switch (reader_.body()) {
  case RequestReader::Progress::failed:
    return refuse(reader_.status(), reader_.message());
  case RequestReader::Progress::done:
    request_.body = reader_.body_view();
    phase_ = Phase::respond;
    return true;
  case RequestReader::Progress::pipe:
    reader_.begin_pipe(loop_.memory, request_, [this] {
      asio::post(loop_.io, [self = shared_from_this()] {
        if (self->phase_ == Phase::body_piped) self->proceed();
      });
    });
    piping_ = false;
    phase_ = Phase::body_piped;
    return true;
  default:
    return await_input();
  }
}

/// Reads a long body and gives it to the store, a piece at a time. A thread of the pool, on which the driver may wait,
/// takes the pieces.
bool Connection::pipe_body() {
  if (!flush()) return false;
  if (!piping_) {
    work_.use(handler_->lane());
    begin_time();
    if (!work_.submit_long(limits_)) return too_busy(too_many_wait);
    piping_ = true;
    await_turn();
  }
  if (reading_) return false;
  switch (reader_.pipe()) {
  case RequestReader::Progress::failed:
    close_ = true;
    await_store();
    return false;
  case RequestReader::Progress::store:
    await_store();
    return false;
  default:
    pace_.resume();
    limit_time();
    read(reader_.room());
    return false;
  }
}

/// Responds on this thread if the store never blocks, or hands the request to the pool.
bool Connection::respond() {
  WorkerPool::Lane lane = handler_->lane();
  if (lane.name.empty()) {
    Response response(output_.buffer());
    handler_->respond(response);
    finish_response(response);
    return true;
  }
  if (!flush()) return false; // earlier responses need not wait for this one
  work_.use(std::move(lane));
  if (request_.method == Method::get) work_.offer_pipe();
  begin_time();
  if (!work_.submit(limits_)) return too_busy(too_many_wait);
  await_turn();
  phase_ = Phase::work;
  return false;
}

/// Refuses a request that the pool does not have. The connection stays if the request's body was read.
bool Connection::too_busy(std::string_view message) {
  Response response(output_.buffer());
  reply_error(request_, response, 503, message, "Retry-After: 1\r\n");
  close_ = close_ || reader_.is_piped(); // the rest of its body is not waited for
  finish_response(response);
  return true;
}

void Connection::responded(const Response &response) {
  if (phase_ == Phase::closed) return;
  if (response.retry) { // the lane that it belongs to was full: the request waits there for its turn
    if (work_.retry(response, limits_))
      await_turn();
    else
      too_busy(too_many_wait);
    return proceed();
  }
  last_.emplace(response);
  if (phase_ == Phase::body_piped) {
    close_ = close_ || !reader_.is_whole(); // the store did not want all of it
    // The buffer of a read must stay: on_read() continues when the read has ended.
    if (reading_) {
      error_code ignored;
      socket_.cancel(ignored);
      return;
    }
  }
  if (phase_ != Phase::piped) end_work(); // else the content of the pipe goes first
  proceed();
}

/// Sends the response, or the rest of it, once it is complete and nothing else is under way.
void Connection::end_work() {
  const Response response = *last_;
  last_.reset();
  work_.end_pipe();
  if (response.cut) return close();
  output_.buffer().swap(work_.written());
  finish_response(response);
}

void Connection::pipe_ready() {
  if (phase_ == Phase::work) phase_ = Phase::piped;
  may_wait_ = false;
  if (phase_ == Phase::piped) proceed();
}

/// Sends what the store has given, and, after all of that, ends the response.
bool Connection::pipe_response() {
  do {
    if (!flush()) return false;
  } while (work_.take_piece(output_.buffer()));
  if (last_) {
    end_work();
    return true;
  }
  await_store();
  return false;
}

/// Has the pool write the next part of a long response when all before it has gone out.
bool Connection::stream() {
  if (!flush()) return false;
  const milliseconds timeout(loop_.config.request_timeout);
  if (!work_.submit_part(handler_->lane(), more_, timeout)) {
    close(); // the client sees that the body was cut off
    return false;
  }
  phase_ = Phase::work;
  pace_.wait_until(request_deadline() + work_grace);
  return false;
}

void Connection::part_written(bool failed, bool is_last) {
  if (phase_ != Phase::work) return;
  if (failed) return close();
  output_.buffer().swap(work_.written());
  phase_ = Phase::stream;
  if (is_last) end_request();
  proceed();
}

bool Connection::send_lent() {
  if (!flush()) return false;
  end_request();
  return true;
}

/// Continues the response with events, on the thread that sends them.
void Connection::begin_feed(std::shared_ptr<Feed> feed) {
  const auto self = shared_from_this();
  error_code error, failed;
  const Protocol protocol = socket_.local_endpoint(error).protocol();
  if (error) return close();
  const auto handle = socket_.release(error); // cancels what waits for it
  if (error) return close();
  if (!loop_.feeds.add(protocol, handle, {std::move(tls_), of_address_, of_token_}, output_.unsent(),
                       std::move(feed))) {
    socket_.assign(protocol, handle, failed);
    return close();
  }
  if (loop_.parts.access) log_response(entry_.status); // its events are still to come
  phase_ = Phase::closed;
  loop_.hand_over(*this);
}

void Connection::finish_response(const Response &response) {
  if (response.status >= 100 && response.status < 600) Loop::count(loop_.counts.responses[response.status / 100 - 1]);
  entry_.status = response.status;
  close_ = close_ || response.close || !request_.keep_alive || loop_.stopping;
  if (response.delay.count() > 0 && !loop_.stopping) {
    phase_ = Phase::held;
    pace_.wait_until(Loop::Clock::now() + response.delay);
    return;
  }
  if (response.feed) return begin_feed(response.feed);
  if (response.loan) {
    output_.lend(response.lent, response.loan);
    phase_ = Phase::lent;
    return;
  }
  if (!response.more) return end_request();
  more_ = response.more;
  phase_ = Phase::stream;
}

/// Sends the response that was held back.
void Connection::let_go() {
  close_ = close_ || loop_.stopping;
  end_request();
  proceed();
}

void Connection::end_request() {
  if (loop_.parts.access) log_response(entry_.status);
  if (of_address_ || of_token_) count_bytes();
  more_ = nullptr;
  piping_ = false;
  may_wait_ = false;
  pace_.forget_pause();
  work_.end_request();
  reader_.end_request();
  request_.source = nullptr;
  request_.source_size = UINT64_MAX;
  request_.method = Method::other;
  phase_ = close_ ? Phase::last_write : Phase::head;
}

void Connection::begin_entry() {
  if (entry_.has_head) return; // its credentials have been checked meanwhile
  entry_ = {true, 0, output_.total(), Loop::Clock::now()};
}

void Connection::log_response(unsigned status) {
  const auto took = entry_.has_head ? Loop::Clock::now() - entry_.began : Loop::Clock::duration();
  loop_.parts.access->write({loop_.parts.name, peer_.name(), entry_.has_head ? &request_ : nullptr, status,
                             output_.total() - entry_.sent_before,
                             std::chrono::duration_cast<std::chrono::microseconds>(took)});
  entry_ = {false, 0, output_.total(), {}};
}

/// Returns a request for the response to one that was not read, or not to its end.
Request Connection::unread_request() const {
  Request unread;
  unread.keep_alive = false;
  unread.varies_by_origin = request_.varies_by_origin;
  return unread;
}

/// Responds to bytes that cannot be understood or taken. The connection ends, since nobody knows where the next request
/// begins.
bool Connection::refuse(unsigned status, std::string_view message, std::string_view extra) {
  Request unread = unread_request();
  unread.method = request_.method == Method::head ? Method::head : Method::get;
  Response response(output_.buffer());
  reply_error(unread, response, status, message, extra);
  request_.keep_alive = false;
  reader_.drop();
  finish_response(response);
  return true;
}

/// Ends the connection, but not before the client has read what was sent: closing a socket with unread input resets
/// it, and the response would be lost on its way.
bool Connection::last_write() {
  if (!flush()) return false;
  error_code error;
  if (tls_) tls_->end();
  socket_.shutdown(Socket::shutdown_send, error);
  if (error) {
    close();
    return false;
  }
  phase_ = Phase::linger;
  pace_.wait_until(loop_.now + linger_time);
  read(reader_.room_to_discard());
  return false;
}

} // namespace omnistore::http
