// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <sys/types.h>

#include "store/value.hpp"
#include "tree/tree.hpp"

namespace fs {

/// Finds the meta of several values without opening their files. It holds the folder of the last key open, so that keys
/// of one folder that come one after another open it once. For one thread.
class FolderLooks {
public:
  explicit FolderLooks(const Tree &tree);

  /// Fills in all of `found` but the file. Returns false if only open_value() can find out: if there is no plain file
  /// of the process's own user, or if its expiry is in an attribute.
  bool find(const Path &path, OpenValue &found);

private:
  const Tree &tree_;
  const uid_t user_;
  std::string path_; ///< of `folder_`
  Fd folder_;
};

} // namespace fs
