// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "cli/host_url.hpp"
#include "tls/tls.hpp"

namespace omnistore::cli {

struct AdminRequest {
  std::string method, path; ///< the path is escaped
  std::string_view body;
};

struct AdminResponse {
  unsigned status = 0;
  std::string challenge; ///< WWW-Authenticate
  std::string body;
};

/// Sends one request to an admin listener, on a connection of its own, and returns the whole response. It speaks
/// HTTP/1.0, so the response is neither chunked nor followed by another. Throws Error(unavailable) if there is no
/// connection, or it breaks off, and Error(timeout) if no byte moves for 60 seconds.
AdminResponse send_to_admin(const HostUrl &url, const std::string &token, const tls::ClientFiles &tls,
                            const AdminRequest &request);

} // namespace omnistore::cli
