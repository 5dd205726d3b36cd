// SPDX-License-Identifier: Apache-2.0
// Bytes as text and back: hexadecimal, base64, and the percent escapes of URLs. All functions are thread-safe.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace omnistore::base {

inline constexpr std::string_view hex_digits = "0123456789abcdef";

/// Writes the lowest `width` hexadecimal digits of a number to `at`.
inline void write_hex(char *at, std::size_t number, int width) {
  for (; width-- > 0; number >>= 4) at[width] = hex_digits[number & 15];
}
inline void append_hex(std::string &out, std::size_t number, int width) {
  out.resize(out.size() + static_cast<std::size_t>(width));
  write_hex(out.data() + out.size() - width, number, width);
}
/// Returns two digits for each byte.
std::string to_hex(std::string_view bytes);
/// Returns the value of a hexadecimal digit of either case, or -1.
constexpr int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}
/// Returns true if all characters are hexadecimal digits in lower case.
inline bool is_lower_hex(std::string_view text) { return text.find_first_not_of(hex_digits) == text.npos; }

/// Encodes as RFC 4648 says, with padding.
std::string to_base64(std::string_view bytes);
/// Returns nullopt if the text is not base64. The padding may be left out.
std::optional<std::string> from_base64(std::string_view text);

/// Returns the byte of the escape that the text begins with ("%2f"), or -1 if it begins with none.
constexpr int percent_byte(std::string_view text) {
  if (text.size() < 3 || text[0] != '%') return -1;
  const int high = hex_value(text[1]), low = hex_value(text[2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}
/// Decodes each escape. A '%' that begins none stays as it is.
std::string percent_decoded(std::string_view text);
/// Appends a byte as an escape, "%2F".
void append_percent(std::string &out, char byte);

/// Compares a secret with what somebody gave, in a time that does not depend on how much of it is right.
bool equal_secret(std::string_view secret, std::string_view given);

} // namespace omnistore::base
