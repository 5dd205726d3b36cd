// SPDX-License-Identifier: Apache-2.0
// Which files a listing leaves out: glob patterns, with the meaning that unstorage gives them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fs {

/// Patterns of `*` and `?` (within a segment), `[a-z]`, `[!a-z]`, `{a,b}` (not nested) and `**` (any number of
/// segments, also none). Names that begin with a dot are like any other. Thread-safe.
class Ignore {
public:
  /// Throws a Failure for a pattern that it does not understand.
  explicit Ignore(const std::vector<std::string> &patterns);

  /// `folder` is the path below base of the folder that holds `name`, empty for base. A file is held against the
  /// patterns by its path and by its bare name; a folder, with all that is in it, by its path, and by its bare name
  /// where the pattern is one segment.
  bool file(std::string_view folder, std::string_view name) const {
    return name_matches(name) || path(folder, name, true);
  }
  bool folder(std::string_view folder, std::string_view name) const {
    return name_matches(name) || path(folder, name, false);
  }
  /// Whether a folder or one above it is left out.
  bool branch(std::string_view path) const;

private:
  bool name_matches(std::string_view name) const;
  bool path(std::string_view folder, std::string_view name, bool is_file) const;

  std::vector<std::string> names_;    ///< of patterns `**/NAME/**`, which need no matcher
  std::vector<std::string> patterns_; ///< the others
};

/// Whether a path (segments joined by '/') fits a pattern without braces.
bool glob_matches(std::string_view pattern, std::string_view path);

} // namespace fs
