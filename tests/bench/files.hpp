// SPDX-License-Identifier: Apache-2.0
// The fastest way of a program that knows the layout and uses the system's calls alone: the measure for the fs driver.
// Paths are relative to an open folder; each function throws if a call fails.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace bench::files {

/// A folder held open.
class Folder {
public:
  explicit Folder(const std::string &path);
  ~Folder();
  Folder(const Folder &) = delete;
  Folder &operator=(const Folder &) = delete;
  int descriptor() const { return descriptor_; }

private:
  int descriptor_;
};

/// open, fstat, read, close.
void get(const Folder &folder, const char *path, std::string &into);

/// A temporary file beside it, write, rename over; with `sync` fdatasync before the rename.
void set(const Folder &folder, const char *path, std::string_view value, bool sync);

/// Walks the folders by getdents64 and appends each file's path, ':' for '/'.
void list(const Folder &folder, std::vector<std::string> &into);

} // namespace bench::files
