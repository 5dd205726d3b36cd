// SPDX-License-Identifier: Apache-2.0
// etcd's responses as trees. Each text is a view of the response: etcd's base64 and numbers have no escapes, so a value
// of a megabyte is scanned once and copied only when it is decoded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace etcd {

struct Json {
  std::string_view text; ///< of a string without its quotes, of a number or word; escapes stay as they are
  std::vector<std::string_view> names; ///< of an object's members, whose values are the items
  std::vector<Json> items;             ///< of an object or array

  /// Returns the member of an object, or an empty value.
  const Json &operator[](std::string_view name) const;
  bool has(std::string_view name) const;
  /// Returns the number of a JSON number, or of a string as the gateway writes 64 bits; 0: there is none.
  std::int64_t number() const;
  bool is_true() const { return text == "true"; }
  /// Returns the bytes of a string in base64.
  std::string bytes() const;
};

/// Throws Failure(OMNISTORE_CORRUPT) if it is not JSON. The text must outlive the result.
Json parse(std::string_view text);

/// Returns a text in base64, with its quotes.
std::string quoted(std::string_view bytes);

/// Returns a text as a JSON string, for names and passwords.
std::string json_string(std::string_view text);

} // namespace etcd
