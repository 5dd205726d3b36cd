// SPDX-License-Identifier: Apache-2.0
#include "base/authority.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include <arpa/inet.h>

#include "base/ascii.hpp"
#include "base/encoding.hpp"

namespace omnistore::base {

namespace {

using Six = std::array<unsigned char, 16>;

/// Reads an IPv6 address into network order. Returns false if it is none.
bool read_ipv6(std::string_view text, Six &into) {
  char copy[INET6_ADDRSTRLEN];
  if (text.size() >= sizeof copy || text.find('\0') != std::string_view::npos) return false;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  return inet_pton(AF_INET6, copy, into.data()) == 1;
}

/// Which bytes a name may have: unreserved and sub-delims of RFC 3986. A table, since each request has a Host.
constexpr std::array<bool, 256> in_names = [] {
  std::array<bool, 256> table{};
  for (const char c : std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&'()*+,;="))
    table[static_cast<unsigned char>(c)] = true;
  return table;
}();

/// Returns true for four numbers up to 255 without leading zeros, as inet_pton reads them.
bool is_ipv4(std::string_view text) {
  for (int i = 0; i < 4; ++i) {
    if (i > 0 && !text.starts_with('.')) return false;
    if (i > 0) text.remove_prefix(1);
    unsigned number = 0;
    std::size_t digits = 0;
    for (; digits < text.size() && digits < 4 && is_digit(text[digits]); ++digits)
      number = number * 10 + static_cast<unsigned>(text[digits] - '0');
    if (digits == 0 || number > 255 || (digits > 1 && text[0] == '0')) return false;
    text.remove_prefix(digits);
  }
  return text.empty();
}

/// reg-name of RFC 3986.
bool is_name(std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_names[static_cast<unsigned char>(c)]) continue;
    if (percent_byte(text.substr(i)) < 0) return false;
    i += 2;
  }
  return !text.empty();
}

/// Returns true if nothing follows the host, or a colon and at most five digits.
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
  return equal_ignoring_case(a, b);
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
    if (!read_ipv6(result.host, six)) return std::nullopt;
  } else {
    const std::size_t end = std::min(text.find(':'), text.size());
    result.host = text.substr(0, end);
    after = text.substr(end);
    if (!is_name(result.host)) return std::nullopt;
    if (is_ipv4(result.host)) result.kind = Authority::Kind::ipv4;
  }
  if (!read_port(after, result.port)) return std::nullopt;
  return result;
}

bool Authority::is_loopback() const {
  Six six;
  switch (kind) {
  case Kind::name:
    return equal_names(host, "localhost");
  case Kind::ipv4:
    return host.starts_with("127.");
  case Kind::ipv6: {
    if (!read_ipv6(host, six)) return false;
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
  return read_ipv6(a.host, one) && read_ipv6(b.host, other) && one == other;
}

} // namespace omnistore::base
