// SPDX-License-Identifier: Apache-2.0
// The folders that keys lie in: made when a key needs them, and removed when their last key is.
#pragma once

#include <string_view>

#include "store/context.hpp"
#include "store/unsynced.hpp"

namespace fs {

/// Thread-safe.
class Folders {
public:
  Folders(const Context &context, UnsyncedChanges &unsynced) : context_(context), unsynced_(unsynced) {}

  /// Opens the folder that the key's file lies in, called its holder. The descriptor stays valid whatever happens to
  /// the path. Returns no descriptor if the folder does not exist.
  Fd open_holder(const Path &path) const;
  /// Makes a folder, and the missing folders above it, and opens it. A file in the way becomes a folder that holds it.
  /// Returns no descriptor if other programs changed the same folders meanwhile; the caller then starts again.
  Fd make(std::string_view folder) const;
  /// Marks the key's folder, and those above it, as folders below which values may expire.
  void mark_expiring(const Path &path, int folder) const;
  /// Removes a folder if it is empty, and then the folders above it that became empty. `durable`: a response that
  /// acknowledges a removal follows.
  void prune(std::string_view folder, bool durable) const;

private:
  void nest_value(int holder, const Path &path) const;

  const Context &context_;
  UnsyncedChanges &unsynced_;
};

} // namespace fs
