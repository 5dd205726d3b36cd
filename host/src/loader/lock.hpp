// SPDX-License-Identifier: Apache-2.0
// The lock file: the plugins that a host trusts, by file name and SHA-256. It is JSON, written by `omnistore plugins
// lock`. Where a plugin lies makes no difference, so that a lock holds for another machine or folder too; what counts
// is the name of its file and every byte of it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "registry.hpp"
#include "unfit.hpp"

namespace omnistore::loader {

/// One plugin of a lock file.
struct LockedPlugin {
  std::string file;   ///< the name of its file, without folders
  std::string path;   ///< where it lay; only for people
  std::string sha256; ///< "sha256:HEX"
  std::string name, version, abi;
  std::map<std::string, std::string> drivers; ///< name -> version
};

/// A file that may be a plugin, as it is now.
struct FoundPlugin {
  std::string path;
  std::string sha256; ///< empty: it cannot be read
};

struct LockDifference {
  enum class Kind { added, missing, changed };
  Kind kind = Kind::added;
  std::string file, path;    ///< path: of the file that was found; of a missing one, where it lay
  std::string locked, found; ///< the SHA-256s; empty if there is none, or none that can be read
};

/// Throws Unfit if the file is not there, cannot be read, can be written by other users, or is no lock file.
std::vector<LockedPlugin> read_lock(const std::string &lock);

/// Replaces the file at once and whole, readable by everybody, the plugins in the order of their file names and
/// contents: the same plugins make the same text. Throws Error.
void write_lock(const std::string &lock, std::vector<LockedPlugin> plugins);

/// Throws Unfit, with what to run, if a plugin of that path and SHA-256 is not in the lock file.
void vet_lock(const std::string &lock, const std::vector<LockedPlugin> &plugins, const std::string &path,
              const std::string &sha256);

/// The SHA-256 of each of these files, without loading one.
std::vector<FoundPlugin> found_plugins(const std::vector<std::string> &files);

/// How the files differ from the lock, in the order of their names. A plugin that lies elsewhere now is no difference.
std::vector<LockDifference> differences(const std::vector<LockedPlugin> &lock, const std::vector<FoundPlugin> &found);

/// "added", "missing" or "changed".
const char *difference_name(LockDifference::Kind kind);

} // namespace omnistore::loader
