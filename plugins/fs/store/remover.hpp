// SPDX-License-Identifier: Apache-2.0
// Removals: single keys, keys that have expired, and the keys of a clear.
#pragma once

#include <cstdint>
#include <mutex>
#include <string_view>

#include <omnistore/driver.h>

#include "listing/walk.hpp"
#include "store/context.hpp"
#include "store/folders.hpp"
#include "store/unsynced.hpp"
#include "store/user_meta.hpp"
#include "store/writer.hpp"

namespace fs {

/// Thread-safe.
class Remover {
public:
  Remover(const Context &context, UnsyncedChanges &unsynced, const Folders &folders, const UserMeta &user_meta,
          const Writer &writer)
      : context_(context), unsynced_(unsynced), folders_(folders), user_meta_(user_meta), writer_(writer) {}

  /// Removes a key under a condition.
  omnistore_status remove(const Path &path, std::string_view key, std::uint32_t condition, omnistore_bytes etag) const;
  /// Removes a key if it has expired. No reader sees it in any case.
  void expire(std::string_view key) const;
  /// Removes the current value of a clear's walk. Returns true if it existed and had not expired.
  bool clear_one(Walk &walk) const;
  /// Syncs and prunes a folder after all its keys were removed.
  void finish_folder(std::string_view folder) const;

private:
  bool unlink_value(const Slot &slot, const Path &path) const;
  void finish_removal(int holder, const Slot &slot, const Path &path, std::unique_lock<std::mutex> &lock) const;
  void announce_expired(std::string_view key) const;

  const Context &context_;
  UnsyncedChanges &unsynced_;
  const Folders &folders_;
  const UserMeta &user_meta_;
  const Writer &writer_;
};

} // namespace fs
