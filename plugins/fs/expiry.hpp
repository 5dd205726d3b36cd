// SPDX-License-Identifier: Apache-2.0
// How expiries lie on the disk.
//
// The attribute user.omnistore.expiry of a file holds Unix milliseconds as decimal text; the sticky bit of
// its mode (without meaning for files otherwise) says that it is there, so that a value without one costs nothing. The
// time of access is set to the expiry too, with a mark in its nanoseconds, as a hint: while it lies ahead the value is
// alive, and a listing need not read the attribute. Where the system has set another time of access, it has to. A
// folder below which files expire has the attribute user.omnistore.expiring, and so have the folders above it up to
// base: other folders are listed without a look at their files.
#pragma once

#include <cstdint>

#include <sys/stat.h>

namespace fs {

/// Whether the filesystem of the open file keeps attributes of users.
bool keeps_attributes(int file);

/// 0: it never ends.
std::int64_t read_expiry(int file, const struct stat &status);

/// Writes the attribute. The sticky bit and the times are the caller's. False and errno on failure.
bool write_expiry(int file, std::int64_t expiry);

/// The hint, as a time of access.
timespec hint_of(std::int64_t expiry);
/// Whether the hint alone says that the file has not expired.
bool surely_alive(const struct stat &status, std::int64_t now);

/// Whether files in the folder may expire.
bool has_expiring(int folder);
bool mark_expiring(int folder);

} // namespace fs
