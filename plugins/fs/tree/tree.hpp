// SPDX-License-Identifier: Apache-2.0
// The folder tree below `base`: how keys become paths, and how a path is opened without ever leaving the tree.
#pragma once

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <sys/types.h>

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

/// A call of the system that failed.
class SystemFailure : public omnistore::Failure {
public:
  SystemFailure(omnistore_status status, const std::string &message, int error)
      : Failure(status, message), error_(error) {}
  int error() const { return error_; } ///< an errno

private:
  int error_;
};

/// Throws a SystemFailure with the status that `error` (an errno) means, the path below base, and the system's words.
[[noreturn]] void fail(int error, std::string_view path);
/// The status and the words of fail() for an error.
omnistore_status status_of(int error);
std::string message_of(int error);

// What a failed look at a path says. Any error that is neither of these may be gone at the next look (no descriptor
// left, no memory, a server that is away): whoever took it for an absence would lose a key that is there.

/// Nothing lies there any more, or something else than was looked for.
bool is_gone(int error);
/// One place cannot be read, and may stay so: the system denies it, or the medium is damaged there.
bool is_unreadable(int error);

/// The name of a file that keeps the value of key `a` inside the folder `a`.
inline constexpr const char *own_name = "$";

/// Whether a file is one that a write has not finished. Their names end in `$`, so that unstorage leaves them out too.
inline constexpr std::string_view temporary_end = ".omnistore-tmp$";
bool is_temporary(std::string_view name);

/// Whether a file's name can be a segment of a key, and so be listed.
bool is_segment(std::string_view name);

/// The longest key in bytes: its path, and the "/$" of its own file, stay below the system's PATH_MAX.
inline constexpr std::size_t longest_key = 4064;
/// The longest name of a file in bytes, on almost every filesystem.
inline constexpr std::size_t longest_name = 255;

/// Gives a folder that was made with this mode what the umask took of it. Where the filesystem has no modes it does
/// nothing.
void set_mode_of_folder(int folder, mode_t mode);

/// Whether user meta can lie beside the value's file: with the `$` behind it, its name is no longer than names may be.
inline bool has_room_for_user(std::string_view name) {
  return name.size() + (name.ends_with('$') ? 0 : 1) <= longest_name;
}

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

/// The folder `base`, held open: what is done below it is opened relative to a descriptor, and cannot leave it.
///
/// Base is the folder that its path leads to. Another program may rename it, put another in its place, or switch a
/// symbolic link on the way to it; look() finds out and goes over to the new one. Thread-safe.
class Tree {
public:
  /// How base is made when it is missing, with the folders above it.
  struct Making {
    mode_t mode = 0700;   ///< of the folders
    bool durable = false; ///< waits until they are on the medium
  };

  /// Opens base, an absolute path; with `making` it is made when it is missing, here and by look(true). `changed` is
  /// called after each change of the folder, by the thread that has found it.
  Tree(std::string base, std::optional<Making> making, std::function<void()> changed = {});

  /// Base itself, as a folder for the system's ...at calls. It stays the same number for the tree's life. While there
  /// is no folder at the path it is none: whatever is opened below it gives ENOTDIR.
  int base() const { return base_.get(); }
  const std::string &path() const { return path_; }

  /// Opens a path below base; an empty one is base. A path that leads out (by a symbolic link; `..` does not come here)
  /// gives EXDEV, or ELOOP where the kernel has no openat2: there no symbolic link is followed at all. No descriptor
  /// and errno where it cannot be opened.
  Fd open(const char *path, int flags) const;
  Fd open_folder(std::string_view path) const;
  /// The same, following no symbolic link at all.
  Fd open_real_folder(std::string_view path) const;

  /// Sees to it that base() is the folder that the path leads to now; `make`: makes it when it is missing, if the tree
  /// was opened so. False: there is none. One system call while nothing has changed. Throws a Failure when something
  /// else lies there.
  bool look(bool make) const;
  /// The same for reads, which are shorter than the look: it looks only if the last glance is 50 microseconds old.
  bool glance() const;
  /// How many times base has become another folder, or none.
  std::uint64_t changes() const { return changes_.load(std::memory_order_acquire); }

private:
  bool change(bool make) const;
  Fd walk(std::string_view path, int flags) const;

  std::string path_;
  std::optional<Making> making_;
  std::function<void()> on_change_;
  Fd base_;
  bool resolves_ = false; ///< the kernel has openat2

  mutable std::mutex changing_;
  mutable std::atomic<std::uint64_t> device_{0}, inode_{0}; ///< of base; zero while there is none
  mutable std::atomic<std::uint64_t> changes_{0};
  mutable std::atomic<std::int64_t> glanced_{0}; ///< nanoseconds of the steady clock
};

} // namespace fs
