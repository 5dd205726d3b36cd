// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

namespace omnistore {

/// The position of each value in a config text, by its path ("mounts.cache.layers.0.options").
class SourceMap {
public:
  struct Position {
    unsigned line = 0, column = 0; ///< counted from 1; columns in characters
  };
  /// Adds a value, and the name before it if it has one.
  void add(std::string path, Position value, Position name) {
    places_.insert_or_assign(std::move(path), Both{value, name.line ? name : value});
  }
  void add(std::string path, Position value) { add(std::move(path), value, value); }
  /// Returns the position of a path's value, or of the nearest value around it, with line 0 if there is none.
  Position find(std::string path) const;
  /// The same for its name.
  Position name(std::string path) const;

  /// Adds the original text of a value whose variables were replaced.
  void add_written(std::string path, std::string text) { written_.insert_or_assign(std::move(path), std::move(text)); }
  /// Returns the original text of a path's value, or null if it had no variables.
  const std::string *written(const std::string &path) const;

private:
  struct Both {
    Position value, name;
  };
  Both lookup(std::string path) const;

  std::unordered_map<std::string, Both> places_;
  std::unordered_map<std::string, std::string> written_;
};

namespace config {

/// Adds a name to a path: "mounts" and "cache" make "mounts.cache". A name that is empty or ambiguous in a path is
/// quoted: the root mount is `mounts.""`.
std::string join(std::string_view path, std::string_view name);
std::string join(std::string_view path, std::size_t index);

} // namespace config
} // namespace omnistore
