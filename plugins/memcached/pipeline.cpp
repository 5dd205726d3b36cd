// SPDX-License-Identifier: Apache-2.0
#include "pipeline.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <system_error>

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <omnistore/failure.hpp>

namespace memcached_driver {
namespace {

using Clock = std::chrono::steady_clock;

omnistore::Failure away(const std::string &why) { return {OMNISTORE_UNAVAILABLE, why}; }
std::string message_of(int error) { return std::generic_category().message(error); }

/// Waits until the socket is ready. Returns false if it is not within the time.
bool await(int socket, short events, milliseconds time) {
  pollfd waited{socket, events, 0};
  return poll(&waited, 1, static_cast<int>(std::clamp(time, milliseconds(0), milliseconds(INT32_MAX)).count())) > 0;
}

/// Returns a connected socket, or -1 with the reason in errno.
int connected(const sockaddr *address, socklen_t size, int family, milliseconds timeout) {
  const int made = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (made < 0) return -1;
  int error = ::connect(made, address, size) == 0 ? 0 : errno;
  if (error == EINPROGRESS) {
    socklen_t length = sizeof error;
    error = ETIMEDOUT;
    if (await(made, POLLOUT, timeout)) getsockopt(made, SOL_SOCKET, SO_ERROR, &error, &length);
  }
  if (error == 0) return made;
  ::close(made);
  errno = error;
  return -1;
}

} // namespace

Pipeline::Pipeline(const Address &server, milliseconds timeout) { connect(server, timeout); }

Pipeline::~Pipeline() { ::close(socket_); }

void Pipeline::connect(const Address &server, milliseconds timeout) {
  if (server.host.empty()) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (server.path.size() >= sizeof address.sun_path) throw away(server.shown + ": the path is too long");
    std::memcpy(address.sun_path, server.path.data(), server.path.size());
    socket_ = connected(reinterpret_cast<const sockaddr *>(&address), sizeof address, AF_UNIX, timeout);
  } else {
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    const int error = getaddrinfo(server.host.c_str(), std::to_string(server.port).c_str(), &hints, &found);
    if (error != 0) throw away(server.shown + ": " + gai_strerror(error));
    const std::unique_ptr<addrinfo, void (*)(addrinfo *)> all(found, &freeaddrinfo);
    for (const addrinfo *each = found; each && socket_ < 0; each = each->ai_next)
      socket_ = connected(each->ai_addr, each->ai_addrlen, each->ai_family, timeout);
    const int on = 1;
    if (socket_ >= 0) setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  if (socket_ < 0) throw away(server.shown + ": " + message_of(errno));
}

bool Pipeline::is_closed() const {
  char byte;
  return ::recv(socket_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) >= 0 || (errno != EAGAIN && errno != EINTR);
}

void Pipeline::run(omnistore::Call call, std::string_view commands, std::size_t count, milliseconds patience,
                   std::vector<std::string> &replies) {
  std::string line;
  for (auto heard = Clock::now(); replies.size() < count;) {
    const auto silent = std::chrono::duration_cast<milliseconds>(Clock::now() - heard);
    const milliseconds left(call.remaining());
    if (left.count() <= 0)
      throw omnistore::Failure(call.late(), "the call's time was over before the server had replied");
    if (silent >= patience) throw omnistore::Failure(OMNISTORE_TIMEOUT, "no reply in time");
    const short events = commands.empty() ? POLLIN : POLLIN | POLLOUT;
    if (!await(socket_, events, std::min({left, patience - silent, milliseconds(100)}))) continue; // cancelled?
    if (!commands.empty()) {
      const ssize_t sent = ::send(socket_, commands.data(), commands.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN && errno != EINTR) throw away(message_of(errno));
      if (sent > 0) commands.remove_prefix(static_cast<std::size_t>(sent)), heard = Clock::now();
    }
    char buffer[4096];
    const ssize_t got = ::recv(socket_, buffer, sizeof buffer, 0);
    if (got == 0) throw away("the server closed the connection");
    if (got < 0 && errno != EAGAIN && errno != EINTR) throw away(message_of(errno));
    if (got <= 0) continue;
    heard = Clock::now();
    for (const char c : std::string_view(buffer, static_cast<std::size_t>(got))) {
      line += c;
      if (!line.ends_with("\r\n")) continue;
      line.resize(line.size() - 2);
      replies.push_back(std::move(line));
      line.clear();
    }
  }
}

} // namespace memcached_driver
