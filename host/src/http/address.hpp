// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace omnistore::http {

/// The address of a listener.
struct Address {
  std::string host; ///< numeric, without brackets: "127.0.0.1", "::1"; empty for a unix socket
  std::uint16_t port = 0;
  bool loopback = false; ///< only programs of this machine reach it
  int socket = -1;       ///< a descriptor that listens there already, which the listener takes; -1: none
  std::string path{};    ///< of a unix socket
  unsigned mode = 0600;  ///< of its file, if the listener makes it

  bool is_unix() const { return !path.empty(); }
  /// "127.0.0.1:7700", "[::1]:7700", "unix:/run/omnistore/http.sock"
  std::string text() const;
};

/// Parses "address:port", "[address]:port", "localhost:port" or "unix:/path". Throws Error(invalid) that names `field`
/// ("server.http").
Address parse_listen(const std::string &text, const std::string &field);

/// Returns the address of a socket that another process opened. Throws Error(invalid) that names `field` if it is no
/// TCP or unix socket that listens.
Address address_of(int socket, const std::string &field);

} // namespace omnistore::http
