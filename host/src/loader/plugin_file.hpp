// SPDX-License-Identifier: Apache-2.0
// A plugin's file as it was read: all that is asked of it later, and loaded, is this one state of it.
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

/// Which file, and which state of it.
struct FileId {
  std::uint64_t device = 0, inode = 0, size = 0;
  std::int64_t mtime = 0; ///< nanoseconds
  auto operator<=>(const FileId &) const = default;
};

/// Pages that hold a file's bytes. They come all at once: touched one by one, each would cost a fault.
class Bytes {
public:
  /// Memory to read `size` bytes into, more than 0. Throws std::bad_alloc.
  explicit Bytes(std::size_t size);
  /// The first bytes of a file that nobody writes into. Throws std::bad_alloc.
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
  Copy copy;                ///< without a path where none is there
  std::int64_t changed = 0; ///< the file's ctime, nanoseconds
};

/// Which state of a file lies at a path; all zero if there is none.
FileId id_of(const std::string &path);

/// Reads a file whole, or finds that the copy made of it before holds just what it does. Throws Unfit where it is a
/// folder, a fifo, a link to nothing, empty, too large or unreadable.
PluginFile read_plugin(const std::string &path);

/// The private copy of what was read (copy.hpp).
Copy copy_of(const PluginFile &plugin);

} // namespace omnistore::loader
