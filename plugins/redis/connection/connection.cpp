// SPDX-License-Identifier: Apache-2.0
#include "connection/connection.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <system_error>

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

namespace redis {
namespace {

constexpr int oldest_major = 7; // PEXPIRETIME

timeval to_timeval(milliseconds span) {
  timeval result{};
  result.tv_sec = span.count() / 1000;
  result.tv_usec = span.count() % 1000 * 1000;
  return result;
}

std::string message_of(int error) { return std::generic_category().message(error); }

bool is_pause(int error) { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

/// Returns the value of a field in the reply to INFO; empty: there is no such field.
std::string_view info_field(std::string_view info, std::string_view name) {
  const std::size_t at = info.find(name);
  if (at == info.npos) return {};
  info.remove_prefix(at + name.size());
  return info.substr(0, info.find('\r'));
}

void check_version(const redisReply &info) {
  if (is_error(info) && text_of(info).starts_with("NOPERM")) return; // the user may not run INFO
  const std::string_view version = info_field(string_of(info), "redis_version:");
  int major = 0;
  std::from_chars(version.data(), version.data() + version.size(), major);
  if (major < oldest_major)
    throw omnistore::Failure(OMNISTORE_UNSUPPORTED,
                             "the server is Redis " + std::string(version) + "; this driver needs 7.0 or later");
}

} // namespace

Connection::Connection(const Endpoint &endpoint, milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  const timeval limit = to_timeval(timeout);
  context_.reset(endpoint.host.empty() ? redisConnectUnixWithTimeout(endpoint.path.c_str(), limit)
                                       : redisConnectWithTimeout(endpoint.host.c_str(), endpoint.port, limit));
  if (!context_) throw std::bad_alloc();
  const auto failed = [&](omnistore_status status, const std::string &why) {
    return omnistore::Failure(status, "connect " + endpoint.shown() + ": " + why);
  };
  if (context_->err != 0) throw failed(OMNISTORE_UNAVAILABLE, context_->errstr);
  fcntl(context_->fd, F_SETFD, FD_CLOEXEC);
  if (!endpoint.host.empty()) redisEnableKeepAlive(context_.get());
  const timeval slice = to_timeval(poll_slice);
  setsockopt(context_->fd, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof slice);
  try {
    if (endpoint.tls) tls_.emplace(endpoint, context_->fd, deadline);
    log_in(endpoint, deadline);
  } catch (const BrokenConnection &broken) {
    // With TLS 1.3 the server refuses a missing certificate only after the handshake.
    if (tls_ && tls_->lacks_certificate())
      throw failed(OMNISTORE_DENIED, "the server requires a client certificate; set the options cert and key (" +
                                         std::string(broken.what()) + ")");
    throw failed(OMNISTORE_UNAVAILABLE, broken.what());
  } catch (const omnistore::Failure &failure) {
    if (failure.status() == OMNISTORE_TIMEOUT)
      throw failed(OMNISTORE_UNAVAILABLE, "no reply within " + std::to_string(timeout.count()) + " ms");
    throw failed(failure.status() == OMNISTORE_IO ? OMNISTORE_UNAVAILABLE : failure.status(), failure.what());
  }
}

void Connection::log_in(const Endpoint &endpoint, Clock::time_point deadline) {
  Commands commands;
  if (endpoint.has_password && endpoint.user.empty())
    commands.add("AUTH", endpoint.password);
  else if (endpoint.has_password)
    commands.add("AUTH", endpoint.user, endpoint.password);
  if (endpoint.database != 0) commands.add("SELECT", endpoint.database);
  commands.add("PING");
  commands.add("INFO", "server");
  const Replies replies = exchange(commands, deadline);
  const std::size_t ping = replies.size() - 2;
  for (std::size_t i = 0; i < ping; ++i) {
    const redisReply &reply = *replies[i];
    if (is_error(reply) && text_of(reply).starts_with("ERR DB index"))
      throw omnistore::Failure(OMNISTORE_INVALID, "option url: the server has no database " +
                                                      std::to_string(endpoint.database) +
                                                      "; its setting `databases` is their number");
    not_error(reply);
  }
  // NOPERM: the user may not ping, but is logged in.
  if (is_error(*replies[ping]) && !text_of(*replies[ping]).starts_with("NOPERM")) throw failure_of(*replies[ping]);
  check_version(*replies[ping + 1]);
}

std::size_t Connection::send(std::string_view bytes) {
  const ssize_t sent =
      tls_ ? tls_->send(bytes) : ::send(context_->fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  if (is_pause(errno)) return 0;
  throw BrokenConnection(message_of(errno));
}

bool Connection::receive(milliseconds wait, bool or_send) {
  int flags = tls_ && tls_->has_more() ? MSG_DONTWAIT : 0;
  if (flags == 0 && (or_send || wait < poll_slice)) {
    pollfd waited{context_->fd, static_cast<short>(or_send ? POLLIN | POLLOUT : POLLIN), 0};
    poll(&waited, 1, static_cast<int>(std::clamp(wait, milliseconds(0), poll_slice).count()));
    flags = MSG_DONTWAIT;
  }
  if (!receive_once(flags)) return false;
  // poll() on the socket does not show bytes that TLS has already read from it.
  while (tls_ && tls_->has_more() && receive_once(MSG_DONTWAIT)) {
  }
  return true;
}

/// Returns true if bytes arrived.
bool Connection::receive_once(int flags) {
  std::array<char, 16 * 1024> buffer;
  const ssize_t got = tls_ ? tls_->receive(buffer.data(), buffer.size(), flags)
                           : recv(context_->fd, buffer.data(), buffer.size(), flags);
  if (got == 0) throw BrokenConnection("the server closed the connection");
  if (got < 0) {
    if (is_pause(errno)) return false;
    throw BrokenConnection(message_of(errno));
  }
  if (redisReaderFeed(context_->reader, buffer.data(), static_cast<std::size_t>(got)) != REDIS_OK)
    throw BrokenConnection(context_->reader->errstr);
  return true;
}

Reply Connection::next() {
  void *reply = nullptr;
  if (redisReaderGetReply(context_->reader, &reply) != REDIS_OK) throw BrokenConnection(context_->reader->errstr);
  return Reply(static_cast<redisReply *>(reply));
}

Replies Connection::exchange(Commands &commands, Clock::time_point deadline) {
  std::string_view rest = commands.bytes();
  Replies replies;
  while (replies.size() < commands.count()) {
    if (!rest.empty()) rest.remove_prefix(send(rest));
    if (Reply reply = next()) {
      replies.push_back(std::move(reply));
      continue;
    }
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    if (left.count() <= 0) throw omnistore::Failure(OMNISTORE_TIMEOUT, "no reply in time");
    receive(left, !rest.empty());
  }
  return replies;
}

bool Connection::is_closed() const {
  char byte;
  const ssize_t got = recv(context_->fd, &byte, 1, MSG_DONTWAIT | MSG_PEEK);
  return got >= 0 || !is_pause(errno);
}

} // namespace redis
