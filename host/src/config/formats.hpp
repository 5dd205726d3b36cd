// SPDX-License-Identifier: Apache-2.0
// The formats that texts of a config may have to have: how each is read, and what it is called in messages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace omnistore::config {

/// Durations and sizes end here, so that they stay exact in programs that read numbers as doubles.
constexpr std::int64_t max_quantity = 9007199254740991;

struct Format {
  const char *name;
  /// What is expected, for "expected ..., found ...": "a duration (...)".
  const char *expected;
  /// Reads a text into a number, or null where the format has no numbers. False: it does not fit.
  bool (*number)(std::string_view text, std::int64_t &into);
  /// Checks a text and brings it into its usual form; null for a format of numbers. `problem` may say what is wrong
  /// more closely. False: it does not fit.
  bool (*text)(std::string &text, std::string &problem);
  /// What a number without a unit is multiplied by.
  std::int64_t factor = 1;
  /// The text is a path, which becomes absolute.
  bool path = false;
};

/// A path as an absolute one, without `.` and `..`: relative ones start at `folder`; empty: the working folder.
std::string absolute_path(const std::string &path, const std::string &folder);

/// Null where we have none of this name.
const Format *find_format(std::string_view name);
/// All names that a schema may give: ours, and those of JSON Schema, which are notes for editors and not checked.
std::vector<std::string> known_formats();

/// "90s" -> 90000; "100ms", "5m", "1h", "7d", "1.5h"; a number without unit is milliseconds.
bool parse_duration(std::string_view text, std::int64_t &milliseconds);
/// "90s", "1h": in the largest unit that is exact.
std::string shown_duration(std::int64_t milliseconds);
/// "2025-11-24T07:13:07.250Z"
std::string shown_moment(std::int64_t unix_ms);
/// "64KiB" -> 65536; "1MB" -> 1000000; B, KB, MB, GB, TB are powers of 1000, KiB and so on of 1024, in capitals or
/// not; a number without unit is bytes.
bool parse_bytes(std::string_view text, std::int64_t &bytes);

} // namespace omnistore::config
