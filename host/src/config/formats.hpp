// SPDX-License-Identifier: Apache-2.0
// The formats of texts in a config: how each is read, and its name in messages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

namespace omnistore::config {

/// The largest duration or size, which is still exact in programs that read numbers as doubles.
constexpr std::int64_t max_quantity = 9007199254740991;

/// The longest ttl in any interface: 1e12 seconds, about 31 thousand years.
constexpr std::int64_t max_ttl = 1'000'000'000'000'000;

/// Reads a ttl for all interfaces: "100ms", "90s", "5m", "1.5h", "7d", or a number of `bare` milliseconds. A fraction
/// of a millisecond is rounded, but never to 0, which means for ever. Returns the problem, or an empty text.
std::string read_ttl(std::string_view text, std::int64_t bare, std::int64_t &milliseconds);
/// The same for a JSON value: a text, or a number of milliseconds.
std::string read_ttl(const boost::json::value &value, std::int64_t &milliseconds);
/// Returns the problem of a ttl that came as a number, or an empty text.
std::string check_ttl(std::int64_t milliseconds);

struct Format {
  const char *name;
  /// The description in "expected ..., found ...", such as "a duration (...)".
  const char *expected;
  /// Reads a text as a number and returns false if it is not valid. Null if the format is not numeric.
  bool (*number)(std::string_view text, std::int64_t &into);
  /// Checks a text and normalises it, and returns false if it is not valid. `problem` may describe why. Null if the
  /// format is numeric.
  bool (*text)(std::string &text, std::string &problem);
  /// The factor for a number without a unit.
  std::int64_t factor = 1;
  /// True if the text is a path, which is made absolute.
  bool path = false;
  std::int64_t most = max_quantity; ///< the largest number, after the multiplication
  const char *too_large = nullptr;  ///< the message for a larger one; null for the usual message
};

/// Makes a path absolute and removes `.` and `..`. A relative path starts at `folder`, which is empty for the working
/// folder.
std::string absolute_path(const std::string &path, const std::string &folder);

/// Returns the format of this name, or null.
const Format *find_format(std::string_view name);
/// Returns all names that a schema may use: our own formats, and those of JSON Schema, which are for editors and not
/// checked.
std::vector<std::string> known_formats();

/// Reads a duration in milliseconds: 90000 for "90s". Others are "100ms", "5m", "1h", "7d", "1.5h", and a number of
/// milliseconds.
bool parse_duration(std::string_view text, std::int64_t &milliseconds);
/// Returns a duration in the largest unit that is exact, such as "90s" or "1h".
std::string shown_duration(std::int64_t milliseconds);
/// Returns a moment in this form: "2025-11-24T07:13:07.250Z".
std::string shown_moment(std::int64_t unix_ms);
/// Reads a size in bytes: 65536 for "64KiB", 1000000 for "1MB". B, KB, MB, GB and TB are powers of 1000, and KiB and so
/// on are powers of 1024, in upper or lower case. A number without a unit is bytes.
bool parse_bytes(std::string_view text, std::int64_t &bytes);

} // namespace omnistore::config
