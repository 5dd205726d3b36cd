// SPDX-License-Identifier: Apache-2.0
#include "values/layout.hpp"

#include <algorithm>
#include <cstdint>

#include <omnistore/driver.h>

#include "servers/slots.hpp"

namespace redis {
namespace {

constexpr std::size_t longest_key = OMNISTORE_MAX_KEY_SIZE;

/// Returns the length of the UTF-8 sequence at the start of the text; 0 if it is invalid (RFC 3629).
std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<std::uint8_t>(text[i]) : 0u; };
  const auto in = [&](std::size_t i, unsigned from, unsigned to) { return byte(i) >= from && byte(i) <= to; };
  const auto tail = [&](std::size_t i) { return in(i, 0x80, 0xBF); };
  if (byte(0) < 0x80) return 1;
  if (in(0, 0xC2, 0xDF)) return tail(1) ? 2 : 0;
  if (in(0, 0xE0, 0xEF)) {
    const bool second = in(1, byte(0) == 0xE0 ? 0xA0 : 0x80, byte(0) == 0xED ? 0x9F : 0xBF); // no surrogates
    return second && tail(2) ? 3 : 0;
  }
  if (in(0, 0xF0, 0xF4)) {
    const bool second = in(1, byte(0) == 0xF0 ? 0x90 : 0x80, byte(0) == 0xF4 ? 0x8F : 0xBF);
    return second && tail(2) && tail(3) ? 4 : 0;
  }
  return 0;
}

bool is_segment(std::string_view segment) { return !segment.empty() && segment != "." && segment != ".."; }

} // namespace

bool is_key(std::string_view text) {
  const std::size_t end = text.ends_with("$$") ? 2 : text.ends_with('$') ? 1 : 0;
  if (text.empty() || text.size() > longest_key + end) return false;
  std::size_t segment = 0;
  for (std::size_t i = 0; i < text.size();) {
    const char c = text[i];
    if (c == '\0' || c == '/' || c == '\\' || c == '?') return false;
    const std::size_t length = utf8_length(text.substr(i));
    if (length == 0) return false;
    if (c == ':') {
      if (!is_segment(text.substr(segment, i - segment))) return false;
      segment = i + 1;
    }
    i += length;
  }
  return is_segment(text.substr(segment));
}

std::string_view owner_of(std::string_view key) {
  for (int i = 0; i < 2 && key.ends_with('$'); ++i) key.remove_suffix(1);
  return key;
}

bool is_user_meta(std::string_view key) {
  const std::string_view owner = owner_of(key);
  if (owner.size() == key.size() || owner.empty() || owner.ends_with(':')) return false;
  return key.ends_with("$$") || key.find("$:") == key.npos;
}

Layout::Layout(std::string_view base, bool is_cluster) : prefix_(base), is_cluster_(is_cluster) {
  const auto cut_end = [&] {
    if (prefix_.ends_with(':')) prefix_.pop_back();
  };
  cut_end(); // twice, since unstorage's driver removes one, and another one when it joins keys
  std::replace(prefix_.begin(), prefix_.end(), '/', ':');
  std::replace(prefix_.begin(), prefix_.end(), '\\', ':');
  if (prefix_.starts_with(':')) prefix_.erase(0, 1);
  cut_end();
  if (!prefix_.empty()) prefix_ += ':';
}

std::uint16_t Layout::slot(std::string_view key) const { return slot_of(prefix_, key); }

KeyParts Layout::cluster_meta(std::string_view key, std::string_view end) const {
  if (prefix_.find('}') == prefix_.npos && key.find('}') == key.npos)
    return {prefix_, key, end == "$" ? "}$" : "}$$", "{"};
  const std::string name = prefix_ + std::string(key);
  if (!name.starts_with('{') && !hash_tag(name).empty()) return {prefix_, key, end};
  return {prefix_, key, end, prefix_for(slot_of(name))};
}

std::optional<std::string_view> Layout::owner_of_meta(std::string_view full) const {
  std::string_view name = owner_of(full);
  const std::string_view end = full.substr(name.size());
  if (end.empty()) return {};
  if (name.starts_with('{')) {
    const std::size_t close = name.find('}');
    if (close == name.npos) return {};
    name = close + 1 == name.size() ? name.substr(1, close - 1) : name.substr(close + 1);
  } else if (const auto key = key_of(full); !key || !is_user_meta(*key)) {
    return {};
  }
  const std::optional<std::string_view> key = key_of(name);
  if (!key || key->ends_with('$')) return {};
  const KeyParts parts = cluster_meta(*key, end);
  std::string again(parts.before);
  again.append(parts.front).append(parts.back).append(parts.end);
  return again == full ? key : std::nullopt;
}

std::optional<std::string_view> Layout::key_of(std::string_view full) const {
  if (!full.starts_with(prefix_)) return {};
  const std::string_view key = full.substr(prefix_.size());
  return is_key(key) ? std::optional(key) : std::nullopt;
}

std::optional<std::string_view> Layout::value_key_of(std::string_view full) const {
  const std::optional<std::string_view> key = key_of(full);
  if (!key || is_user_meta(*key) || (is_cluster_ && owner_of_meta(full))) return {};
  return key;
}

std::string Layout::pattern(std::string_view base) const {
  std::string pattern;
  for (const std::string_view part : {std::string_view(prefix_), base}) {
    for (const char c : part) {
      if (c == '*' || c == '?' || c == '[' || c == ']' || c == '\\') pattern += '\\';
      pattern += c;
    }
  }
  return pattern + '*';
}

} // namespace redis
