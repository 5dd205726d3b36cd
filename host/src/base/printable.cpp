// SPDX-License-Identifier: Apache-2.0
#include "base/printable.hpp"

#include <algorithm>

#include "base/encoding.hpp"
#include "base/utf8.hpp"

namespace omnistore::base {

namespace {

bool is_plain(char c) { return c >= 0x20 && c < 0x7f; }

bool all_plain(std::string_view text) { return std::all_of(text.begin(), text.end(), is_plain); }

void append_byte(std::string &out, unsigned char byte) {
  out += "\\x";
  append_hex(out, byte, 2);
}

void append_escape(std::string &out, char32_t point) {
  switch (point) {
  case '\n':
    out += "\\n";
    return;
  case '\r':
    out += "\\r";
    return;
  case '\t':
    out += "\\t";
    return;
  default:
    break;
  }
  if (point < 0x80) return append_byte(out, static_cast<unsigned char>(point));
  out += "\\u{";
  append_hex(out, point, point > 0xffff ? 6 : 4);
  out += '}';
}

std::string escaped(std::string_view text, bool keep_lines) {
  std::string out;
  out.reserve(text.size() + 16);
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t length = utf8_length(text, i);
    if (length == 0) {
      append_byte(out, static_cast<unsigned char>(text[i++]));
      continue;
    }
    const char32_t point = utf8_code_point(text, i, length);
    if (keep_lines && point == '\n') {
      out += text.substr(i + 1).starts_with("  ") || i + 1 == text.size() ? "\n" : "\n  ";
    } else if (is_control(point)) {
      append_escape(out, point);
    } else {
      out += text.substr(i, length);
    }
    i += length;
  }
  return out;
}

} // namespace

bool is_control(char32_t point) {
  if (point < 0x20 || (point >= 0x7f && point < 0xa0)) return true;
  if (point < 0x61c) return false;
  return point == 0x61c || (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
         (point >= 0x2060 && point <= 0x206f) || point == 0xfeff || (point >= 0xfff9 && point <= 0xfffb) ||
         (point >= 0xe0000 && point <= 0xe007f);
}

std::string printable(std::string_view text) { return all_plain(text) ? std::string(text) : escaped(text, false); }

std::string printable_lines(std::string_view text) { return all_plain(text) ? std::string(text) : escaped(text, true); }

std::string printable_json(std::string json) {
  if (all_plain(json)) return json;
  std::string out;
  out.reserve(json.size() + 16);
  for (std::size_t i = 0; i < json.size();) {
    const std::size_t length = std::max<std::size_t>(1, utf8_length(json, i));
    const char32_t point = utf8_code_point(json, i, length);
    // Bytes below 0x20 stand between values, never within strings.
    if (length == 1 ? point == 0x7f : is_control(point)) {
      const char32_t above = point - 0x10000; // a pair of surrogates stands for such a code point
      out += "\\u";
      append_hex(out, point < 0x10000 ? point : 0xd800 + (above >> 10), 4);
      if (point >= 0x10000) {
        out += "\\u";
        append_hex(out, 0xdc00 + (above & 0x3ff), 4);
      }
    } else {
      out.append(json, i, length);
    }
    i += length;
  }
  return out;
}

} // namespace omnistore::base
