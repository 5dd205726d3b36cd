// SPDX-License-Identifier: Apache-2.0
// Sockets on 127.0.0.1.
#pragma once

#include <cstdint>
#include <stdexcept>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

namespace test {

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

/// A socket that is bound to a free port, and closed with the object. Throws std::runtime_error.
class LoopbackPort {
public:
  LoopbackPort() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    auto *generic = reinterpret_cast<sockaddr *>(&address);
    if (::bind(socket_, generic, size) != 0 || ::getsockname(socket_, generic, &size) != 0) {
      ::close(socket_);
      throw std::runtime_error("no free port");
    }
    number_ = ntohs(address.sin_port);
  }
  LoopbackPort(const LoopbackPort &) = delete;
  LoopbackPort &operator=(const LoopbackPort &) = delete;
  ~LoopbackPort() { ::close(socket_); }

  std::uint16_t number() const { return number_; }
  int socket() const { return socket_; }
  void listen() const {
    if (::listen(socket_, 64) != 0) throw std::runtime_error("a test cannot listen");
  }

private:
  int socket_;
  std::uint16_t number_ = 0;
};

/// Returns a port that nobody uses now. Another program may take it before the caller does.
inline std::uint16_t free_port() { return LoopbackPort().number(); }

/// Returns `end`, connected to the address, or closes it and returns -1.
inline int connected(int end, const sockaddr *address, socklen_t size) {
  if (::connect(end, address, size) == 0) return end;
  ::close(end);
  return -1;
}
inline int connected_to(std::uint16_t port) {
  const sockaddr_in address = loopback(port);
  return connected(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), reinterpret_cast<const sockaddr *>(&address),
                   sizeof address);
}

} // namespace test
