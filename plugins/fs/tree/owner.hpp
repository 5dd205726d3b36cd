// SPDX-License-Identifier: Apache-2.0
// Owners of temporary files. The next start removes the temporary files of a host that was killed, and keeps those of a
// host that is still at work.
//
// Before its first write a store marks the base folder with an attribute that holds the store's ID, and takes a shared
// lock (flock) of the folder, which it holds until it closes. The names of its temporary files and folders contain the
// same ID. Closing the store removes the mark; a kill ends the lock and leaves the mark. A store that opens the base
// looks for marks. If there are some, and nobody holds the lock, it goes through the tree and removes the files with
// those IDs.
//
// The lock is the system's, so it works across processes and containers. If a store gets no lock or no mark, such as on
// a network filesystem, its temporary files have no ID, and are removed when they are an hour old.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "tree/tree.hpp"

namespace fs {

/// The store's own mark. Thread-safe.
class Owner {
public:
  explicit Owner(const Tree &tree) : tree_(tree) {}
  Owner(const Owner &) = delete;
  Owner &operator=(const Owner &) = delete;
  ~Owner() { release(); }

  /// Returns a new name for a temporary file or folder. The first call marks the base folder, and so does the first one
  /// after the base has become another folder; that takes some system calls. It never fails.
  std::string temporary_name();

private:
  void take();
  void release();

  const Tree &tree_;
  std::mutex mutex_;
  std::atomic<std::uint64_t> id_{0};                 ///< 0: there is no mark
  std::atomic<std::uint64_t> marked_at_{UINT64_MAX}; ///< Tree::changes() when the folder was marked
  Fd folder_;                                        ///< the marked folder, with the lock
};

/// Returns true if the owner of a temporary file still has its store open.
bool is_owner_alive(const Tree &tree, std::string_view temporary);

/// The temporary files that killed hosts have left. Not thread-safe.
class Leftovers {
public:
  explicit Leftovers(const Tree &tree) : tree_(tree) {}

  /// Finds the marks of stores that no longer exist. If there are none, it costs one system call.
  void find();
  /// Goes through the tree and removes their files, and calls `may_go_on` before each folder. Returns true if there is
  /// more to do. Files that cannot be removed stay.
  bool work(const std::function<bool()> &may_go_on);
  bool done() const { return dead_ids_.empty(); }

private:
  bool is_left(std::string_view name) const;
  void look_into(const std::string &path);

  const Tree &tree_;
  std::uint64_t changes_ = 0;         ///< Tree::changes() when the marks were found
  std::vector<std::string> dead_ids_; ///< of stores that no longer exist
  std::vector<std::string> folders_;  ///< paths of the folders that are still to be searched
  bool missed_ = false;               ///< a folder could not be searched for the moment
};

} // namespace fs
