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

  /// Returns true if the list names a value with this etag, which is empty if the store gives none. A strong
  /// comparison, which writes need, leaves out the weak ones.
  bool names(std::string_view etag, bool strong) const;
};

/// Returns nullopt if it is not such a list.
std::optional<EtagList> parse_etags(std::string_view text);

/// One range of bytes in a Range header.
struct ByteRange {
  bool suffix = false; ///< the last `last` bytes
  std::uint64_t first = 0;
  std::uint64_t last = UINT64_MAX; ///< inclusive; UINT64_MAX: to the end
};

/// Returns nullopt if there is no range, if it is malformed, or if it lists several ranges: the response is then the
/// whole value. A number may have any length: larger ones become UINT64_MAX - 1.
std::optional<ByteRange> parse_range(std::string_view text);

/// Parses a date of HTTP into Unix seconds: "Sun, 06 Nov 1994 08:49:37 GMT", or one of the two older forms that RFC
/// 9110 section 5.6.7 requires. Returns nullopt if it is none.
std::optional<std::int64_t> parse_date(std::string_view text);

} // namespace omnistore::http
