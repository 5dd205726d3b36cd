// SPDX-License-Identifier: Apache-2.0
// The value of one key: how its file is read and written, and its meta and etag.
#pragma once

#include <cstdint>
#include <string_view>

#include <sys/stat.h>

#include <omnistore/driver.hpp>

#include "expiry/expiry.hpp"
#include "tree/slot.hpp"
#include "tree/tree.hpp"

namespace fs {

inline constexpr std::uint64_t piece = 256 * 1024; ///< the most bytes that one system call reads or writes

/// A value that is open for reading.
struct OpenValue {
  Fd file;
  struct stat status {};
  Life life;
};

/// Opens the value of a key, expired or not. Returns false if there is none.
bool open_value(const Tree &tree, const Path &path, OpenValue &value);

/// Returns the life of the value in a slot.
Life life_of(const Tree &tree, const Slot &slot, const Path &path);

/// An etag has at most 64 bytes (driver.h): three numbers of up to 16 digits, one of 13, and three separators.
using EtagRoom = char[64];

/// Returns the etag of a file's state. It consists of the mtime (which the store's own writes set to the nanosecond),
/// the size, the inode, and the ctime, which the system sets at every change and no program can set back.
std::string_view write_etag(EtagRoom &room, const struct stat &status, const Life &life);
omnistore_meta meta_of(const struct stat &status, std::int64_t expiry);

bool same_time(const timespec &a, const timespec &b);

/// Throws a Failure if the call's time is over.
void check_deadline(omnistore::Call call);

/// Reads exactly `size` bytes.
void read_all(int file, char *into, std::uint64_t size, std::uint64_t offset, const Path &path);
/// Appends to a file that has `offset` bytes.
void write_all(int file, const void *from, std::uint64_t size, std::uint64_t offset, const Path &path);
/// Appends the stream of a set to an empty file.
omnistore_status copy_source(omnistore::Call call, int file, const omnistore_set_request &request, const Path &path);

} // namespace fs
