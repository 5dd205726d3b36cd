// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/descriptor.hpp"

namespace omnistore::loader {

/// Keeps a copy's file in its place. The last one of all processes that goes takes the file away; what is mapped stays.
class CopyLock {
public:
  CopyLock() = default;
  /// Of the file that `file` has open and locked, shared.
  CopyLock(std::string path, base::Descriptor file) : path_(std::move(path)), file_(std::move(file)) {}
  CopyLock(CopyLock &&) = default;
  CopyLock &operator=(CopyLock &&other) noexcept {
    std::swap(path_, other.path_);
    std::swap(file_, other.file_);
    return *this;
  }
  ~CopyLock();
  explicit operator bool() const noexcept { return static_cast<bool>(file_); }
  const base::Descriptor &file() const { return file_; }

private:
  std::string path_;
  base::Descriptor file_;
};

/// A copy of a plugin that nobody writes into any more, so that the host may keep it mapped.
struct Copy {
  std::string path;
  CopyLock lock;
};

/// The copy of `bytes`, made or found again, in the user's private folder: $XDG_RUNTIME_DIR/omnistore-UID, else
/// omnistore-UID in the temporary folder. Its name holds `mark`, a hash of the file that it was made of, and where
/// that names other bytes already, a number: other content is another file, and the linker never takes a new generation
/// for the old. Copies that no process holds, such as those of a process that was killed, are taken away when a process
/// uses the folder for the first time. Throws std::runtime_error that says why no folder would do.
Copy private_copy(const std::string &stem, std::uint64_t mark, std::string_view bytes);

/// The copy under that name, where it holds just what `file`, of `size` bytes, holds; else one without a lock.
Copy kept_copy(const std::string &stem, std::uint64_t mark, const base::Descriptor &file, std::uint64_t size);

} // namespace omnistore::loader
