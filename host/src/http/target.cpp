// SPDX-License-Identifier: Apache-2.0
#include "http/target.hpp"

#include <charconv>

#include "base/ascii.hpp"
#include "base/encoding.hpp"

namespace omnistore::http {

bool split_target(std::string_view target, Target &into) {
  into = {};
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!base::equal_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
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

std::optional<std::string> parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query = end == std::string_view::npos ? std::string_view() : query.substr(end + 1);
    const std::size_t equals = pair.find('=');
    if (pair.substr(0, equals) != name) continue;
    return equals == pair.npos ? std::string() : base::percent_decoded(pair.substr(equals + 1));
  }
  return std::nullopt;
}

std::optional<std::uint64_t> number(std::string_view text, std::uint64_t least, std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) return std::nullopt;
  return value;
}

} // namespace omnistore::http
