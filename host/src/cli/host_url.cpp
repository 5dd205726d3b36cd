// SPDX-License-Identifier: Apache-2.0
#include "cli/host_url.hpp"

#include <optional>

#include <omnistore/error.hpp>

#include "base/authority.hpp"
#include "base/encoding.hpp"
#include "config/names.hpp"

namespace omnistore::cli {

HostUrl parse_host_url(const std::string &text) {
  const auto bad = [&](const std::string &why) {
    return Error(Status::invalid, "URL " + config::without_passwords(text) + ": " + why);
  };
  constexpr const char *expected = "expected http://HOST:PORT, https://HOST:PORT or unix:/PATH";
  HostUrl url;
  std::string_view rest = text;
  if (rest.starts_with("unix:/")) {
    url.host = "localhost";
    url.socket = rest.substr(5);
    return url;
  }
  url.secure = rest.starts_with("https://");
  if (!url.secure && !rest.starts_with("http://")) throw bad(expected);
  rest.remove_prefix(url.secure ? 8 : 7);
  const std::string_view place = rest.substr(0, rest.find('/'));
  url.folder = rest.substr(place.size());
  while (url.folder.ends_with('/')) url.folder.pop_back();
  const std::optional<base::Authority> authority = base::parse_authority(place);
  if (!authority) throw bad(expected);
  if (authority->port == 0) throw bad("the port must be a number from 1 to 65535");
  const bool is_ipv6 = authority->kind == base::Authority::Kind::ipv6;
  url.host = (is_ipv6 ? "[" : "") + std::string(authority->host) + (is_ipv6 ? "]" : "");
  url.port = authority->port.value_or(url.secure ? 443 : 80);
  return url;
}

std::string escape(std::string_view text) {
  std::string result;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~';
    plain ? result.push_back(c) : base::append_percent(result, c);
  }
  return result;
}

} // namespace omnistore::cli
