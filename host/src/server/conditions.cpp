// SPDX-License-Identifier: Apache-2.0
#include "server/conditions.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "server/target.hpp"
#include "server/text.hpp"

namespace omnistore::server {

bool EtagList::names(std::string_view etag, bool strong) const {
  if (any) return true;
  if (etag.empty()) return false;
  if (std::find(tags.begin(), tags.end(), etag) != tags.end()) return true;
  return !strong && std::find(weak.begin(), weak.end(), etag) != weak.end();
}

std::optional<EtagList> parse_etags(std::string_view text) {
  EtagList list;
  text = trimmed(text);
  if (text == "*") {
    list.any = true;
    return list;
  }
  while (!text.empty()) {
    const bool is_weak = text.starts_with("W/");
    if (is_weak) text.remove_prefix(2);
    const std::size_t end = text.starts_with('"') ? text.find('"', 1) : std::string_view::npos;
    if (end == std::string_view::npos) return std::nullopt;
    (is_weak ? list.weak : list.tags).push_back(text.substr(1, end - 1));
    text = trimmed(text.substr(end + 1));
    if (text.empty()) break;
    if (text.front() != ',') return std::nullopt;
    text = trimmed(text.substr(1));
  }
  if (list.tags.empty() && list.weak.empty()) return std::nullopt;
  return list;
}

std::optional<ByteRange> parse_range(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos || !equal_ignoring_case(trimmed(text.substr(0, equals)), "bytes")) {
    return std::nullopt;
  }
  text = trimmed(text.substr(equals + 1));
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  const std::string_view first = trimmed(text.substr(0, dash)), last = trimmed(text.substr(dash + 1));
  ByteRange range;
  range.suffix = first.empty();
  if (!first.empty()) {
    const auto value = number(first, 0, UINT64_MAX - 1);
    if (!value) return std::nullopt;
    range.first = *value;
  }
  if (last.empty()) return range.suffix ? std::nullopt : std::optional(range);
  const auto value = number(last, range.suffix ? 0 : range.first, UINT64_MAX - 1);
  if (!value) return std::nullopt;
  range.last = *value;
  return range;
}

std::optional<std::int64_t> parse_ttl(std::string_view text) {
  constexpr double most = 1e12; // seconds
  text = trimmed(text);
  double seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds, std::chars_format::fixed);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (!(seconds >= 0) || seconds > most) return std::nullopt;
  // A ttl that is there never becomes 0, which would mean for ever.
  return seconds == 0 ? 0 : std::max<std::int64_t>(1, std::llround(seconds * 1000));
}

} // namespace omnistore::server
