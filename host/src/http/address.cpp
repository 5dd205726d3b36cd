// SPDX-License-Identifier: Apache-2.0
#include "http/address.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <omnistore/error.hpp>

#include "base/authority.hpp"
#include "base/printable.hpp"

namespace omnistore::http {

namespace {

constexpr std::string_view unix_scheme = "unix:";

} // namespace

std::string Address::text() const {
  if (is_unix()) return std::string(unix_scheme) + path;
  const bool six = host.find(':') != std::string::npos;
  return (six ? "[" + host + "]" : host) + ":" + std::to_string(port);
}

Address parse_listen(const std::string &text, const std::string &field) {
  const auto wrong = [&](const std::string &why) {
    return Error(Status::invalid, field + ".listen: expected " + why + ", found \"" + base::printable(text) + "\"");
  };
  if (text.starts_with(unix_scheme)) {
    const std::string path = text.substr(unix_scheme.size());
    if (path.empty() || path[0] != '/') throw wrong("an absolute path after unix:");
    if (path.size() >= sizeof(sockaddr_un::sun_path))
      throw wrong("a path of at most " + std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes after unix:");
    Address address;
    address.loopback = true;
    address.path = path;
    return address;
  }
  const auto authority = base::parse_authority(text);
  if (!authority || !authority->port) throw wrong("ADDRESS:PORT such as 127.0.0.1:7700 or [::1]:7700, or unix:/PATH");
  const bool is_name = authority->kind == base::Authority::Kind::name;
  if (is_name && !authority->is_loopback())
    throw wrong("an IP address such as 127.0.0.1, 0.0.0.0 or [::1], or localhost");
  Address address;
  address.host = is_name ? "127.0.0.1" : std::string(authority->host);
  address.port = *authority->port;
  address.loopback = authority->is_loopback();
  return address;
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
  if (known && listens != 0 && name.ss_family == AF_UNIX) {
    const auto &local = reinterpret_cast<const sockaddr_un &>(name);
    const std::size_t most = size - std::min<std::size_t>(size, offsetof(sockaddr_un, sun_path));
    std::string path(local.sun_path, ::strnlen(local.sun_path, most));
    Address address;
    address.loopback = true;
    address.socket = socket;
    address.path = path.empty() ? "@" : path; // "@": an abstract one
    return address;
  }
  if (listens == 0 || host[0] == '\0')
    throw Error(Status::invalid,
                field + ".listen: the socket that was passed to this process is no TCP or unix socket that listens");
  Address address;
  address.host = host;
  address.port = port;
  address.socket = socket;
  const std::string text = address.text();
  const auto authority = base::parse_authority(text);
  address.loopback = authority && authority->is_loopback();
  return address;
}

} // namespace omnistore::http
