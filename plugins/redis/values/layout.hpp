// SPDX-License-Identifier: Apache-2.0
// The names of a store's keys in Redis: "base:key", as in unstorage.
//
// In a cluster, a value, its user meta and the binding of both must have the same slot. The value's name V stays what
// it is. The name of the user meta is, with V's hash tag as Redis finds it:
//   {V}$      if there is no '}' in V, which therefore has no tag: V becomes the tag
//   V$        if V has a tag and does not begin with '{': the tag remains the first one
//   {abc}V$   otherwise; "abc" has the slot of V (prefix_for)
// The three cannot be confused: one without '{' at its start is V$, one whose first '}' is before the '$' is {V}$. The
// binding's name ends in "$$" instead.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "connection/commands.hpp"

namespace redis {

class Layout {
public:
  /// `base` is the option. One ':' at its end is dropped, and '/' and '\' are read as ':'.
  explicit Layout(std::string_view base, bool is_cluster = false);

  bool is_cluster() const { return is_cluster_; }

  /// Returns the prefix of each key: "base:", or nothing.
  const std::string &prefix() const { return prefix_; }
  /// Returns the name of a value.
  KeyParts value(std::string_view key) const { return {prefix_, key}; }
  /// Returns the name of a value's user meta, with the end "$", or of its binding, with "$$".
  KeyParts meta(std::string_view key, std::string_view end) const {
    return is_cluster_ ? cluster_meta(key, end) : KeyParts{prefix_, key, end};
  }
  /// Returns the slot of a key of Redis.
  std::uint16_t slot(std::string_view key) const;
  /// Returns the key of the value that a name of user meta or of a binding in a cluster belongs to; nullopt if it is
  /// no such name.
  std::optional<std::string_view> owner_of_meta(std::string_view full) const;

  /// Returns the store's key for a key of Redis; nullopt if it is no key of the store.
  std::optional<std::string_view> key_of(std::string_view full) const;
  /// The same, but nullopt for names of user meta and bindings too.
  std::optional<std::string_view> value_key_of(std::string_view full) const;
  /// Returns the glob pattern of all keys that start with `base`, which is a base of the store, or empty.
  std::string pattern(std::string_view base) const;

private:
  KeyParts cluster_meta(std::string_view key, std::string_view end) const;

  std::string prefix_;
  const bool is_cluster_;
};

/// Returns true if the host can use this key: UTF-8 without NUL, '/', '\' and '?', 1 to 4096 bytes, and no segment that
/// is empty, "." or "..". A key of user meta ("key$", "key$$") may be longer by its end.
bool is_key(std::string_view text);

/// Returns the key of the value that a key of user meta ("key$") or of its binding ("key$$") belongs to.
std::string_view owner_of(std::string_view key);
/// Returns true if this is a key of user meta or of a binding. "a$:b$" is not: it is the record of a layer.
bool is_user_meta(std::string_view key);

} // namespace redis
