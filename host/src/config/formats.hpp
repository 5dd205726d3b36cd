// SPDX-License-Identifier: Apache-2.0
// The formats that texts of a config may have to have: how each is read, and what it is called in messages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/value.hpp>

namespace omnistore::config {

/// Durations and sizes end here, so that they stay exact in programs that read numbers as doubles.
constexpr std::int64_t max_quantity = 9007199254740991;

/// The longest ttl, wherever it is given: 1e12 seconds, some 31 thousand years.
constexpr std::int64_t max_ttl = 1'000'000'000'000'000;

/// Reads a ttl as every front takes it: "100ms", "90s", "5m", "1.5h", "7d", or a number of `bare` milliseconds. A
/// fraction of a millisecond is rounded, but never to 0, which means for ever. Returns what is wrong, or an empty text.
std::string read_ttl(std::string_view text, std::int64_t bare, std::int64_t &milliseconds);
/// The same of a JSON value: a text, or a number of milliseconds.
std::string read_ttl(const boost::json::value &value, std::int64_t &milliseconds);
/// What is wrong with a ttl that came as a number; an empty text if nothing is.
std::string check_ttl(std::int64_t milliseconds);

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
  std::int64_t most = max_quantity; ///< the largest number, once it is multiplied
  const char *too_large = nullptr;  ///< what is said of a larger one; null: as of any that does not fit
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
