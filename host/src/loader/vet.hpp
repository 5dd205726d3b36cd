// SPDX-License-Identifier: Apache-2.0
// What is asked of a plugin file before a byte of it is believed: that nobody else can write it, and that it is a file.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>

#include <sys/types.h>

namespace omnistore::loader {

/// Throws Unfit where someone other than root and `user` could change the file, or put another in its place: by the
/// owner or mode of the file, or of any folder above it up to '/', by its name as by what a symbolic link leads to.
/// A folder that all may write is good where it is sticky, as /tmp is. `file` is absolute.
void vet_permissions(const std::string &file, uid_t user);

/// The same of a folder and those above it.
void vet_folder_permissions(const std::string &folder, uid_t user);

/// Which file, and which state of it.
struct FileId {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t mtime = 0; ///< nanoseconds
  auto operator<=>(const FileId &) const = default;
};

struct PluginFile {
  std::string path;
  FileId id;
  std::string bytes;
};

/// Reads a file whole. Throws Unfit where it is a folder, a fifo, a link to nothing, empty, too large or unreadable.
PluginFile read_plugin(const std::string &path);

/// Throws Unfit unless the SHA-256 of the bytes is what `pin` ("sha256:HEX") says.
void vet_pin(std::string_view bytes, const std::string &pin);

/// "sha256:HEX" of some bytes.
std::string sha256(std::string_view bytes);

} // namespace omnistore::loader
