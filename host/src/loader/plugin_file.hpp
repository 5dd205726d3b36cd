// SPDX-License-Identifier: Apache-2.0
// A plugin file as it was read. All later checks, and the load, use this one state of the file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "base/descriptor.hpp"
#include "copy.hpp"

namespace omnistore::loader {

/// Identifies a file and its state.
struct FileId {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t mtime = 0; ///< nanoseconds
  auto operator<=>(const FileId &) const = default;
};

/// Pages with a file's bytes. They are populated at once, since each would otherwise cost a page fault.
class Bytes {
public:
  /// Allocates memory for `size` bytes, more than 0. Throws std::bad_alloc.
  explicit Bytes(std::size_t size);
  /// Maps the first bytes of a file that no program writes to. Throws std::bad_alloc.
  Bytes(const base::Descriptor &file, std::size_t size);
  Bytes(Bytes &&other) noexcept : data_(std::exchange(other.data_, nullptr)), size_(other.size_) {}
  Bytes &operator=(Bytes &&) = delete;
  ~Bytes();
  char *data() { return data_; }
  operator std::string_view() const { return {data_, size_}; }

private:
  char *data_;
  std::size_t size_;
};

struct PluginFile {
  std::string path;
  FileId id;
  Bytes bytes;
  Copy copy;                ///< without a path if there is none
  std::int64_t changed = 0; ///< the file's ctime, nanoseconds
};

/// Returns the identity of the file at a path, or all zero if there is none.
FileId id_of(const std::string &path);

/// Reads a whole file, or finds that an earlier copy of it is equal. Throws PluginError if it is a folder, a fifo, a
/// dangling link, empty, too large or unreadable.
PluginFile read_plugin(const std::string &path);

/// Returns the private copy of the bytes that were read (copy.hpp).
Copy copy_of(const PluginFile &plugin);

} // namespace omnistore::loader
