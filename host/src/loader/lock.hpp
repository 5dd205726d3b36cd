// SPDX-License-Identifier: Apache-2.0
// The lock file: the plugins that a host trusts, by file name and SHA-256. It is JSON, and `omnistore plugins lock`
// writes it. Only the name of a plugin's file and its bytes count, and not its folder, so that a lock is valid on other
// machines and in other folders too.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "plugin_error.hpp"
#include "registry.hpp"

namespace omnistore::loader {

/// One plugin of a lock file.
struct LockedPlugin {
  std::string file;   ///< the name of its file, without folders
  std::string path;   ///< its path at the time of the lock, only for people
  std::string sha256; ///< "sha256:HEX"
  std::string name, version, abi;
  std::map<std::string, std::string> drivers; ///< name to version
};

/// A file that may be a plugin, as it is now.
struct FoundPlugin {
  std::string path;
  std::string sha256; ///< empty if it cannot be read
};

struct LockDifference {
  enum class Kind { added, missing, changed };
  Kind kind = Kind::added;
  std::string file, path;    ///< the path of the found file, or the locked path of a missing one
  std::string locked, found; ///< the SHA-256 of each; empty if there is no readable file
};

/// Reads a lock file. Throws PluginError if it does not exist, cannot be read, is not a lock file, or if other users
/// can write it.
std::vector<LockedPlugin> read_lock(const std::string &lock);

/// Replaces the file atomically. Every user may read it. The plugins are sorted by file name and contents, so that the
/// same plugins make the same text. Throws Error.
void write_lock(const std::string &lock, std::vector<LockedPlugin> plugins);

/// Throws PluginError, which names the command to run, if the lock file does not have this plugin.
void vet_lock(const std::string &lock, const std::vector<LockedPlugin> &plugins, const std::string &path,
              const std::string &sha256);

/// Returns the SHA-256 of each of these files, without loading one.
std::vector<FoundPlugin> found_plugins(const std::vector<std::string> &files);

/// Returns the differences between the files and the lock, in the order of the names. Another folder is no difference.
std::vector<LockDifference> differences(const std::vector<LockedPlugin> &lock, const std::vector<FoundPlugin> &found);

/// Returns "added", "missing" or "changed".
const char *difference_name(LockDifference::Kind kind);

} // namespace omnistore::loader
