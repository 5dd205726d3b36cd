// SPDX-License-Identifier: Apache-2.0
#include "server/target.hpp"

#include <charconv>

#include "server/text.hpp"

namespace omnistore::server {

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The byte that the escape at the front of `text` ("%2f") stands for; -1: it is none.
int escaped(std::string_view text) {
  if (text.size() < 3 || text[0] != '%') return -1;
  const int high = hex_digit(text[1]), low = hex_digit(text[2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

bool separates(char c) { return c == '/' || c == ':' || c == '\\'; }

constexpr const char *dot_segment = "Invalid key: '.' and '..' are not allowed as segments";

/// Whether a file system would take a segment for a step.
bool is_step(std::string_view segment) { return segment == "." || segment == ".."; }

/// The character that the escape at the front of `text` stands for; returns what is wrong with it, or null.
const char *unescape(std::string_view text, char &c) {
  const int byte = escaped(text);
  c = static_cast<char>(byte);
  if (byte < 0) return "Invalid key: '%' must be followed by two hexadecimal digits";
  if (byte == 0) return "Invalid key: NUL is not allowed";
  return c == '?' ? "Invalid key: '?' is not allowed" : nullptr;
}

} // namespace

bool split_target(std::string_view target, Target &into) {
  into = {};
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equal_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    target.remove_prefix(scheme.size());
    const std::size_t end = target.find_first_of("/?");
    into.authority = target.substr(0, end);
    target = end == std::string_view::npos ? std::string_view("/") : target.substr(end);
    if (into.authority.empty()) return false;
    break;
  }
  const std::size_t question = target.find('?');
  into.path = target.substr(0, question);
  if (question != std::string_view::npos) into.query = target.substr(question + 1);
  if (into.path.empty() && !into.authority.empty()) into.path = "/";
  return into.path == "*" || into.path.starts_with('/');
}

const char *decode_key(std::string_view path, std::string &key, bool &is_base) {
  is_base = path.empty() || path.back() == '/' || path.back() == ':';
  key.resize(path.size()); // it only gets shorter
  char *const start = key.data();
  char *at = start;
  const char *segment = start; // where the last one begins
  const char *problem = nullptr;
  const auto end_segment = [&] {
    if (is_step({segment, static_cast<std::size_t>(at - segment)})) problem = dot_segment;
  };
  for (std::size_t i = 0; i < path.size() && !problem; ++i) {
    char c = path[i];
    if (c == '%') {
      problem = unescape(path.substr(i), c);
      i += 2;
    }
    if (!separates(c)) {
      *at++ = c;
    } else if (at != segment) {
      end_segment();
      *at++ = ':';
      segment = at;
    }
  }
  if (!problem) end_segment();
  if (at == segment && at != start) --at; // the ':' behind the last segment
  key.resize(static_cast<std::size_t>(at - start));
  if (!problem && !is_base && key.empty()) problem = "Invalid key: it is empty";
  return problem;
}

std::optional<std::string> parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) != name) continue;
    std::string value;
    if (equals == std::string_view::npos) return value;
    for (std::size_t i = equals + 1; i < pair.size(); ++i) {
      const int byte = escaped(pair.substr(i));
      value.push_back(byte < 0 ? pair[i] : static_cast<char>(byte));
      if (byte >= 0) i += 2;
    }
    return value;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> number(std::string_view text, std::uint64_t least, std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) return std::nullopt;
  return value;
}

} // namespace omnistore::server
