// SPDX-License-Identifier: Apache-2.0
#include "base/authority.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>

namespace omnistore::base {

namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool is_hex(char c) { return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f'); }

/// An address as inet_pton reads it, in network order; false: it is none.
template <std::size_t Size>
bool read_address(int family, std::string_view text, std::array<unsigned char, Size> &into) {
  char copy[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof copy || text.find('\0') != std::string_view::npos) return false;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  return inet_pton(family, copy, into.data()) == 1;
}

using Four = std::array<unsigned char, 4>;
using Six = std::array<unsigned char, 16>;

/// reg-name of RFC 3986: unreserved, sub-delims and percent escapes.
bool is_name(std::string_view text) {
  constexpr std::string_view marks = "-._~!$&'()*+,;=";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || marks.find(c) != std::string_view::npos) continue;
    if (c != '%' || i + 2 >= text.size() || !is_hex(text[i + 1]) || !is_hex(text[i + 2])) return false;
    i += 2;
  }
  return !text.empty();
}

/// What follows the host: nothing, or ':' and at most five digits.
bool read_port(std::string_view text, std::optional<std::uint16_t> &port) {
  if (text.empty()) return true;
  if (text.front() != ':' || text.size() > 6) return false;
  text.remove_prefix(1);
  if (text.empty()) return true;
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number > 65535) return false;
  port = static_cast<std::uint16_t>(number);
  return true;
}

bool equal_names(std::string_view a, std::string_view b) {
  if (a.ends_with('.')) a.remove_suffix(1);
  if (b.ends_with('.')) b.remove_suffix(1);
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

} // namespace

std::optional<Authority> parse_authority(std::string_view text) {
  Authority result;
  std::string_view after;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return std::nullopt;
    result.kind = Authority::Kind::ipv6;
    result.host = text.substr(1, end - 1);
    after = text.substr(end + 1);
    Six six;
    if (!read_address(AF_INET6, result.host, six)) return std::nullopt;
  } else {
    const std::size_t end = std::min(text.find(':'), text.size());
    result.host = text.substr(0, end);
    after = text.substr(end);
    if (!is_name(result.host)) return std::nullopt;
    Four four;
    if (is_digit(result.host.front()) && read_address(AF_INET, result.host, four)) result.kind = Authority::Kind::ipv4;
  }
  if (!read_port(after, result.port)) return std::nullopt;
  return result;
}

bool Authority::is_loopback() const {
  Four four;
  Six six;
  switch (kind) {
  case Kind::name:
    return equal_names(host, "localhost");
  case Kind::ipv4:
    return read_address(AF_INET, host, four) && four[0] == 127;
  case Kind::ipv6: {
    if (!read_address(AF_INET6, host, six)) return false;
    constexpr Six one = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
    constexpr std::array<unsigned char, 12> mapped = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    return six == one || (std::equal(mapped.begin(), mapped.end(), six.begin()) && six[12] == 127);
  }
  }
  return false;
}

bool same_host(const Authority &a, const Authority &b) {
  if (a.kind != b.kind) return false;
  if (a.kind != Authority::Kind::ipv6) return equal_names(a.host, b.host);
  Six one, other;
  return read_address(AF_INET6, a.host, one) && read_address(AF_INET6, b.host, other) && one == other;
}

} // namespace omnistore::base
