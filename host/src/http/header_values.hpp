// SPDX-License-Identifier: Apache-2.0
// The grammars of header values: lists, etags, ranges and dates.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace omnistore::http {

/// Removes the first element of a list with commas and returns it. Knows nothing of quotes.
std::string_view next_element(std::string_view &list);

/// The value of If-Match or If-None-Match.
struct EtagList {
  bool any = false;                   ///< "*"
  std::vector<std::string_view> tags; ///< without quotes and without the "W/" of weak ones
  std::vector<std::string_view> weak; ///< those of them that were weak

  /// Whether the list names a value with this etag; empty: the store gives none. A strong comparison, as writes need
  /// it, leaves out the weak ones.
  bool names(std::string_view etag, bool strong) const;
};

/// nullopt: it is not such a list.
std::optional<EtagList> parse_etags(std::string_view text);

/// One range of bytes as a Range field has it.
struct ByteRange {
  bool suffix = false; ///< the last `last` bytes
  std::uint64_t first = 0;
  std::uint64_t last = UINT64_MAX; ///< inclusive; UINT64_MAX: to the end
};

/// nullopt: there is none, it is malformed, or it asks for several ranges: then the whole value is the answer. A number
/// of any length is one: it is at most UINT64_MAX - 1.
std::optional<ByteRange> parse_range(std::string_view text);

/// A date as HTTP has it, in Unix seconds: "Sun, 06 Nov 1994 08:49:37 GMT", and the two older forms that RFC 9110
/// section 5.6.7 tells a server to understand. nullopt: it is none.
std::optional<std::int64_t> parse_date(std::string_view text);

} // namespace omnistore::http
