// SPDX-License-Identifier: Apache-2.0
// The server's address, and the login, from the option `url`.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace redis {

class TlsSettings;

struct Endpoint {
  std::string host = "127.0.0.1"; ///< empty for a unix socket
  std::uint16_t port = 6379;
  std::string path; ///< of the unix socket
  std::string user, password;
  bool has_password = false;
  std::uint32_t database = 0;
  bool secure = false;                    ///< the url begins with rediss://
  std::shared_ptr<const TlsSettings> tls; ///< set by the driver if `secure`

  /// Returns the address for messages: "127.0.0.1:6379", "[::1]:6379" or the socket's path. Never a user or a password.
  std::string shown() const;
};

/// Throws Failure(OMNISTORE_INVALID), whose message contains no part of the url that may be a secret.
Endpoint parse_url(std::string_view url);

/// Reads "host[:port]", an item of the option `option`. Throws Failure(OMNISTORE_INVALID).
Endpoint parse_address(const char *option, std::string_view address, std::uint16_t default_port);

} // namespace redis
