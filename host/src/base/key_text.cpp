// SPDX-License-Identifier: Apache-2.0
#include "base/key_text.hpp"

#include "base/encoding.hpp"
#include "base/printable.hpp"
#include "base/utf8.hpp"

namespace omnistore::base {
namespace {

/// Characters that take no room, or look like a space: of two keys that differ in them a reader sees one.
bool is_invisible(char32_t point) {
  return point == 0xa0 || point == 0xad || point == 0x34f || point == 0x115f || point == 0x1160 || point == 0x1680 ||
         point == 0x17b4 || point == 0x17b5 || (point >= 0x180b && point <= 0x180f) ||
         (point >= 0x2000 && point <= 0x200f) || point == 0x202f || (point >= 0x205f && point <= 0x206f) ||
         point == 0x2800 || point == 0x3000 || point == 0x3164 || (point >= 0xfe00 && point <= 0xfe0f) ||
         point == 0xffa0 || (point >= 0xfff0 && point <= 0xfffb) || (point >= 0x1bca0 && point <= 0x1bca3) ||
         (point >= 0x1d173 && point <= 0x1d17a) || (point >= 0xe0000 && point <= 0xe0fff);
}

void append_unit(std::string &out, unsigned unit) {
  out += "\\u";
  append_hex(out, unit, 4);
}

std::string json_string(std::string_view key) {
  std::string out = "\"";
  for (std::size_t i = 0; i < key.size();) {
    const std::size_t length = utf8_length(key, i);
    if (length == 0) { // no key, so it can be shown only
      append_unit(out, 0xfffd);
      ++i;
      continue;
    }
    const char32_t point = utf8_code_point(key, i, length);
    if (point == '"' || point == '\\') {
      out += '\\';
      out += static_cast<char>(point);
    } else if (point == '\n') {
      out += "\\n";
    } else if (point == '\t') {
      out += "\\t";
    } else if (!is_control(point) && !is_invisible(point)) {
      out.append(key, i, length);
    } else if (point < 0x10000) {
      append_unit(out, static_cast<unsigned>(point));
    } else {
      append_unit(out, 0xd800 + static_cast<unsigned>((point - 0x10000) >> 10));
      append_unit(out, 0xdc00 + static_cast<unsigned>((point - 0x10000) & 0x3ff));
    }
    i += length;
  }
  return out += '"';
}

bool stands_as_it_is(std::string_view key) {
  if (key.empty() || key.front() == '"' || key.front() == '{' || key.front() == ' ' || key.back() == ' ') return false;
  for (std::size_t i = 0; i < key.size();) {
    const std::size_t length = utf8_length(key, i);
    if (length == 0) return false;
    const char32_t point = utf8_code_point(key, i, length);
    if (is_control(point) || is_invisible(point)) return false;
    i += length;
  }
  return true;
}

} // namespace

std::string key_text(std::string_view key) { return stands_as_it_is(key) ? std::string(key) : json_string(key); }

} // namespace omnistore::base
