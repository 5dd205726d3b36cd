// SPDX-License-Identifier: Apache-2.0
// A value at a glance: what kind it is, and its beginning in a form that any terminal takes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace omnistore::jobs {

struct Preview {
  enum class Kind { json, text, bytes };
  Kind kind = Kind::text;
  std::string text; ///< JSON without spaces, text as base::printable() gives it, bytes as "00 ff 0a"
  bool cut = false; ///< the value goes on behind it
};

/// How much of a value preview_of wants to see for that many characters: its beginning, in bytes.
std::uint64_t preview_bytes(std::size_t characters);

/// `head` is a value's beginning, `size` the size of the whole; UINT64_MAX: not known, and the head may be all of it.
/// An object or an array counts as JSON, as far as it can be seen; a number or a word is text, which looks the same.
Preview preview_of(std::string_view head, std::uint64_t size, std::size_t characters);

const char *name_of(Preview::Kind kind); ///< "json", "text", "bytes"

} // namespace omnistore::jobs
