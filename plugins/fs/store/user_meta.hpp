// SPDX-License-Identifier: Apache-2.0
// User meta: the file `b$` beside the value's file `b`, as in unstorage (user_name_of() has the exception).
//
// The file gets the mtime of the value's file, to the nanosecond. Other programs keep that time when they copy, pack or
// move files, and change it when they write one. So user meta belongs to a value if both files have one mtime.
//
// unstorage gives `b$` no time of its own, so a file that another program wrote after the value belongs to it too. A
// file that the store wrote, and nobody since, is recognised by its time of access: it is the mtime and ten years more.
// No reader changes such a time, since it is in the future. Such a file is left if another program removes the
// value, or if the host is killed between the two unlinks of a removal. No other value ever gets it, whatever its times
// are.
#pragma once

#include <string>

#include "store/context.hpp"
#include "store/value.hpp"

namespace fs {

inline constexpr char user_end = '$'; ///< the end of the name of a file with user meta

/// Thread-safe. The functions that change something need the lock of the value's slot.
class UserMeta {
public:
  explicit UserMeta(const Context &context) : context_(context) {}

  /// Reads the user meta of an open value; empty: there is none. Returns false if there is a file that belongs to
  /// another value.
  bool read(const Path &path, const OpenValue &found, std::string &user) const;

  /// Writes a temporary file that will be `b$`, with the time and the access of the value that it belongs to.
  void prepare(int folder, const TemporaryFile &file, const Slot &slot, omnistore_bytes user, const timespec &mtime,
               const Path &path) const;
  /// Moves that file into its place.
  void move_in(int folder, TemporaryFile &file, const Path &path) const;
  /// Removes the file, whichever value it belongs to. Returns true if there was one.
  bool drop(int folder, const Path &path) const;
  /// After the store has changed the value's file without a write: user meta that unstorage wrote, which is known
  /// because it is younger than the value, keeps belonging to the value.
  void restamp(int folder, const Slot &slot, const Life &before, const Path &path) const;

private:
  const Context &context_;
};

} // namespace fs
