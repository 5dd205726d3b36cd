// SPDX-License-Identifier: Apache-2.0
// How expiries are stored on the disk.
//
// The attribute user.omnistore.expiry of a file holds the expiry: Unix milliseconds as decimal text. The sticky bit of
// the file's mode, which has no other meaning for files, says that the attribute exists, so that a value without an
// expiry costs nothing. The file's time of access is a hint: it is set to the expiry, with a mark in its nanoseconds.
// While it is in the future the value is alive, and a listing does not read the attribute. If the system has set
// another time of access, the listing reads the attribute. A folder with expiring files in it or below has the
// attribute user.omnistore.expiring, and so have the folders above it up to base. Other folders are listed without a
// stat of their files.
//
// A file's ctime is a part of its etag (store/value.hpp). The store itself changes the ctime without a write when it
// gives a value another expiry, or moves the file into a folder of its own name. Then the attribute holds two more
// numbers, in nanoseconds: the ctime that the last write left, and the time of the store's change. While the file's
// ctime equals the second number, the etag is made of the first. The expiry of such a file may be 0: it never expires.
#pragma once

#include <cstdint>
#include <string_view>

#include <sys/stat.h>

namespace fs {

// The functions that read an attribute throw a SystemFailure, which names `path`, if they cannot find out whether it
// exists.

/// Returns true if the filesystem of the open file supports user attributes.
bool keeps_attributes(int file);

/// The expiry and the last write of a value, read from its file and the attribute.
struct Life {
  std::int64_t expiry = 0;      ///< 0: it never expires
  std::uint64_t written_at = 0; ///< the ctime that its last write left, in nanoseconds since 1970
};
Life read_life(int file, const struct stat &status, std::string_view path);
/// The same for a file without the attribute.
Life life_without_attribute(const struct stat &status);

/// Write the attribute. write_expiry() is for a new file. write_life() is for a change of the file that must keep its
/// etag. The caller sets the sticky bit and the times. On failure they return false, and errno is set.
bool write_expiry(int file, std::int64_t expiry);
bool write_life(int file, const Life &life);

/// Returns the hint for an expiry: a time of access.
timespec hint_of(std::int64_t expiry);
/// Returns true if the hint alone shows that the file has not expired.
bool is_certainly_alive(const struct stat &status, std::int64_t now);

/// Returns true if files in the folder may expire.
bool has_expiring(int folder, std::string_view path);
bool mark_expiring(int folder);

} // namespace fs
