// SPDX-License-Identifier: Apache-2.0
// A short preview of a value: its kind, and its beginning in a form that is safe for any terminal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace omnistore::jobs {

struct Preview {
  enum class Kind { json, text, bytes };
  Kind kind = Kind::text;
  std::string text; ///< JSON without spaces, text through base::printable(), bytes as "00 ff 0a"
  bool cut = false; ///< the value is longer
};

/// Returns how many bytes at the start of a value preview_of needs for that many characters.
std::uint64_t preview_bytes(std::size_t characters);

/// `head` is the start of a value, and `size` the size of the whole, or UINT64_MAX if it is unknown. An object or an
/// array counts as JSON if its head is valid; a number or a word is text, which looks the same.
Preview preview_of(std::string_view head, std::uint64_t size, std::size_t characters);

const char *name_of(Preview::Kind kind); ///< "json", "text", "bytes"

} // namespace omnistore::jobs
