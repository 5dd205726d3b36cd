// SPDX-License-Identifier: Apache-2.0
#include "routes/list_query.hpp"

#include <algorithm>
#include <cstdint>

#include <omnistore/error.hpp>

#include "base/encoding.hpp"
#include "base/printable.hpp"
#include "http/target.hpp"

namespace omnistore::routes {
namespace {

std::optional<std::uint64_t> number_of(std::string_view query, std::string_view name, std::uint64_t least,
                                       std::uint64_t most) {
  const auto text = http::parameter(query, name);
  if (!text) return std::nullopt;
  const auto value = http::number(*text, least, most);
  if (value) return value;
  throw Error(Status::invalid, std::string(name) + ": expected a whole number from " + std::to_string(least) + " to " +
                                   std::to_string(most) + ", found \"" + base::printable(*text) + "\"");
}

bool flag_of(std::string_view query, std::string_view name) {
  const auto text = http::parameter(query, name);
  if (!text || *text == "0" || *text == "false") return false;
  if (text->empty() || *text == "1" || *text == "true") return true;
  throw Error(Status::invalid,
              std::string(name) + ": expected true or false, found \"" + base::printable(*text) + "\"");
}

/// Returns a bound in the form of keys: `/` and `\` become ':', as in a path.
std::string bound_of(std::string_view query, std::string_view name) {
  std::string bound = http::parameter(query, name).value_or("");
  std::replace_if(
      bound.begin(), bound.end(), [](char c) { return c == '/' || c == '\\'; }, ':');
  return bound;
}

std::string escaped(std::string_view text) {
  constexpr std::string_view plain = "-_.~:";
  std::string out;
  for (const char c : text) {
    const bool is_word = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z');
    if (is_word || plain.find(c) != plain.npos)
      out += c;
    else
      base::append_percent(out, c);
  }
  return out;
}

} // namespace

ListQuery ListQuery::parse(std::string_view query) {
  ListQuery asked;
  ListOptions &options = asked.options;
  options.folders = flag_of(query, "folders");
  if (options.folders) options.depth = 0;
  if (const auto depth = number_of(query, "depth", 0, UINT32_MAX - 1))
    options.depth = static_cast<std::uint32_t>(*depth);
  options.cursor = http::parameter(query, "cursor").value_or("");
  options.reverse = flag_of(query, "reverse");
  options.start = bound_of(query, "start");
  options.end = bound_of(query, "end");
  const auto limit = number_of(query, "limit", 1, 100'000);
  asked.paged = limit.has_value();
  if (limit) options.limit = static_cast<std::uint32_t>(*limit);
  return asked;
}

std::string ListQuery::next(std::string_view cursor) const {
  std::string next = "?limit=" + std::to_string(options.limit);
  if (options.depth != ListOptions::any_depth) next += "&depth=" + std::to_string(options.depth);
  if (!options.start.empty()) next += "&start=" + escaped(options.start);
  if (!options.end.empty()) next += "&end=" + escaped(options.end);
  if (options.reverse) next += "&reverse=true";
  if (options.folders) next += "&folders=true";
  return next.append("&cursor=").append(cursor);
}

} // namespace omnistore::routes
