// SPDX-License-Identifier: Apache-2.0
// The bytes of a connection, and the time that it may take.
#include <chrono>

#include <boost/asio/post.hpp>
#include <poll.h>
#include <spdlog/spdlog.h>

#include "http/connection.hpp"
#include "http/reply.hpp"

namespace omnistore::http {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;

namespace {

constexpr auto idle_memory = std::chrono::seconds(2); // for so long an idle connection keeps its buffers

} // namespace

/// Sends what there is, and reads. Returns false, for step() to return.
bool Connection::await_input() {
  if (flush()) read(reader_.room());
  return false;
}

void Connection::read(RequestReader::Room room) {
  char *const place = room.into.room(room.most); // there may be no memory for it
  reading_ = true;
  if (tls_) [[unlikely]]
    return read_by_tls(room, false);
  socket_.async_read_some(asio::buffer(place, room.most), [self = shared_from_this(), &into = room.into](
                                                              const error_code &error, std::size_t count) {
    if (error == asio::error::operation_aborted && self->parked_ && self->phase_ != Phase::closed) {
      self->reading_ = false;
      return self->park();
    }
    self->parked_ = false;
    self->on_read(into, count, error.failed());
  });
}

bool Connection::handshake() {
  const tls::Session::Result result = tls_->handshake();
  const bool writes = result == tls::Session::Result::await_output;
  switch (result) {
  case tls::Session::Result::done:
    request_.certificate = tls_->certificate();
    phase_ = Phase::head;
    pace_.idle(loop_.now);
    if (refused_ || refused_by_limit_) refuse_connection();
    return true;
  case tls::Session::Result::await_input:
  case tls::Session::Result::await_output:
    socket_.async_wait(writes ? Socket::wait_write : Socket::wait_read,
                       [self = shared_from_this()](const error_code &) {
                         if (self->phase_ == Phase::handshake) self->proceed();
                       });
    return false;
  case tls::Session::Result::plain: {
    constexpr std::string_view body =
        R"({"status":400,"statusText":"Bad Request","message":"This listener speaks TLS: use https://"})";
    const std::string text =
        "HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(body.size()) +
        "\r\nConnection: close\r\n\r\n" + std::string(body);
    error_code ignored;
    socket_.write_some(asio::buffer(text.data(), text.size()), ignored);
    socket_.shutdown(Socket::shutdown_send, ignored);
    break;
  }
  case tls::Session::Result::ended:
    if (tls_->failure()) spdlog::debug("a client's TLS handshake failed: {}", tls_->failure());
    break;
  }
  close();
  return false;
}

/// Reads what TLS has, or waits for it. Only in a handler of the loop's may what comes be used at once: else a client
/// that sends without end would have this call itself without end.
void Connection::read_by_tls(RequestReader::Room room, bool in_handler) {
  std::size_t count = 0;
  const tls::Session::Result result = tls_->read(room.into.room(room.most), room.most, count);
  const bool failed = result != tls::Session::Result::done;
  if (failed && result != tls::Session::Result::ended) return await_tls(result, room);
  if (in_handler) return on_read(room.into, count, failed);
  asio::post(loop_.io, [self = shared_from_this(), &into = room.into, count, failed] {
    self->parked_ = false;
    self->on_read(into, count, failed);
  });
}

void Connection::await_tls(tls::Session::Result what, RequestReader::Room room) {
  const auto event = what == tls::Session::Result::await_output ? Socket::wait_write : Socket::wait_read;
  socket_.async_wait(event, [self = shared_from_this(), room](const error_code &error) {
    if (error == asio::error::operation_aborted && self->parked_ && self->phase_ != Phase::closed) {
      self->reading_ = false;
      return self->park();
    }
    self->parked_ = false;
    if (error || self->phase_ == Phase::closed) return self->on_read(room.into, 0, error.failed());
    self->read_by_tls(room, true);
  });
}

void Connection::on_read(Buffer &into, std::size_t count, bool failed) {
  reading_ = false;
  if (phase_ == Phase::closed) return;
  if (last_) { // the response was there before the body
    end_work();
    return proceed();
  }
  if (failed) return close(); // by the client, or the connection broke: every complete request has its response
  if (phase_ == Phase::linger) return read(reader_.room_to_discard());
  reader_.received(into, count);
  received_ += count;
  pace_.add(count);
  limit_time();
  proceed();
}

/// Returns true if all output has gone out. If not, the connection waits for room, and proceed() is called then.
bool Connection::flush() {
  if (awaits_output_) return false;
  if (output_.empty()) return true;
  if (output_.sent() == 0) pace_.begin(loop_.now);
  switch (output_.send()) {
  case Output::Result::sent:
    return true;
  case Output::Result::failed:
    close();
    return false;
  case Output::Result::blocked:
    break;
  }
  awaits_output_ = true;
  pace_.set(output_.sent());
  limit_time();
  socket_.async_wait(Socket::wait_write, [self = shared_from_this()](const error_code &) {
    if (self->phase_ == Phase::closed) return;
    self->awaits_output_ = false;
    self->proceed();
  });
  return false;
}

/// Sets how long the connection may wait for the transfer that is under way.
void Connection::limit_time() {
  if (phase_ == Phase::body_piped || phase_ == Phase::piped || phase_ == Phase::lent) return pace_.limit_long_value();
  if (phase_ != Phase::head || awaits_output_) return pace_.limit_transfer();
  if (!reader_.idle()) pace_.limit_head();
}

/// The connection waits until the store has taken or given a piece.
void Connection::await_store() { pace_.pause(may_wait_ ? limits_.turn : request_deadline() + work_grace); }
/// The connection waits until a thread of the pool begins with the request.
void Connection::await_turn() {
  may_wait_ = true;
  pace_.wait_until(limits_.turn);
}

/// A request may wait for its turn in the first half of its time, so that its store has at least the other half.
void Connection::begin_time() {
  const auto now = Loop::Clock::now();
  const milliseconds timeout(loop_.config.request_timeout);
  limits_ = {now + timeout / 2, now + timeout};
}

/// Runs when the time for the request's turn is up. Returns true if there is nothing to end: the request was refused
/// because it has not had its turn, or its store has the rest of the time.
bool Connection::still_in_time() {
  if (!may_wait_) return false;
  may_wait_ = false;
  if (work_.withdraw()) {
    Loop::count(loop_.counts.timed_out);
    too_busy(not_its_turn);
    proceed();
    return true;
  }
  const auto deadline = (phase_ == Phase::work ? limits_.deadline : request_deadline()) + work_grace;
  pace_.wait_until(deadline);
  return loop_.now < deadline;
}

Loop::Clock::time_point Connection::request_deadline() const {
  return Loop::Clock::now() + milliseconds(loop_.config.request_timeout);
}

void Connection::check_time() {
  if (phase_ == Phase::work) look_for_client();
  if (pace_.is_late(loop_.now)) {
    if (phase_ == Phase::held && !awaits_output_) return let_go();
    if ((phase_ == Phase::work || (phase_ == Phase::body_piped && !reading_)) && still_in_time()) return;
    return late();
  }
  // An idle connection gives its memory back: its read, which has a buffer, is cancelled, and then it parks.
  if (phase_ != Phase::head || !reading_ || parked_ || awaits_output_ || !reader_.idle()) return;
  if (pace_.idle_since(loop_.now) < idle_memory) return;
  parked_ = true;
  error_code ignored;
  socket_.cancel(ignored);
}

/// Waits for input without a buffer, and reads then.
void Connection::park() {
  parked_ = true;
  reader_.release();
  output_.release();
  work_.written().clear(0);
  socket_.async_wait(Socket::wait_read, [self = shared_from_this()](const error_code &) {
    if (self->phase_ == Phase::closed) return;
    self->parked_ = false;
    self->proceed();
  });
}

/// Cancels the work for a client that has ended its side of the connection. If the client only sends no more, it still
/// gets the response that there is.
void Connection::look_for_client() {
  pollfd seen{socket_.native_handle(), POLLRDHUP, 0};
  if (::poll(&seen, 1, 0) == 1) work_.cancel();
}

/// Runs when the time is up. If the client waits for a response, sends it as much of an error as the socket takes.
void Connection::late() {
  const bool reads_request =
      (phase_ == Phase::head && !reader_.idle()) || phase_ == Phase::body || (phase_ == Phase::body_piped && reading_);
  const bool responding = (phase_ == Phase::work && !more_) || (phase_ == Phase::body_piped && !reading_);
  if (phase_ != Phase::linger) Loop::count(loop_.counts.timed_out);
  work_.give_up();
  if (!awaits_output_ && (reads_request || responding)) {
    Buffer last;
    Response response(last);
    const Request unread = unread_request();
    if (responding) {
      reply_error(unread, response, 504,
                  is_write(request_.method) ? "The store did not respond in time; the write may still take place"
                                            : "The store did not respond in time");
    } else {
      reply_error(unread, response, 408, "The request took too long to come");
    }
    Loop::count(loop_.counts.responses[response.status / 100 - 1]);
    if (loop_.parts.access) log_response(response.status);
    error_code ignored;
    std::size_t count = 0;
    if (tls_)
      tls_->write(last.view(), count);
    else
      socket_.write_some(asio::buffer(last.data(), last.size()), ignored);
    if (tls_) tls_->end();
    socket_.shutdown(Socket::shutdown_send, ignored);
  }
  close();
}

void Connection::stop(bool patient) {
  if (patient && (phase_ == Phase::handshake || (phase_ == Phase::head && !had_request_))) return;
  if (phase_ == Phase::handshake) return close();
  if (phase_ == Phase::held) return let_go();
  if (phase_ != Phase::head || awaits_output_ || !reader_.idle()) return;
  error_code error;
  if (socket_.available(error) == 0 || error) close();
}

void Connection::close() {
  if (phase_ == Phase::closed) return;
  // As nginx does: 499 stands for a client that has gone before it had its response.
  if (loop_.parts.access && entry_.has_head) log_response(499);
  work_.give_up();
  // A pipe ends by itself, and its failure says that the client has gone.
  if (phase_ != Phase::piped && phase_ != Phase::body_piped) work_.cancel();
  phase_ = Phase::closed;
  reader_.cut_pipe();
  work_.abandon_pipe();
  error_code ignored;
  if (tls_ && !awaits_output_) tls_->end();
  socket_.close(ignored);
  output_.release();
  loop_.remove(*this);
}

} // namespace omnistore::http
