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

/// The failure of a system call.
class SystemFailure : public omnistore::Failure {
public:
  SystemFailure(omnistore_status status, const std::string &message, int error)
      : Failure(status, message), error_(error) {}
  int error() const { return error_; } ///< an errno

private:
  int error_;
};

/// Throws a SystemFailure with the status for `error` (an errno). Its message is the path below base and the system's
/// text.
[[noreturn]] void fail(int error, std::string_view path);
/// Returns the text that fail() uses for an error.
std::string message_of(int error);

// A system call that fails on a path means one of three things: there is nothing, it is unreadable, or the error is
// temporary (no descriptor or memory is left, a server is away). A temporary error must never be taken for an absence,
// or a key would seem lost.

/// There is nothing at the path, or something of another kind.
bool is_gone(int error);
/// The path cannot be read, and this may last: the system denies it, or the medium is damaged.
bool is_unreadable(int error);

/// The file in folder `a` that holds the value of key `a`.
inline constexpr const char *own_name = "$";

/// Temporary files of unfinished writes. Their names end in `$`, so that unstorage does not list them.
inline constexpr std::string_view temporary_end = ".omnistore-tmp$";
bool is_temporary(std::string_view name);

/// Returns true if a file's name can be a segment of a key.
bool is_segment(std::string_view name);

/// The longest key in bytes: its path and "/$" stay below the system's PATH_MAX.
inline constexpr std::size_t longest_key = 4064;
/// The longest name of a file in bytes, on almost every filesystem.
inline constexpr std::size_t longest_name = 255;

/// Sets the mode of a new folder, since the umask may have taken some bits. If the filesystem has no modes, it does
/// nothing.
void set_mode_of_folder(int folder, mode_t mode);

/// Returns the name of the file with the user meta of the file `name`: `name$`. If a name has no room for the `$`, it
/// is
/// `:DIGEST$`, with a digest of 128 bits. No key can have a `:` in its name.
std::string user_name_of(std::string_view name);

/// A key as a path below base. The constructor throws a Failure if no file can stand for the key.
class Path {
public:
  explicit Path(std::string_view key);

  const char *c_str() const { return text_; }
  std::string_view text() const { return {text_, size_}; }
  const char *name() const { return text_ + name_; }                           ///< the last segment
  std::string_view folder() const { return {text_, name_ ? name_ - 1u : 0u}; } ///< the path before it; empty: base
  /// The path of the file with the user meta.
  std::string user() const { return std::string(text_, name_) + user_name_of({text_ + name_, size_ - name_}); }

private:
  std::uint32_t size_, name_ = 0;
  char text_[longest_key + 1];
};

/// The path of a key, the path of the folder for a base, and the key of a path. Nothing is checked.
std::string path_of(std::string_view key);
std::string folder_of(std::string_view base);
std::string key_of(std::string_view path);

/// The base folder, held open. Everything below it is opened relative to its descriptor, and cannot leave the folder.
///
/// The base is the folder that its path leads to now. Another program may rename it, put another folder in its place,
/// or switch a symbolic link on the way to it. look() notices that, and switches to the new folder. Thread-safe.
class Tree {
public:
  /// How a missing base, and the folders above it, are made.
  struct Making {
    mode_t mode = 0700;   ///< of the folders
    bool durable = false; ///< waits until they are on the medium
  };

  /// Opens base, which is an absolute path. With `making`, the constructor and look(true) make it if it is missing.
  /// `changed` is called after each change of the folder, by the thread that noticed it.
  Tree(std::string base, std::optional<Making> making, std::function<void()> changed = {});

  /// Returns the descriptor of the base, for the system's ...at calls. The number stays the same for the tree's life.
  /// While there is no folder at the path, every open below it fails with ENOTDIR.
  int base() const { return base_.get(); }
  const std::string &path() const { return path_; }

  /// Opens a path below base; an empty path is the base. If a symbolic link leads out of the base, it fails with EXDEV.
  /// On a kernel without openat2 no symbolic link is followed, and it fails with ELOOP. On failure there is no
  /// descriptor, and errno is set.
  Fd open(const char *path, int flags) const;
  Fd open_folder(std::string_view path) const;
  /// Opens a folder and follows no symbolic link.
  Fd open_real_folder(std::string_view path) const;

  /// Makes base() the folder that the path leads to now. With `make`, makes a missing folder if the tree was opened
  /// with `making`. Returns false if there is no folder. It costs one system call while nothing has changed. Throws a
  /// Failure if the path is no folder.
  bool look(bool make) const;
  /// The same for reads, which would take less time than look(): it looks only if the last glance is 50 microseconds
  /// old.
  bool glance() const;
  /// Counts how often the base has become another folder, or was removed.
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
