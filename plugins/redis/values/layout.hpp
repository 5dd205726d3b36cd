// SPDX-License-Identifier: Apache-2.0
// Where a key of the store lies in Redis: under "base:key", as unstorage has it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace redis {

class Layout {
public:
  /// `base` is the option: one ':' at its end is no part of it, and '/' and '\' stand for ':'.
  explicit Layout(std::string_view base);

  /// What stands in front of each key: "base:", or nothing.
  const std::string &prefix() const { return prefix_; }
  /// The store's key that lies under a key of Redis; nothing where no key of the store can lie there.
  std::optional<std::string_view> key_of(std::string_view full) const;
  /// The glob pattern of all keys that start with `base` (a base of the store, or empty).
  std::string pattern(std::string_view base) const;

private:
  std::string prefix_;
};

/// Whether a host can ask for this key: UTF-8 without NUL, '/', '\' and '?', 1 to 4096 bytes, no empty, "." or ".."
/// segment. The key of user meta ("key$", "key$$") may be longer by its end.
bool is_key(std::string_view text);

/// The key of the value to which the user meta or its binding under "key$" or "key$$" belongs.
std::string_view owner_of(std::string_view key);
/// Whether user meta or its binding lies under this key. "a$:b$" is not such a key: a layer keeps a record there.
bool is_user_meta(std::string_view key);

} // namespace redis
