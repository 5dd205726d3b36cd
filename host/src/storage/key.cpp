// SPDX-License-Identifier: Apache-2.0
#include "storage/key.hpp"

#include <algorithm>
#include <array>

#include <omnistore/error.hpp>

#include "base/printable.hpp"
#include "base/utf8.hpp"

namespace omnistore {
namespace {

/// Bytes that need a closer look: separators, what ends a key, dots (for `.` and `..`), NUL and all beyond ASCII.
constexpr auto special = [] {
  std::array<bool, 256> table{};
  for (unsigned char c : {'/', '\\', ':', '?', '.', '\0'}) table[c] = true;
  for (std::size_t c = 0x80; c < 256; ++c) table[c] = true;
  return table;
}();

enum class Form { normal, other, not_utf8, has_nul, dots };

/// Returns the form of a text. If it is `other`, the text has to be normalised and looked at again.
Form form_of(std::string_view text) {
  std::size_t segment = 0; // the beginning of the running segment
  auto dots = [&](std::size_t end) {
    return (end == segment + 1 && text[segment] == '.') ||
           (end == segment + 2 && text[segment] == '.' && text[segment + 1] == '.');
  };
  bool other = false;
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (!special[byte] || byte == '.') {
      ++i;
    } else if (byte == ':') {
      if (i == segment) other = true;
      if (dots(i)) return other ? Form::other : Form::dots;
      segment = ++i;
    } else if (byte >= 0x80) {
      const std::size_t length = base::utf8_length(text, i);
      if (length == 0) return other ? Form::other : Form::not_utf8;
      i += length;
    } else if (byte == 0) {
      return other ? Form::other : Form::has_nul;
    } else {
      return Form::other; // a '/', a '\' or a '?'
    }
  }
  if (segment == text.size()) other = true; // empty, or a ':' at the end
  if (other) return Form::other;
  return dots(text.size()) ? Form::dots : Form::normal;
}

[[noreturn]] void refuse(std::string_view text, const char *why, Status status = Status::invalid) {
  constexpr std::size_t shown = 100;
  std::string name = base::printable(text.substr(0, shown));
  if (text.size() > shown) name += "...";
  throw Error(status, "key '" + name + "': " + why);
}

/// The error is the one of a store that takes only shorter keys.
[[noreturn]] void refuse_length(std::string_view text, const char *why) { refuse(text, why, Status::too_large); }

void check(std::string_view text, std::string_view original) {
  if (text.empty()) refuse(original, "it is empty");
  if (text.size() > Key::max_size + is_sidecar(text)) refuse_length(original, "it is longer than 4096 bytes");
  switch (form_of(text)) {
  case Form::not_utf8:
    refuse(original, "it is not UTF-8");
  case Form::has_nul:
    refuse(original, "it has a NUL in it");
  case Form::dots:
    refuse(original, "a segment is '.' or '..'");
  default:
    return;
  }
}

/// A key that ends in '$' is the user meta of the key before it.
void check_owner(std::string_view key, std::string_view original) {
  key = owner_of(key);
  if (key.empty() || key.ends_with(':'))
    refuse(original, "a '$' at the end stands for a key's meta; there is no key before it");
  if (is_sidecar(key)) refuse(original, "a '$' at the end stands for a key's meta, and meta has none of its own");
}

} // namespace

std::string normal_form(std::string_view text) {
  text = text.substr(0, text.find('?'));
  std::string result;
  result.reserve(text.size());
  for (char c : text) {
    if (c == '/' || c == '\\') c = ':';
    if (c == ':' && (result.empty() || result.back() == ':')) continue;
    result.push_back(c);
  }
  if (!result.empty() && result.back() == ':') result.pop_back();
  return result;
}

Key::Key(std::string_view text) : view_(text) {
  if (text.size() > max_size || form_of(text) != Form::normal) {
    copy_ = normal_form(text);
    view_ = copy_;
    check(view_, text);
  }
  if (is_meta()) check_owner(view_, text);
}

Key::Key(std::string_view base, std::string_view text) : Key(text) {
  if (base.empty()) return;
  if (base.size() + view_.size() > max_size + is_meta())
    refuse_length(text, "with the view's base it is longer than 4096 bytes");
  std::string whole(base);
  copy_ = std::move(whole.append(view_));
  view_ = copy_;
  hidden_ = base.size();
}

std::string normal_base(std::string_view text) {
  std::string base = normal_form(text);
  if (base.empty()) return base;
  check(base, text);
  base.push_back(':');
  return base;
}

bool is_normal(std::string_view text) { return text.size() <= Key::max_size && form_of(text) == Form::normal; }

std::uint32_t colons(std::string_view text) {
  return static_cast<std::uint32_t>(std::count(text.begin(), text.end(), ':'));
}

} // namespace omnistore
