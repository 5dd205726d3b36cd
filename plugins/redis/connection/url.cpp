// SPDX-License-Identifier: Apache-2.0
#include "connection/url.hpp"

#include <charconv>
#include <limits>

#include <sys/un.h>

#include <omnistore/failure.hpp>

namespace redis {
namespace {

[[noreturn]] void refuse(const std::string &why) { throw omnistore::Failure(OMNISTORE_INVALID, "option url: " + why); }

/// A server cannot have a database with a larger number, whatever its setting `databases`.
constexpr std::uint32_t most_databases = std::numeric_limits<std::int32_t>::max() - 1;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string decoded(std::string_view text, const char *what) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 1 < text.size() ? hex_digit(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
    if (high < 0 || low < 0) refuse(std::string("two hexadecimal digits follow each '%' of the ") + what);
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  if (out.find('\0') != out.npos) refuse(std::string("the ") + what + " has a NUL in it");
  return out;
}

template <class Number>
Number number(std::string_view text, const char *what, Number most = std::numeric_limits<Number>::max()) {
  Number value{};
  const char *end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc() || stop != end || value > most)
    refuse(std::string("the ") + what + " is a number from 0 to " + std::to_string(most));
  return value;
}

/// Removes the login before an '@' from the text.
void take_login(std::string_view &text, std::size_t end, Endpoint &into) {
  const std::size_t at = text.substr(0, end).rfind('@');
  if (at == text.npos) return;
  const std::string_view login = text.substr(0, at);
  text.remove_prefix(at + 1);
  const std::size_t colon = login.find(':');
  into.user = decoded(login.substr(0, colon), "user");
  if (colon == login.npos) refuse("a password follows the user, as redis://user:password@host");
  into.password = decoded(login.substr(colon + 1), "password");
  into.has_password = true;
}

/// Removes "?db=N" from the text.
void take_query(std::string_view &text, Endpoint &into) {
  const std::size_t mark = text.find('?');
  if (mark == text.npos) return;
  const std::string_view query = text.substr(mark + 1);
  text = text.substr(0, mark);
  if (!query.starts_with("db=")) refuse("only db=NUMBER may follow the '?'");
  into.database = number<std::uint32_t>(query.substr(3), "database", most_databases);
}

void take_address(std::string_view address, Endpoint &into) {
  if (address.starts_with('[')) {
    const std::size_t end = address.find(']');
    if (end == address.npos) refuse("the ']' of the address is missing");
    into.host = address.substr(1, end - 1);
    address.remove_prefix(end + 1);
  } else {
    const std::size_t colon = address.find(':');
    into.host = decoded(address.substr(0, colon), "host");
    address.remove_prefix(colon == address.npos ? address.size() : colon);
  }
  if (into.host.empty()) into.host = "127.0.0.1";
  if (address.empty()) return;
  if (address[0] != ':') refuse("a ':' and the port follow the host");
  into.port = number<std::uint16_t>(address.substr(1), "port");
}

Endpoint tcp(std::string_view text) {
  Endpoint result;
  take_query(text, result);
  take_login(text, text.npos, result);
  const std::size_t slash = text.find('/');
  take_address(text.substr(0, slash), result);
  if (slash != text.npos && slash + 1 != text.size())
    result.database = number<std::uint32_t>(text.substr(slash + 1), "database after the '/'", most_databases);
  return result;
}

Endpoint unix_socket(std::string_view text) {
  Endpoint result;
  take_query(text, result);
  take_login(text, text.find('/'), result);
  result.host.clear();
  result.path = decoded(text, "path");
  if (!result.path.starts_with('/')) refuse("the socket's path begins with a '/', as unix:///run/redis.sock");
  if (result.path.size() >= sizeof(sockaddr_un::sun_path))
    refuse("the socket's path has more than " + std::to_string(sizeof(sockaddr_un::sun_path) - 1) + " bytes");
  return result;
}

} // namespace

std::string Endpoint::shown() const {
  if (host.empty()) return path;
  return (host.find(':') == host.npos ? host : "[" + host + "]") + ":" + std::to_string(port);
}

Endpoint parse_address(const char *option, std::string_view address, std::uint16_t default_port) {
  const auto refused = [&](const std::string &why) {
    return omnistore::Failure(OMNISTORE_INVALID, std::string("option ") + option + ": " + why);
  };
  if (address.empty() || address.find_first_of("/@?%") != address.npos)
    throw refused("each item is a server, as host:port");
  Endpoint result;
  result.port = default_port;
  try {
    take_address(address, result);
  } catch (const omnistore::Failure &failure) {
    throw refused(std::string(failure.what()).substr(std::string_view("option url: ").size()));
  }
  return result;
}

Endpoint parse_url(std::string_view url) {
  const std::size_t end = url.find("://");
  const std::string_view scheme = url.substr(0, end == url.npos ? 0 : end);
  const std::string_view rest = url.substr(end == url.npos ? 0 : end + 3);
  if (scheme == "redis") return tcp(rest);
  if (scheme == "unix" || scheme == "redis+unix") return unix_socket(rest);
  if (scheme == "rediss") {
    Endpoint result = tcp(rest);
    result.secure = true;
    return result;
  }
  refuse("it begins with redis://, rediss:// or unix://");
}

} // namespace redis
