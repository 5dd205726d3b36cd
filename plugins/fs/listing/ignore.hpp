// SPDX-License-Identifier: Apache-2.0
// Glob patterns of the files that a listing leaves out, with the meaning that they have in unstorage.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace fs {

/// Patterns of `*` and `?` (within a segment), `[a-z]`, `[!a-z]`, `{a,b}` (not nested) and `**` (any number of
/// segments, also none). Names that begin with a dot are like any other. Thread-safe.
class Ignore {
public:
  /// Throws a Failure for a pattern that is not supported.
  explicit Ignore(const std::vector<std::string> &patterns);

  /// Return true if a file or folder is left out. `folder` is the path below base of the folder that holds `name`,
  /// empty for base. A file matches by its path or by its bare name. A folder, with all that is in it, matches by its
  /// path, and by its bare name if the pattern has one segment.
  bool file(std::string_view folder, std::string_view name) const {
    return name_matches(name) || path(folder, name, true);
  }
  bool folder(std::string_view folder, std::string_view name) const {
    return name_matches(name) || path(folder, name, false);
  }
  /// Returns true if a folder, or one above it, is left out.
  bool branch(std::string_view path) const;

private:
  bool name_matches(std::string_view name) const;
  bool path(std::string_view folder, std::string_view name, bool is_file) const;

  std::vector<std::string> names_;    ///< the names in patterns `**/NAME/**`, which are compared as text
  std::vector<std::string> patterns_; ///< the other patterns
};

/// Returns true if a path (segments joined by '/') matches a pattern without braces.
bool glob_matches(std::string_view pattern, std::string_view path);

} // namespace fs
