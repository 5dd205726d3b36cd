// SPDX-License-Identifier: Apache-2.0
// How expiries lie on the disk.
//
// The attribute user.omnistore.expiry of a file holds Unix milliseconds as decimal text; the sticky bit of
// its mode (without meaning for files otherwise) says that it is there, so that a value without one costs nothing. The
// time of access is set to the expiry too, with a mark in its nanoseconds, as a hint: while it lies ahead the value is
// alive, and a listing need not read the attribute. Where the system has set another time of access, it has to. A
// folder below which files expire has the attribute user.omnistore.expiring, and so have the folders above it up to
// base: other folders are listed without a look at their files.
//
// A file's ctime is a part of its etag (fs.cpp), and the store itself changes it without a write when it gives a value
// another expiry, or moves its file into a folder of its own name. Then the attribute holds two more numbers, in
// nanoseconds: the ctime that the last write left, and the moment of the store's change. While the file's ctime is that
// moment, the etag is made of the older ctime. Such a file's expiry may be 0: it never ends.
#pragma once

#include <cstdint>
#include <string_view>

#include <sys/stat.h>

namespace fs {

// The functions that read an attribute throw a SystemFailure, which names `path`, if they cannot tell whether it is
// there.

/// Whether the filesystem of the open file keeps attributes of users.
bool keeps_attributes(int file);

/// What a file and its attribute say of a value.
struct Life {
  std::int64_t expiry = 0;      ///< 0: it never ends
  std::uint64_t written_at = 0; ///< the ctime that its last write left, in nanoseconds since 1970
};
Life read_life(int file, const struct stat &status, std::string_view path);
/// The same of a file without the attribute.
Life life_without_attribute(const struct stat &status);

/// Write the attribute: of a new file; and when the store changes a value's file otherwise, so that its etag stays.
/// Both leave the sticky bit and the times to the caller. False and errno on failure.
bool write_expiry(int file, std::int64_t expiry);
bool write_life(int file, const Life &life);

/// The hint, as a time of access.
timespec hint_of(std::int64_t expiry);
/// Whether the hint alone says that the file has not expired.
bool is_certainly_alive(const struct stat &status, std::int64_t now);

/// Whether files in the folder may expire.
bool has_expiring(int folder, std::string_view path);
bool mark_expiring(int folder);

} // namespace fs
