// SPDX-License-Identifier: Apache-2.0
// Whose the unfinished writes are, so that those of a host that was killed go at the next start, and those of a host
// that works stay.
//
// A store that writes marks the base folder before its first write, by an attribute that bears the store's ID, and
// holds a shared lock (flock) of the folder while it is open. Its temporary files and folders bear the same ID. Closing
// the store removes the mark; a kill ends the lock and leaves the mark. A store that opens base looks for marks. Only
// if there are some, and nobody holds the lock, does it go through the tree and remove what bears their IDs.
//
// The lock is the system's: it holds against other processes and containers. A store that gets no lock or no mark (as
// on network filesystems) names its files after nobody; they go when they are an hour old.
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

  /// A name for a temporary file or folder, another one with each call. The first call marks base, and so does the
  /// first one after base has become another folder: some system calls. It never fails.
  std::string temporary_name();

private:
  void take();
  void release();

  const Tree &tree_;
  std::mutex mutex_;
  std::atomic<std::uint64_t> id_{0};                 ///< 0: there is no mark
  std::atomic<std::uint64_t> marked_at_{UINT64_MAX}; ///< Tree::changes() of the folder that was marked
  Fd folder_;                                        ///< that one, with the lock
};

/// Whether a temporary's name names an owner who is at work.
bool is_owner_alive(const Tree &tree, std::string_view temporary);

/// What hosts that were killed have left. Not thread-safe.
class Leftovers {
public:
  explicit Leftovers(const Tree &tree) : tree_(tree) {}

  /// Finds the marks of stores that are no more: one system call where there are none.
  void find();
  /// Goes through the tree and removes what they have left, for as long as `may_go_on`, which is asked for each folder.
  /// True: there is more to do. What cannot be removed stays.
  bool work(const std::function<bool()> &may_go_on);
  bool done() const { return dead_ids_.empty(); }

private:
  bool is_left(std::string_view name) const;
  void look_into(const std::string &path);

  const Tree &tree_;
  std::uint64_t changes_ = 0;         ///< of base, when they were found
  std::vector<std::string> dead_ids_; ///< IDs
  std::vector<std::string> folders_;  ///< paths of those that are still to be looked into
  bool missed_ = false;               ///< one of them could not be looked into for the moment
};

} // namespace fs
