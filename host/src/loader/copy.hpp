// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/descriptor.hpp"

namespace omnistore::loader {

/// Keeps the file of a copy. The last CopyLock in all processes removes the file when it is destroyed; mappings stay.
class CopyLock {
public:
  CopyLock() = default;
  /// `file` has the file open, with a shared lock.
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

/// A copy of a plugin file. No program writes to it, so that the host may keep it mapped.
struct Copy {
  std::string path;
  CopyLock lock;
};

/// Finds or makes the copy of `bytes` in the user's private folder: $XDG_RUNTIME_DIR/omnistore-UID, else omnistore-UID
/// in the temporary folder. Its name contains `mark`, a hash of the original file, and a number if that name belongs to
/// other bytes. Other contents therefore always have another name, so that the linker never takes a new version for the
/// old one. Copies that no process has locked, such as those of a killed process, are removed when a process first uses
/// the folder. Throws std::runtime_error, which says why no folder can be used.
Copy private_copy(const std::string &stem, std::uint64_t mark, std::string_view bytes);

/// Returns the copy of that name if it equals the first `size` bytes of `file`, else a copy without a lock.
Copy kept_copy(const std::string &stem, std::uint64_t mark, const base::Descriptor &file, std::uint64_t size);

} // namespace omnistore::loader
