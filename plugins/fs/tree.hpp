// SPDX-License-Identifier: Apache-2.0
// The folder tree below `base`: how keys become paths, and how a path is opened without ever leaving the tree.
#pragma once

#include <cerrno>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include <omnistore/driver.h>
#include <omnistore/failure.hpp>

namespace fs {

/// A file descriptor that closes itself.
class Fd {
public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd &operator=(Fd &&other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

private:
  int fd_ = -1;
};

/// Throws a Failure with the status that `error` (an errno) means, the path below base, and the system's words.
[[noreturn]] void fail(int error, std::string_view path);

/// The name of a file that keeps the value of key `a` inside the folder `a`.
inline constexpr const char *own_name = "$";

/// Whether a file is one that a write has not finished. Their names end in `$`, so that unstorage leaves them out too.
inline constexpr std::string_view temporary_end = ".omnistore-tmp$";
bool is_temporary(std::string_view name);

/// Whether a file's name can be a segment of a key, and so be listed.
bool is_segment(std::string_view name);

/// The longest key in bytes: its path, and the "/$" of its own file, stay below the system's PATH_MAX.
inline constexpr std::size_t longest_key = 4064;

/// A key as a path below base. Throws a Failure when no file can stand for the key.
class Path {
public:
  explicit Path(std::string_view key);

  const char *c_str() const { return text_; }
  std::string_view text() const { return {text_, size_}; }
  const char *name() const { return text_ + name_; }                           ///< the last segment
  std::string_view folder() const { return {text_, name_ ? name_ - 1u : 0u}; } ///< what is before it; empty: base

private:
  std::uint32_t size_, name_ = 0;
  char text_[longest_key + 1];
};

/// A key's path, and the path of the folder that a key prefix stands for, without a check; and a path's key.
std::string path_of(std::string_view key);
std::string folder_of(std::string_view base);
std::string key_of(std::string_view path);

/// The folder `base`, held open, so that nothing that is done below it depends on its own path. Thread-safe.
class Tree {
public:
  /// Opens base, an absolute path; with `create` it is made when it is missing.
  Tree(std::string base, bool create);

  /// Base itself, as a folder for the system's ...at calls. It stays the same number for the tree's life.
  int base() const { return base_.get(); }

  /// Opens a path below base; an empty one is base. A path that leads out (by a symbolic link; `..` does not come here)
  /// gives EXDEV, or ELOOP where the kernel has no openat2: there no symbolic link is followed at all. No descriptor
  /// and errno where it cannot be opened.
  Fd open(const char *path, int flags) const;
  Fd open_folder(std::string_view path) const;
  /// The same, following no symbolic link at all.
  Fd open_real_folder(std::string_view path) const;

  /// When base was removed from under the store: opens it anew, making it as the constructor does. True when base is
  /// another folder now.
  bool revive() const { return revive(create_); }
  /// The same, making it only where that is asked for.
  bool revive(bool make) const;
  bool is_alive() const;

private:
  Fd walk(std::string_view path, int flags) const;

  std::string path_;
  bool create_;
  Fd base_;
  bool resolves_ = false; ///< the kernel has openat2
  mutable std::mutex reviving_;
};

} // namespace fs
