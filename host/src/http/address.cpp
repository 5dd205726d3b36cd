// SPDX-License-Identifier: Apache-2.0
#include "http/address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <omnistore/error.hpp>

#include "base/authority.hpp"
#include "base/printable.hpp"

namespace omnistore::http {

std::string Address::text() const {
  const bool six = host.find(':') != std::string::npos;
  return (six ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Address parse_listen(const std::string &text, const std::string &field) {
  const auto wrong = [&](const std::string &why) {
    return Error(Status::invalid, field + ".listen: expected " + why + ", found \"" + base::printable(text) + "\"");
  };
  const auto authority = base::parse_authority(text);
  if (!authority || !authority->port) throw wrong("ADDRESS:PORT such as 127.0.0.1:7700 or [::1]:7700");
  const bool is_name = authority->kind == base::Authority::Kind::name;
  if (is_name && !authority->is_loopback())
    throw wrong("an IP address such as 127.0.0.1, 0.0.0.0 or [::1], or localhost");
  return {is_name ? "127.0.0.1" : std::string(authority->host), *authority->port, authority->is_loopback(), -1};
}

Address address_of(int socket, const std::string &field) {
  sockaddr_storage name{};
  socklen_t size = sizeof name;
  int listens = 0;
  socklen_t int_size = sizeof listens;
  const bool known = ::getsockname(socket, reinterpret_cast<sockaddr *>(&name), &size) == 0 &&
                     ::getsockopt(socket, SOL_SOCKET, SO_ACCEPTCONN, &listens, &int_size) == 0;
  char host[INET6_ADDRSTRLEN] = "";
  std::uint16_t port = 0;
  if (known && name.ss_family == AF_INET) {
    const auto &four = reinterpret_cast<const sockaddr_in &>(name);
    ::inet_ntop(AF_INET, &four.sin_addr, host, sizeof host);
    port = ntohs(four.sin_port);
  } else if (known && name.ss_family == AF_INET6) {
    const auto &six = reinterpret_cast<const sockaddr_in6 &>(name);
    ::inet_ntop(AF_INET6, &six.sin6_addr, host, sizeof host);
    port = ntohs(six.sin6_port);
  }
  if (listens == 0 || host[0] == '\0')
    throw Error(Status::invalid,
                field + ".listen: the socket that was passed to this process is no TCP socket that listens");
  Address address{host, port, false, socket};
  const std::string text = address.text();
  const auto authority = base::parse_authority(text);
  address.loopback = authority && authority->is_loopback();
  return address;
}

} // namespace omnistore::http
