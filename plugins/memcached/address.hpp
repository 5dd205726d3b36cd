// SPDX-License-Identifier: Apache-2.0
// The address of a server, as the option `servers` has it.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace memcached_driver {

using std::chrono::milliseconds;

struct Address {
  std::string shown; ///< as the option has it
  std::string host;  ///< a name or a number; empty: a unix socket
  std::uint16_t port = 0;
  std::string path = {}; ///< of the unix socket
};

/// Reads "host[:port]", "[IPv6]:port" or the path of a unix socket. Throws Failure(OMNISTORE_INVALID).
Address parse_address(const std::string &text);

} // namespace memcached_driver
