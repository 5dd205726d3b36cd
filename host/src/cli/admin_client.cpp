// SPDX-License-Identifier: Apache-2.0
#include "cli/admin_client.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

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
  Connection(const HostUrl &url, const tls::ClientFiles &files) : address_(url.address()) {
    if (url.socket.empty())
      connect(url);
    else
      connect_unix(url.socket);
    if (!url.secure) return;
    const bool bracketed = url.host.starts_with('[');
    tls_ = tls::module().connect(socket_.number(), bracketed ? url.host.substr(1, url.host.size() - 2) : url.host,
                                 address_, files);
    for (short event = 0; (event = tls_->connect()) != 0;) wait("connect", event);
  }

  void write(std::string_view bytes) {
    while (!bytes.empty()) {
      if (tls_) {
        std::size_t sent = 0;
        if (const short event = tls_->write(bytes, sent)) wait("write to", event);
        bytes.remove_prefix(sent);
        continue;
      }
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
    while (tls_) {
      std::size_t got = 0;
      const short event = tls_->read(piece, sizeof piece, got);
      if (event != 0)
        wait("read from", event);
      else if (got == 0)
        return text;
      text.append(piece, got);
    }
    for (;;) {
      wait("read from", POLLIN);
      const ssize_t got = ::recv(socket_.number(), piece, sizeof piece, 0);
      if (got == 0) return text;
      if (got < 0 && errno != EAGAIN) fail("read from", errno);
      text.append(piece, static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
    }
  }

private:
  void connect(const HostUrl &url) {
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
  void connect_unix(const std::string &path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) fail("connect", ENAMETOOLONG);
    std::memcpy(address.sun_path, path.data(), path.size());
    addrinfo to{};
    to.ai_family = AF_UNIX;
    to.ai_addr = reinterpret_cast<sockaddr *>(&address);
    to.ai_addrlen = sizeof address;
    if (const int error = connect(to); error != 0) fail("connect", error);
  }
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
  std::unique_ptr<tls::Client> tls_; ///< null: the host speaks plain HTTP
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

AdminResponse send_to_admin(const HostUrl &url, const std::string &token, const tls::ClientFiles &tls,
                            const AdminRequest &request) {
  if (token.find_first_of("\r\n") != token.npos)
    throw Error(Status::invalid, "the token has a line end in it, so it cannot be sent");
  const std::string address = url.address();
  const WaitsForHost waits(address);
  Connection connection(url, tls);
  connection.write(request.method + " " + url.folder + request.path +
                   " HTTP/1.0\r\nHost: " + (url.socket.empty() ? address : url.host) + "\r\n" +
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
