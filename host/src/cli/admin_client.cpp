// SPDX-License-Identifier: Apache-2.0
#include "cli/admin_client.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <utility>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <omnistore/error.hpp>

#include "base/ascii.hpp"
#include "base/descriptor.hpp"
#include "cli/time_limit.hpp"

namespace omnistore::cli {
namespace {

constexpr int connect_ms = 10'000, idle_ms = 60'000;

/// One connection. A message of a failure begins with the operation: "connect 127.0.0.1:7701: ...".
class Connection {
public:
  explicit Connection(const HostUrl &url) : address_(url.address()) {
    addrinfo hints{}, *found = nullptr;
    hints.ai_socktype = SOCK_STREAM;
    const bool bracketed = url.host.starts_with('[');
    const std::string name = bracketed ? url.host.substr(1, url.host.size() - 2) : url.host;
    if (const int failed = ::getaddrinfo(name.c_str(), std::to_string(url.port).c_str(), &hints, &found); failed != 0)
      throw Error(Status::unavailable, "resolve " + address_ + ": " + ::gai_strerror(failed));
    const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
    int error = 0;
    for (const addrinfo *each = found; each && !socket_; each = each->ai_next) error = connect(*each);
    if (!socket_) fail("connect", error);
  }

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      wait("write to", POLLOUT);
      const ssize_t sent = ::send(socket_.number(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN) fail("write to", errno);
      bytes.remove_prefix(static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
    }
  }
  /// Returns everything up to the end of the connection.
  std::string read() {
    std::string text;
    char piece[16 * 1024];
    for (;;) {
      wait("read from", POLLIN);
      const ssize_t got = ::recv(socket_.number(), piece, sizeof piece, 0);
      if (got == 0) return text;
      if (got < 0 && errno != EAGAIN) fail("read from", errno);
      text.append(piece, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    }
  }

private:
  /// Returns 0, or why there is no connection to this address.
  int connect(const addrinfo &to) {
    base::Descriptor socket(::socket(to.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) return errno;
    int error = ::connect(socket.number(), to.ai_addr, to.ai_addrlen) == 0 ? 0 : errno;
    if (error == EINPROGRESS) {
      pollfd ready{socket.number(), POLLOUT, 0};
      socklen_t size = sizeof error;
      error = ETIMEDOUT;
      if (::poll(&ready, 1, connect_ms) == 1) ::getsockopt(socket.number(), SOL_SOCKET, SO_ERROR, &error, &size);
    }
    if (error == 0) socket_ = std::move(socket);
    return error;
  }
  void wait(const char *what, short event) {
    pollfd ready{socket_.number(), event, 0};
    if (::poll(&ready, 1, idle_ms) == 0) fail(what, ETIMEDOUT);
  }
  [[noreturn]] void fail(const std::string &what, int error) const {
    throw Error(error == ETIMEDOUT && what != "connect" ? Status::timeout : Status::unavailable,
                what + " " + address_ + ": " + std::strerror(error));
  }

  const std::string address_;
  base::Descriptor socket_;
};

/// Returns a header's value; empty if it is absent.
std::string header_in(std::string_view head, std::string_view name) {
  while (!head.empty()) {
    const std::size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    const std::size_t colon = std::min(line.find(':'), line.size());
    if (colon < line.size() && base::equal_ignoring_case(line.substr(0, colon), name))
      return std::string(base::trimmed(line.substr(colon + 1)));
  }
  return {};
}

} // namespace

AdminResponse send_to_admin(const HostUrl &url, const std::string &token, const AdminRequest &request) {
  if (url.secure)
    throw Error(Status::invalid, "URL https://" + url.address() + ": the admin listener speaks http; name it as such");
  if (token.find_first_of("\r\n") != token.npos)
    throw Error(Status::invalid, "the token has a line end in it, so it cannot be sent");
  const std::string address = url.address();
  const WaitsForHost waits(address);
  Connection connection(url);
  connection.write(request.method + " " + url.folder + request.path + " HTTP/1.0\r\nHost: " + address + "\r\n" +
                   (token.empty() ? "" : "Authorization: Bearer " + token + "\r\n") +
                   "Content-Length: " + std::to_string(request.body.size()) + "\r\n\r\n");
  connection.write(request.body);
  const std::string text = connection.read();

  AdminResponse response;
  const std::size_t end = text.find("\r\n\r\n"), space = text.find(' ');
  const std::string_view head = std::string_view(text).substr(0, end);
  if (end != text.npos && space < end) std::from_chars(text.data() + space + 1, text.data() + end, response.status);
  if (response.status == 0) throw Error(Status::unavailable, "read from " + address + ": the connection ended early");
  response.challenge = header_in(head, "www-authenticate");
  response.body = text.substr(end + 4);
  const std::string length = header_in(head, "content-length");
  if (!length.empty() && std::to_string(response.body.size()) != length)
    throw Error(Status::unavailable, "read from " + address + ": the connection ended early");
  return response;
}

} // namespace omnistore::cli
