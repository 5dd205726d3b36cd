// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace omnistore::http {

/// The address of a listener.
struct Address {
  std::string host; ///< numeric, without brackets: "127.0.0.1", "::1"
  std::uint16_t port = 0;
  bool loopback = false; ///< only programs of this machine reach it
  int socket = -1;       ///< a descriptor that listens there already, which the listener takes; -1: none

  /// "127.0.0.1:7700", "[::1]:7700"
  std::string text() const;
};

/// Parses "address:port", "[address]:port" or "localhost:port". Throws Error(invalid) that names `field`
/// ("server.http").
Address parse_listen(const std::string &text, const std::string &field);

/// Returns the address of a socket that another process opened. Throws Error(invalid) that names `field` if it is no
/// TCP socket that listens.
Address address_of(int socket, const std::string &field);

} // namespace omnistore::http
