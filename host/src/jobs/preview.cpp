// SPDX-License-Identifier: Apache-2.0
#include "jobs/preview.hpp"

#include <algorithm>
#include <cstdio>

#include <boost/json/stream_parser.hpp>

#include "base/printable.hpp"
#include "base/utf8.hpp"

namespace omnistore::jobs {
namespace {

/// Collects printable characters up to a total width.
class Cutter {
public:
  explicit Cutter(std::size_t most) : most_(most) {}
  /// Returns false if there is no room, and from then on.
  bool add(std::string_view character, std::size_t width) {
    if (full_ || width > most_ - used_) return full_ = true, false;
    used_ += width;
    text_ += character;
    return true;
  }
  bool full() const { return full_; }
  std::string take() { return std::move(text_); }

private:
  const std::size_t most_;
  std::size_t used_ = 0;
  bool full_ = false;
  std::string text_;
};

void add_printable(Cutter &into, std::string_view text) {
  while (!text.empty() && !into.full()) {
    const std::size_t length = base::utf8_length(text, 0), size = std::max<std::size_t>(length, 1);
    const std::string shown = base::printable(text.substr(0, size));
    const bool stays = length != 0 && shown == text.substr(0, size);
    into.add(shown, stays ? 1 : shown.size());
    text.remove_prefix(size);
  }
}

/// Returns true for UTF-8 without NUL. If it was cut, it may end inside a character.
bool is_text(std::string_view head, bool whole) {
  while (!head.empty()) {
    const std::size_t length = base::utf8_length(head, 0);
    if (length == 0) return !whole && head.size() < 4 && static_cast<unsigned char>(head.front()) >= 0xC2;
    if (head.front() == '\0') return false;
    head.remove_prefix(length);
  }
  return true;
}

/// Removes the start of a character whose end was cut off.
std::string_view whole_characters(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if (byte < 0x80) break;
    if (byte >= 0xC0)
      return base::utf8_length(text, text.size() - back) != 0 ? text : text.substr(0, text.size() - back);
  }
  return text;
}

bool is_json(std::string_view head, bool whole) {
  const std::size_t first = head.find_first_not_of(" \t\r\n");
  if (first == head.npos || (head[first] != '{' && head[first] != '[')) return false;
  boost::json::stream_parser parser;
  boost::system::error_code wrong;
  parser.write(head, wrong);
  return !wrong && (!whole || parser.done());
}

/// Removes the spaces between the tokens of JSON, which may be cut.
std::string without_spaces(std::string_view json) {
  std::string result;
  bool inside = false, escape = false;
  for (const char c : json) {
    if (!inside && (c == ' ' || c == '\t' || c == '\r' || c == '\n')) continue;
    result += c;
    if (escape)
      escape = false;
    else if (inside && c == '\\')
      escape = true;
    else if (c == '"')
      inside = !inside;
  }
  return result;
}

} // namespace

std::uint64_t preview_bytes(std::size_t characters) {
  constexpr std::uint64_t least = 1024; // JSON may have spaces
  return std::max<std::uint64_t>(least, std::uint64_t{4} * characters + 4);
}

Preview preview_of(std::string_view head, std::uint64_t size, std::size_t characters) {
  const bool whole = size == UINT64_MAX ? head.size() < preview_bytes(characters) : head.size() >= size;
  Preview preview;
  Cutter cutter(characters);
  if (is_json(head, whole)) {
    preview.kind = Preview::Kind::json;
    const std::string compact = without_spaces(head);
    add_printable(cutter, whole ? compact : whole_characters(compact));
  } else if (is_text(head, whole)) {
    add_printable(cutter, whole ? head : whole_characters(head));
  } else {
    preview.kind = Preview::Kind::bytes;
    for (std::size_t i = 0; i < head.size() && !cutter.full(); ++i) {
      char pair[4];
      std::snprintf(pair, sizeof pair, i == 0 ? "%02x" : " %02x", static_cast<unsigned char>(head[i]));
      cutter.add(pair, i == 0 ? 2 : 3);
    }
  }
  preview.cut = cutter.full() || !whole;
  preview.text = cutter.take();
  return preview;
}

const char *name_of(Preview::Kind kind) {
  constexpr const char *names[] = {"json", "text", "bytes"};
  return names[static_cast<int>(kind)];
}

} // namespace omnistore::jobs
