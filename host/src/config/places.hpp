// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

namespace omnistore {

/// Where each value of a config text stands, by its path ("mounts.cache.layers.0.options").
class Places {
public:
  struct Place {
    unsigned line = 0, column = 0; ///< counted from 1; columns in characters
  };
  /// A value, and the name in front of it where it has one.
  void add(std::string path, Place value, Place name) {
    places_.insert_or_assign(std::move(path), Both{value, name.line ? name : value});
  }
  void add(std::string path, Place value) { add(std::move(path), value, value); }
  /// The place of a path's value, or of the nearest thing around it; line 0 where nothing is known.
  Place find(std::string path) const;
  /// The same of its name.
  Place name(std::string path) const;

  /// A text as it was written, with variables whose values stand in its place now.
  void add_written(std::string path, std::string text) { written_.insert_or_assign(std::move(path), std::move(text)); }
  /// Null: no variable was put into what this path has.
  const std::string *written(const std::string &path) const;

private:
  struct Both {
    Place value, name;
  };
  Both lookup(std::string path) const;

  std::unordered_map<std::string, Both> places_;
  std::unordered_map<std::string, std::string> written_;
};

namespace config {

/// A path and one more name: "mounts" and "cache" make "mounts.cache". A name that is empty or would be misread in a
/// path is quoted: the root mount is `mounts.""`.
std::string join(std::string_view path, std::string_view name);
std::string join(std::string_view path, std::size_t index);

} // namespace config
} // namespace omnistore
