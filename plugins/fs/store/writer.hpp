// SPDX-License-Identifier: Apache-2.0
// Writes: a value is written to a temporary file in the folder of its key, which is then moved into the key's slot.
#pragma once

#include <cstdint>
#include <optional>

#include <omnistore/driver.hpp>

#include "store/context.hpp"
#include "store/folders.hpp"
#include "store/unsynced.hpp"
#include "store/user_meta.hpp"
#include "store/value.hpp"

namespace fs {

/// Thread-safe.
class Writer {
public:
  Writer(const Context &context, UnsyncedChanges &unsynced, const Folders &folders, const UserMeta &user_meta)
      : context_(context), unsynced_(unsynced), folders_(folders), user_meta_(user_meta) {}

  /// Returns true if the condition holds for the slot's value.
  bool condition_holds(const Slot &slot, std::uint32_t condition, omnistore_bytes etag, const Path &path) const;

  /// Sets a value whose expiry is in the future. Empty folders may remain if it fails.
  omnistore_status write(omnistore::Call call, const Path &path, const omnistore_set_request &request,
                         omnistore_sink *result) const;
  /// Sets another expiry of the slot's value; 0: never.
  void write_expiry_of(const Slot &slot, const Path &path, std::int64_t expiry) const;

private:
  void finish(const TemporaryFile &file, const Slot &slot, std::int64_t expiry, const Path &path) const;
  std::optional<omnistore_status> move_in(int holder, TemporaryFile &file, TemporaryFile *user, Slot slot,
                                          const omnistore_set_request &request, const Path &path,
                                          struct stat *moved) const;

  const Context &context_;
  UnsyncedChanges &unsynced_;
  const Folders &folders_;
  const UserMeta &user_meta_;
};

} // namespace fs
