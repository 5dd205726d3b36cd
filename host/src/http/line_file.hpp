// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/descriptor.hpp"

namespace omnistore::http {

/// A file to which lines are added, such as an access log. Each line goes out in one write, so that lines of several
/// threads never mix. Thread-safe.
class LineFile {
public:
  /// Opens the file, or makes it, readable for its owner and group. Throws std::system_error.
  explicit LineFile(std::string path);

  /// Adds a line, which has its line end. A line that cannot be written is counted.
  void write(std::string_view line) noexcept;
  /// Opens the path again, after it was renamed. Throws std::system_error, and keeps the file that it had.
  void reopen();

  const std::string &path() const { return path_; }
  /// Returns how many lines were lost since the last call.
  std::uint64_t take_lost() { return lost_.exchange(0, std::memory_order_relaxed); }

private:
  const std::string path_;
  const base::Descriptor file_; ///< its number never changes
  std::atomic<std::uint64_t> lost_{0};
};

} // namespace omnistore::http
