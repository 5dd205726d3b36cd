// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace omnistore::cli {

/// The URL of one of a host's listeners: http[s]://HOST[:PORT][/FOLDER] or unix:/PATH.
struct HostUrl {
  bool secure = false;
  std::string host; ///< of IPv6 with its brackets
  std::uint16_t port = 80;
  std::string folder; ///< without a '/' at its end
  std::string socket; ///< the path of a unix socket; empty: it is TCP

  std::string address() const { return socket.empty() ? host + ":" + std::to_string(port) : "unix:" + socket; }
};

/// Throws Error(invalid), which names the text.
HostUrl parse_host_url(const std::string &text);

/// Percent-encodes every byte except letters, digits and "-._~".
std::string escape(std::string_view text);

} // namespace omnistore::cli
