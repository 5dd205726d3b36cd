// SPDX-License-Identifier: Apache-2.0
// The reporter knows the bases that are watched. It looks at a path on the disk, and reports what it finds there to the
// watches that want it.
#pragma once

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <sys/stat.h>

#include <omnistore/driver.h>

#include "listing/ignore.hpp"
#include "tree/tree.hpp"
#include "watching/own_changes.hpp"

namespace fs {

/// The base of one watch of the store.
struct WatchedBase {
  std::string base;   ///< a key prefix: empty, or ending in ':'
  std::string folder; ///< its path
  omnistore_watcher *watcher;
};

/// Not thread-safe.
class Reporter {
public:
  enum class There { nothing, value, other }; ///< what is at a path
  /// The part of a folder that the watches need: nothing, the next folder on the way to a base, or all of it.
  enum class Want { none, way, all };
  /// The changes that report_change() accepts: a file was put there, the value was removed, the value was replaced by
  /// something else. With `moved_in` it is no change if the store itself has moved the file into a folder of its name.
  /// With `unless_reported` it is no change if the same state was reported last.
  static constexpr unsigned put = 1, removed = 2, replaced = 4, moved_in = 8, unless_reported = 16;

  Reporter(const Tree &tree, const Ignore &ignore, OwnChanges &own) : tree_(tree), ignore_(ignore), own_(own) {}

  void add(const WatchedBase &watching) { watchings_.push_back(&watching); }
  void remove(const WatchedBase &watching) { std::erase(watchings_, &watching); }
  bool has_watches() const { return !watchings_.empty(); }

  Want wanted(std::string_view folder) const;
  bool is_wanted_key(std::string_view path) const;
  /// Returns the names in a folder that lead to the bases of watches.
  std::vector<std::string> ways_on(const std::string &folder) const;
  /// Returns the path of the key whose value a file is; empty: it is no value.
  std::string value_path(std::string_view folder, std::string_view name) const;
  /// Returns what is at a path. For a value, `file` is the stat of its file.
  There find(const std::string &path, struct stat &file) const;

  /// Reports a change that is not the store's own: there is a value now (put), or there is none (removed).
  void report_change(const std::string &path, unsigned what);
  /// Reports to all watches of bases at, below or above a path that changes were lost.
  void report_lost(std::string_view path) const;

private:
  void report(std::uint32_t type, std::string_view path) const;

  const Tree &tree_;
  const Ignore &ignore_;
  OwnChanges &own_;
  std::vector<const WatchedBase *> watchings_;
};

/// Returns the path of a name in a folder; an empty folder is the base.
inline std::string join(std::string_view folder, std::string_view name) {
  std::string path(folder);
  if (!path.empty()) path += '/';
  return path += name;
}

/// Errors of an open which mean that there is nothing at a path, or nothing that we may read.
inline bool is_nothing(int error) { return is_gone(error) || error == EACCES; }

} // namespace fs
