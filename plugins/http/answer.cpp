// SPDX-License-Identifier: Apache-2.0
#include "answer.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include <curl/curl.h>

#include <omnistore/failure.hpp>
#include <omnistore/options.hpp>

#include "base.hpp"

namespace http {
namespace {

constexpr std::size_t LONGEST_WORDS = 200;

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
void read_status(Answer &answer, std::string_view line) {
  answer = {};
  const std::size_t space = line.find(' ');
  if (space == line.npos) return;
  line = trimmed(line.substr(space));
  answer.status = number<int>(line.substr(0, 3)).value_or(0);
  answer.reason = trimmed(line.substr(std::min<std::size_t>(3, line.size())));
}

/// "bytes 0-99/1000", "bytes */1000"
void read_range(Answer &answer, std::string_view value) {
  if (!value.starts_with("bytes ")) return;
  value.remove_prefix(6);
  const std::size_t slash = value.find('/'), dash = value.find('-');
  if (slash == value.npos) return;
  answer.whole = number<std::uint64_t>(value.substr(slash + 1)).value_or(OMNISTORE_UNKNOWN_SIZE);
  if (dash < slash) answer.first = number<std::uint64_t>(value.substr(0, dash)).value_or(0);
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

/// The message in an error's JSON, as unstorage's server and this host send it.
std::string message_in(const std::string &json) {
  try {
    return omnistore::Options(json).string("message", "");
  } catch (const omnistore::Failure &) {
    return {}; // a page for people
  }
}

/// As a part of one of our messages: one line, not too long, without a full stop.
std::string tamed(std::string text) {
  if (!is_utf8(text)) return {};
  for (char &c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  }
  if (text.size() > LONGEST_WORDS) {
    std::size_t end = LONGEST_WORDS;
    while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    text.resize(end);
  }
  text = trimmed(text);
  while (text.ends_with('.')) text.pop_back();
  return text;
}

} // namespace

std::uint64_t Answer::value_size() const {
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

std::int64_t Answer::told_mtime(std::int64_t now) const {
  constexpr std::int64_t SECOND = 1000;
  const std::int64_t sent = date != 0 ? date : now - now % SECOND;
  return etag.empty() && mtime + SECOND > sent ? 0 : mtime;
}

void read_line(Answer &answer, std::string_view line) {
  if (line.starts_with("HTTP/")) return read_status(answer, line);
  const std::size_t colon = line.find(':');
  if (colon == line.npos) return;
  const std::string_view name = line.substr(0, colon), value = trimmed(line.substr(colon + 1));
  if (is_named(name, "etag"))
    answer.etag = value;
  else if (is_named(name, "last-modified"))
    answer.mtime = date(value);
  else if (is_named(name, "date"))
    answer.date = date(value);
  else if (is_named(name, "x-ttl"))
    answer.ttl = milliseconds_of(value);
  else if (is_named(name, "x-user-meta"))
    answer.user = std::string(value);
  else if (is_named(name, "x-cursor"))
    answer.cursor = value;
  else if (is_named(name, "retry-after"))
    answer.retry_after = value;
  else if (is_named(name, "x-skipped"))
    answer.skipped += (answer.skipped.empty() ? "" : ", ") + std::string(value);
  else if (is_named(name, "content-length"))
    answer.length = number<std::uint64_t>(value).value_or(OMNISTORE_UNKNOWN_SIZE);
  else if (is_named(name, "content-range"))
    read_range(answer, value);
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

std::int64_t Answer::told_retry_after(std::int64_t now) const {
  if (retry_after.empty()) return 0;
  if (const std::int64_t span = milliseconds_of(retry_after); span >= 0) return span;
  const std::int64_t at = http::date(retry_after);
  return at == 0 ? 0 : std::max<std::int64_t>(at - (date != 0 ? date : now), 0);
}

bool changed_nothing(int http) { return http >= 400 && http < 500 && http != 408; }

std::string words_of(const Answer &answer) {
  std::string words = std::to_string(answer.status);
  if (const std::string reason = tamed(answer.reason); !reason.empty()) words += " " + reason;
  if (const std::string message = tamed(message_in(answer.text)); !message.empty()) words += ": " + message;
  return words;
}

} // namespace http
