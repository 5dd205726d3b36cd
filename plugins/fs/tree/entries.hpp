// SPDX-License-Identifier: Apache-2.0
// The entries of an open folder.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tree/retry.hpp"
#include "tree/tree.hpp"

namespace fs {

/// The format of getdents64, for which the C library has no type.
struct Entry {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t size;
  unsigned char type;
  char name[1];
};
inline constexpr std::size_t entry_name_offset = 19; // after the fields above, without padding
static_assert(offsetof(Entry, name) == entry_name_offset);

/// Calls `take(name, type)` for each remaining entry of an open folder, `.` and `..` included, and `rest()` after each
/// block of entries. The type is the system's (DT_...), which may be unknown. Throws a Failure that names `path`.
template <class Take, class Rest>
void read_entries(int folder, std::string_view path, Take take, Rest rest) {
  constexpr std::size_t room = 64 * 1024;
  const std::unique_ptr<char[]> buffer(new char[room]);
  for (;;) {
    const long size = retry(::syscall, SYS_getdents64, folder, buffer.get(), room);
    if (size < 0 && errno != ENOENT) fail(errno, path.empty() ? "the base folder" : path);
    if (size <= 0) return;
    for (long at = 0; at < size;) {
      const char *const raw = buffer.get() + at;
      const auto *entry = reinterpret_cast<const Entry *>(raw);
      take(raw + entry_name_offset, entry->type);
      at += entry->size;
    }
    rest();
  }
}

/// Returns the type of an entry. Calls fstatat if it is unknown, and throws a SystemFailure if that fails.
inline unsigned char type_of(int folder, const char *name, unsigned char type) {
  struct stat status;
  if (type != DT_UNKNOWN) return type;
  if (retry(::fstatat, folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (!is_gone(errno)) fail(errno, name);
    return type;
  }
  return S_ISREG(status.st_mode)   ? DT_REG
         : S_ISDIR(status.st_mode) ? DT_DIR
         : S_ISLNK(status.st_mode) ? DT_LNK
                                   : DT_UNKNOWN;
}

} // namespace fs
