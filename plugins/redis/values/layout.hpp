// SPDX-License-Identifier: Apache-2.0
// The names of a store's keys in Redis: "base:key", as in unstorage.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace redis {

class Layout {
public:
  /// `base` is the option. One ':' at its end is dropped, and '/' and '\' are read as ':'.
  explicit Layout(std::string_view base);

  /// Returns the prefix of each key: "base:", or nothing.
  const std::string &prefix() const { return prefix_; }
  /// Returns the store's key for a key of Redis; nullopt if it is no key of the store.
  std::optional<std::string_view> key_of(std::string_view full) const;
  /// Returns the glob pattern of all keys that start with `base`, which is a base of the store, or empty.
  std::string pattern(std::string_view base) const;

private:
  std::string prefix_;
};

/// Returns true if the host can use this key: UTF-8 without NUL, '/', '\' and '?', 1 to 4096 bytes, and no segment that
/// is empty, "." or "..". A key of user meta ("key$", "key$$") may be longer by its end.
bool is_key(std::string_view text);

/// Returns the key of the value that a key of user meta ("key$") or of its binding ("key$$") belongs to.
std::string_view owner_of(std::string_view key);
/// Returns true if this is a key of user meta or of a binding. "a$:b$" is not: it is the record of a layer.
bool is_user_meta(std::string_view key);

} // namespace redis
