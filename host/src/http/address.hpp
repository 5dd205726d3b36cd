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

  /// "127.0.0.1:7700", "[::1]:7700"
  std::string text() const;
};

/// Parses "address:port", "[address]:port" or "localhost:port". Throws Error(invalid) that names `field`
/// ("server.http").
Address parse_listen(const std::string &text, const std::string &field);

} // namespace omnistore::http
