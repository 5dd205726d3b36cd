// SPDX-License-Identifier: Apache-2.0
// Whose the unfinished writes are, so that those of a host that was killed go at the next start, and those of a host
// that works stay.
//
// A store that writes has a file of its own in the folder `.omnistore$` of base, made before its first write, and holds
// the file's lock (flock) while it is open. Its temporary files and folders are named after that file. Closing the
// store removes the file; a kill ends the lock and leaves the file. A store that opens base looks into that one folder.
// Only if a file there has no lock does it go through the tree, and remove what is named after that file.
//
// The lock is the system's: it holds against other processes, containers, and on a network filesystem that has locks
// against other machines. A store that gets no lock names its files after nobody; they go when they are an hour old.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "tree.hpp"

namespace fs {

/// The store's own file. Thread-safe.
class Owner {
public:
  /// `folder_mode`: of the folder that the file lies in, if it is to be made.
  Owner(const Tree &tree, mode_t folder_mode);
  Owner(const Owner &) = delete;
  Owner &operator=(const Owner &) = delete;
  ~Owner();

  /// A name for a temporary file or folder, another one with each call. The first call makes the store's file, and so
  /// does the first one after base has become another folder: some system calls. It never fails.
  std::string temporary_name();

private:
  void take();
  void give_up();
  bool make(std::uint64_t id);

  const Tree &tree_;
  const mode_t folder_mode_;
  std::mutex mutex_;
  std::atomic<std::uint64_t> id_{0};                ///< 0: there is no file
  std::atomic<std::uint64_t> taken_at_{UINT64_MAX}; ///< Tree::changes() of the folder that the file was made in
  Fd folder_, file_;
};

/// Whether a temporary's name names an owner who is at work.
bool has_owner_at_work(const Tree &tree, std::string_view temporary);

/// What hosts that were killed have left. Not thread-safe.
class Leftovers {
public:
  explicit Leftovers(const Tree &tree) : tree_(tree) {}

  /// Finds the owners that are no more: a look into one folder.
  void find();
  /// Goes through the tree and removes what they have left, for as long as `may_go_on`, which is asked for each folder.
  /// True: there is more to do. What cannot be removed stays.
  bool work(const std::function<bool()> &may_go_on);
  bool done() const { return dead_.empty(); }

private:
  struct Dead {
    std::string name; ///< of the owner's file
    Fd file;          ///< whose lock is held, so that one store does the work
  };
  bool is_left(std::string_view name) const;
  void look_into(const std::string &path);

  const Tree &tree_;
  std::uint64_t changes_ = 0; ///< of base, when they were found
  std::vector<Dead> dead_;
  std::vector<std::string> folders_; ///< paths of those that are still to be looked into
};

} // namespace fs
