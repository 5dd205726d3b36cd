// SPDX-License-Identifier: Apache-2.0
#include "transport/response.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include <curl/curl.h>

#include <omnistore/failure.hpp>
#include <omnistore/options.hpp>

#include "transport/base.hpp"

namespace http {
namespace {

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

bool is_named(std::string_view name, std::string_view lower) {
  return std::equal(name.begin(), name.end(), lower.begin(), lower.end(),
                    [](char c, char l) { return (c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c) == l; });
}

template <class Number>
std::optional<Number> number(std::string_view text) {
  Number value{};
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || stop != text.data() + text.size()) return {};
  return value;
}

/// "HTTP/1.1 200 OK"
void read_status(Response &response, std::string_view line) {
  response = {};
  const std::size_t space = line.find(' ');
  if (space == line.npos) return;
  line = trimmed(line.substr(space));
  response.status = number<int>(line.substr(0, 3)).value_or(0);
  response.reason = trimmed(line.substr(std::min<std::size_t>(3, line.size())));
}

/// "bytes 0-99/1000", "bytes */1000"
void read_range(Response &response, std::string_view value) {
  if (!value.starts_with("bytes ")) return;
  value.remove_prefix(6);
  const std::size_t slash = value.find('/'), dash = value.find('-');
  if (slash == value.npos) return;
  response.whole = number<std::uint64_t>(value.substr(slash + 1)).value_or(OMNISTORE_UNKNOWN_SIZE);
  if (dash < slash) response.first = number<std::uint64_t>(value.substr(0, dash)).value_or(0);
}

std::int64_t milliseconds_of(std::string_view seconds) {
  constexpr double most = 1e12;
  const auto value = number<double>(seconds);
  return value && *value >= 0 && *value <= most ? std::llround(*value * 1000) : -1;
}

std::int64_t date(std::string_view value) {
  const time_t seconds = curl_getdate(std::string(value).c_str(), nullptr);
  return seconds <= 0 ? 0 : static_cast<std::int64_t>(seconds) * 1000;
}

/// Returns the message in an error's JSON, as unstorage's server and an Omnistore host send it.
std::string message_in(const std::string &json) {
  try {
    return omnistore::Options(json).string("message", "");
  } catch (const omnistore::Failure &) {
    return {}; // a page for people
  }
}

/// Returns the error that a server gives for a token (RFC 6750): the value of error="..." in WWW-Authenticate.
std::string_view token_error(std::string_view challenge) {
  constexpr std::string_view name = "error=\"";
  const std::size_t at = challenge.find(name);
  if (at == challenge.npos) return {};
  const std::string_view rest = challenge.substr(at + name.size());
  return rest.substr(0, rest.find('"'));
}

} // namespace

std::string message_part(std::string text, std::size_t longest) {
  if (!is_utf8(text)) return {};
  for (char &c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  }
  if (text.size() > longest) {
    std::size_t end = longest;
    while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text.resize(end);
  }
  text = trimmed(text);
  while (text.ends_with('.')) text.pop_back();
  return text;
}

std::uint64_t Response::value_size() const {
  switch (status) {
  case 204:
    return 0;
  case 206:
  case 416:
    return whole;
  case 304: // has no body, and some servers say so
    return length == 0 ? OMNISTORE_UNKNOWN_SIZE : length;
  default:
    return length;
  }
}

std::int64_t Response::reliable_mtime(std::int64_t now) const {
  constexpr std::int64_t SECOND = 1000;
  const std::int64_t sent = date != 0 ? date : now - now % SECOND;
  return etag.empty() && mtime + SECOND > sent ? 0 : mtime;
}

void read_line(Response &response, std::string_view line) {
  if (line.starts_with("HTTP/")) return read_status(response, line);
  if (trimmed(line).empty()) {
    response.has_head = response.status >= 200; // else it was an interim response, such as 100
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == line.npos) return;
  const std::string_view name = line.substr(0, colon), value = trimmed(line.substr(colon + 1));
  if (is_named(name, "etag"))
    response.etag = value;
  else if (is_named(name, "last-modified"))
    response.mtime = date(value);
  else if (is_named(name, "date"))
    response.date = date(value);
  else if (is_named(name, "x-ttl"))
    response.ttl = milliseconds_of(value);
  else if (is_named(name, "x-user-meta"))
    response.user = std::string(value);
  else if (is_named(name, "x-cursor"))
    response.cursor = value;
  else if (is_named(name, "content-type"))
    response.content_type = value;
  else if (is_named(name, "www-authenticate"))
    response.challenge = value;
  else if (is_named(name, "retry-after"))
    response.retry_after = value;
  else if (is_named(name, "x-folders"))
    response.folders = true;
  else if (is_named(name, "x-skipped"))
    response.skipped += (response.skipped.empty() ? "" : ", ") + std::string(value);
  else if (is_named(name, "content-length"))
    response.length = number<std::uint64_t>(value).value_or(OMNISTORE_UNKNOWN_SIZE);
  else if (is_named(name, "content-range"))
    read_range(response, value);
}

omnistore_status status_of(int http, bool write) {
  switch (http) {
  case 404:
  case 410:
    return OMNISTORE_NOT_FOUND;
  case 401:
  case 403:
  case 407:
    return OMNISTORE_DENIED;
  case 405:
    return write ? OMNISTORE_READ_ONLY : OMNISTORE_UNSUPPORTED;
  case 501:
    return OMNISTORE_UNSUPPORTED;
  case 412:
    return OMNISTORE_CONFLICT;
  case 413:
  case 414:
  case 431: // a key that the server's head has no room for
    return OMNISTORE_TOO_LARGE;
  case 507:
    return OMNISTORE_NO_SPACE;
  case 504:
    return OMNISTORE_TIMEOUT;
  case 408:
  case 425:
  case 429:
    return OMNISTORE_UNAVAILABLE;
  default:
    return http >= 500 ? OMNISTORE_UNAVAILABLE : http >= 400 ? OMNISTORE_INVALID : OMNISTORE_IO;
  }
}

std::int64_t Response::retry_delay(std::int64_t now) const {
  if (retry_after.empty()) return 0;
  if (const std::int64_t span = milliseconds_of(retry_after); span >= 0) return span;
  const std::int64_t at = http::date(retry_after);
  return at == 0 ? 0 : std::max<std::int64_t>(at - (date != 0 ? date : now), 0);
}

bool changed_nothing(int http) { return http >= 400 && http < 500 && http != 408; }

std::string words_of(const Response &response, std::size_t longest) {
  std::string words = std::to_string(response.status);
  if (const std::string reason = message_part(response.reason, longest); !reason.empty()) words += " " + reason;
  if (const std::string message = message_part(message_in(response.text), longest); !message.empty())
    words += ": " + message;
  if (const std::string error = message_part(std::string(token_error(response.challenge)), longest); !error.empty())
    words += " (" + error + ")";
  return words;
}

} // namespace http
