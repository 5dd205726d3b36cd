// SPDX-License-Identifier: Apache-2.0
#include "cli/host_url.hpp"

#include <charconv>

#include <omnistore/error.hpp>

#include "config/names.hpp"

namespace omnistore::cli {

HostUrl parse_host_url(const std::string &text) {
  const auto bad = [&](const std::string &why) {
    return Error(Status::invalid, "URL " + config::without_passwords(text) + ": " + why);
  };
  HostUrl url;
  std::string_view rest = text;
  url.secure = rest.starts_with("https://");
  if (!url.secure && !rest.starts_with("http://")) throw bad("expected http://HOST:PORT or https://HOST:PORT");
  if (url.secure) url.port = 443;
  rest.remove_prefix(url.secure ? 8 : 7);
  const std::string_view authority = rest.substr(0, rest.find('/'));
  url.folder = rest.substr(authority.size());
  while (url.folder.ends_with('/')) url.folder.pop_back();
  const std::size_t bracket = authority.rfind(']');
  const std::size_t colon = authority.rfind(':');
  const bool has_port = colon != authority.npos && (bracket == authority.npos || colon > bracket);
  url.host = authority.substr(0, has_port ? colon : authority.npos);
  if (url.host.empty() || url.host.find('@') != url.host.npos)
    throw bad("expected http://HOST:PORT or https://HOST:PORT");
  if (has_port) {
    const std::string_view digits = authority.substr(colon + 1);
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), url.port);
    if (failed != std::errc{} || end != digits.data() + digits.size() || url.port == 0)
      throw bad("the port must be a number from 1 to 65535");
  }
  return url;
}

std::string escape(std::string_view text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
                       byte == '-' || byte == '.' || byte == '_' || byte == '~';
    if (plain)
      result += c;
    else
      result.append({'%', digits[byte >> 4], digits[byte & 15]});
  }
  return result;
}

} // namespace omnistore::cli
