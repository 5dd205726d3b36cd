// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace omnistore::base {

/// The "host:port" of a URL, of a Host header or of an address to listen on. The view points into the parsed text.
struct Authority {
  enum class Kind { name, ipv4, ipv6 };

  Kind kind = Kind::name;
  std::string_view host; ///< as it was written, but without the brackets of an IPv6 address; never empty
  std::optional<std::uint16_t> port;

  /// Returns true if the host is "localhost" or an address of this machine alone: 127.0.0.0/8, ::1, and ::ffff:127.x.
  bool is_loopback() const;
};

/// Parses an authority by the grammar of RFC 3986 without user information: a name, a dotted IPv4 address, or an IPv6
/// address in brackets without a zone, then nothing, ":" or ":PORT" with one to five digits up to 65535. Returns
/// nullopt for everything else. Allocates nothing. Thread-safe.
std::optional<Authority> parse_authority(std::string_view text);

/// Returns true if the two hosts are the same: names by their letters without regard to case or to a dot at the end,
/// addresses by what they mean ("::1" is "0:0:0:0:0:0:0:1").
bool same_host(const Authority &a, const Authority &b);

} // namespace omnistore::base
