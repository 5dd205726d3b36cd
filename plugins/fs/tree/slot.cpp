// SPDX-License-Identifier: Apache-2.0
#include "tree/slot.hpp"

#include <atomic>
#include <ctime>
#include <functional>

#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "expiry/expiry.hpp"
#include "tree/retry.hpp"

namespace fs {

namespace {

constexpr std::time_t leftover_age = 3600;

std::mutex stripes[256];

int rename_at(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
  return static_cast<int>(retry(::syscall, SYS_renameat2, from_folder, from, to_folder, to, flags));
}

/// The filesystem or the kernel does not support a flag of renameat2.
bool is_unsupported(int error) { return error == EINVAL || error == ENOSYS || error == EOPNOTSUPP || error == EPERM; }

/// Moves a file to a name that must be free. Returns 0 or an errno.
int move_new(int from_folder, const char *from, int to_folder, const char *to) {
  if (rename_at(from_folder, from, to_folder, to, RENAME_NOREPLACE) == 0) return 0;
  if (!is_unsupported(errno)) return errno;
  if (retry(::linkat, from_folder, from, to_folder, to, 0) == 0) {
    retry(::unlinkat, from_folder, from, 0);
    return 0;
  }
  if (!is_unsupported(errno)) return errno;
  return retry(::renameat, from_folder, from, to_folder, to) == 0 ? 0 : errno;
}

constexpr const char *acl_attribute = "system.posix_acl_access";

/// The permissions that group and others both have.
mode_t common_mode(mode_t mode) { return mode >> 3 & mode & 07; }

/// Reads the ACL of the slot's file. Returns its size, or -1 and errno, as fgetxattr does.
ssize_t read_acl(const Tree &tree, const Slot &slot, const char *path, char (&into)[4096]) {
  if (slot.kind == Slot::Kind::link) {
    const Fd file = open_file(tree, slot, path);
    return file ? retry(::fgetxattr, file.get(), acl_attribute, into, sizeof into) : -1;
  }
  // getxattrat(2), since Linux 6.13. The C library has no function for it; its number is the same on all machines.
  struct {
    alignas(8) std::uint64_t value;
    std::uint32_t size, flags;
  } arguments{reinterpret_cast<std::uintptr_t>(into), sizeof into, 0};
  constexpr long getxattrat = 464;
  static std::atomic<bool> is_known{true};
  if (is_known.load(std::memory_order_relaxed)) {
    const long size = retry(::syscall, getxattrat, slot.folder, slot.name.c_str(), AT_SYMLINK_NOFOLLOW, acl_attribute,
                            &arguments, sizeof arguments);
    if (size >= 0 || errno != ENOSYS) return size;
    is_known = false;
  }
  const std::string name = "/proc/self/fd/" + std::to_string(slot.folder) + '/' + slot.name;
  return retry(::lgetxattr, name.c_str(), acl_attribute, into, sizeof into);
}

/// Errors of a move which mean that another program changed the slot in between.
bool has_changed(int error) {
  return error == ENOENT || error == EEXIST || error == ENOTDIR || error == EISDIR || error == EAGAIN ||
         error == ENOTEMPTY;
}

} // namespace

std::mutex &lock_of(int folder, std::string_view name) {
  struct stat status;
  if (retry(::fstat, folder, &status) != 0) fail(errno, name);
  std::uint64_t hash = std::hash<std::string_view>()(name);
  hash ^= (static_cast<std::uint64_t>(status.st_ino) * 0x9e3779b97f4a7c15u) ^ status.st_dev;
  hash *= 0xff51afd7ed558ccdu;
  return stripes[hash >> 56];
}

Slot look(const Tree &tree, int folder, const char *name, const char *path) {
  Slot slot;
  slot.folder = folder;
  slot.name = name;
  if (retry(::fstatat, folder, name, &slot.status, AT_SYMLINK_NOFOLLOW) != 0) {
    // ENOTDIR: the base is missing.
    if (errno != ENOENT && errno != ENOTDIR) fail(errno, path);
    return slot;
  }
  if (S_ISLNK(slot.status.st_mode)) {
    const Fd target = tree.open(path, O_PATH);
    if (!target && !is_gone(errno)) fail(errno, path);
    if (target && retry(::fstat, target.get(), &slot.status) != 0) fail(errno, path);
    slot.kind = Slot::Kind::link;
    slot.leads = target && S_ISREG(slot.status.st_mode);
    if (!target || !S_ISDIR(slot.status.st_mode)) return slot;
  }
  if (S_ISDIR(slot.status.st_mode)) {
    slot.kind = Slot::Kind::none;
    slot.inner = tree.open(path, O_RDONLY | O_DIRECTORY);
    if (!slot.inner) {
      if (errno == ENOENT || errno == ENOTDIR) return look(tree, folder, name, path);
      fail(errno, path);
    }
    slot.folder = slot.inner.get();
    slot.name = own_name;
    if (retry(::fstatat, slot.folder, own_name, &slot.status, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno != ENOENT) fail(errno, path);
      return slot;
    }
  }
  if (!S_ISREG(slot.status.st_mode)) {
    throw omnistore::Failure(OMNISTORE_INVALID, std::string(path) + ": it is not a regular file");
  }
  slot.kind = Slot::Kind::value;
  return slot;
}

Fd open_file(const Tree &tree, const Slot &slot, const char *path) {
  constexpr int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  if (slot.kind == Slot::Kind::link) return tree.open(path, flags);
  return Fd(retry(::openat, slot.folder, slot.name.c_str(), flags | O_NOFOLLOW));
}

TemporaryFile::TemporaryFile(Owner &owner, int folder, mode_t mode, std::string_view path) : folder_(folder) {
  do {
    name_ = owner.temporary_name();
    file_ = Fd(retry(::openat, folder, name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  } while (!file_ && errno == EEXIST);
  if (file_) {
    if (mode & 077) retry(::fchmod, file_.get(), mode); // the umask may have taken some bits, but never the owner's
    return;
  }
  name_.clear();
  if (errno != ENOENT && errno != ENOTDIR) fail(errno, path);
}

TemporaryFile::~TemporaryFile() {
  if (!name_.empty()) retry(::unlinkat, folder_, name_.c_str(), 0);
}

mode_t mode_of_new(const Slot &slot, mode_t mode) {
  if (!slot.has_value()) return mode;
  const mode_t old = slot.status.st_mode, common = common_mode(old);
  return (old & 0700) | common << 3 | common;
}

void keep_access(const Tree &tree, const TemporaryFile &file, const Slot &slot, const char *path) {
  struct stat made;
  if (retry(::fstat, file.file(), &made) != 0) fail(errno, path);
  const struct stat &old = slot.status;
  bool has_group = made.st_gid == old.st_gid;
  if (!has_group || made.st_uid != old.st_uid) {
    if (retry(::fchown, file.file(), old.st_uid, old.st_gid) == 0)
      has_group = true;
    else
      has_group = has_group || retry(::fchown, file.file(), static_cast<uid_t>(-1), old.st_gid) == 0;
  }
  mode_t mode = old.st_mode & 0777;
  // If a file has an ACL, its group bits are the mask of all entries. If they are empty, the ACL gives nothing.
  char acl[4096];
  const ssize_t size = mode & 070 ? read_acl(tree, slot, path, acl) : 0;
  const bool may_have_acl = size > 0 || (size < 0 && errno != ENODATA && errno != EOPNOTSUPP && errno != ENOENT);
  if (may_have_acl) {
    if (has_group && size > 0 && retry(::fsetxattr, file.file(), acl_attribute, acl, static_cast<size_t>(size), 0) == 0)
      return;
    mode &= 0700;
  } else if (!has_group) {
    mode = mode_of_new(slot, 0);
  }
  if (mode == (made.st_mode & 0777)) return;
  retry(::fremovexattr, file.file(),
        acl_attribute); // an ACL that it inherited from its folder would give more with the new mode
  retry(::fchmod, file.file(), mode | (made.st_mode & S_ISVTX));
}

bool put(TemporaryFile &file, const Slot &slot, std::string_view path) {
  const char *name = slot.name.c_str();
  const int error = slot.kind == Slot::Kind::none ? move_new(file.folder(), file.name(), slot.folder, name)
                    : retry(::renameat, file.folder(), file.name(), slot.folder, name) == 0 ? 0
                                                                                            : errno;
  if (error == 0) return file.moved(), true;
  if (!has_changed(error)) fail(error, path);
  return false;
}

bool unlink_slot(const Slot &slot, std::string_view path) {
  if (retry(::unlinkat, slot.folder, slot.name.c_str(), 0) == 0) return true;
  if (!has_changed(errno)) fail(errno, path);
  return false;
}

void nest(const Nesting &how, int folder, const char *name, std::string_view path) {
  struct stat status;
  if (retry(::fstatat, folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (!is_gone(errno)) fail(errno, path);
    return; // it has changed meanwhile
  }
  if (S_ISDIR(status.st_mode)) return;
  if (!S_ISREG(status.st_mode)) {
    throw omnistore::Failure(OMNISTORE_INVALID, std::string(path) + ": it is neither a file nor a folder of its own, "
                                                                    "and cannot hold keys");
  }
  // The file's ctime changes but its value does not, so the parts of its etag are kept in the attribute.
  const Fd file(retry(::openat, folder, name, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  if (!file && !is_gone(errno) && errno != EACCES && errno != EPERM) fail(errno, path);
  const Life life = file ? read_life(file.get(), status, path) : Life();
  const std::string temporary = how.owner.temporary_name();
  Fd inner;
  if (retry(::mkdirat, folder, temporary.c_str(), how.mode) == 0) {
    inner = Fd(retry(::openat, folder, temporary.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  }
  if (!inner) {
    if (!has_changed(errno)) fail(errno, path);
    return;
  }
  set_mode_of_folder(inner.get(), how.mode);
  // Removes the prepared folder. The file has not moved.
  const auto release = [&](int error) {
    retry(::unlinkat, folder, temporary.c_str(), AT_REMOVEDIR);
    if (!has_changed(error)) fail(error, path);
  };
  bool done = false;
  if (retry(::linkat, folder, name, inner.get(), own_name, 0) == 0) {
    if (how.durable && retry(::fsync, inner.get()) != 0) {
      const int error = errno;
      retry(::unlinkat, inner.get(), own_name, 0);
      return release(error);
    }
    done = rename_at(folder, temporary.c_str(), folder, name, RENAME_EXCHANGE) == 0;
    // After the swap the file has its new name, and its old link has the temporary name.
    retry(::unlinkat, done ? folder : inner.get(), done ? temporary.c_str() : own_name, 0);
  }
  // Without hard links or swaps the key has no file for a moment.
  if (!done) {
    if (retry(::renameat, folder, name, inner.get(), own_name) != 0) return release(errno);
    done = (!how.durable || retry(::fsync, inner.get()) == 0) &&
           retry(::renameat, folder, temporary.c_str(), folder, name) == 0;
    if (!done) {
      const int error = errno;
      move_new(inner.get(), own_name, folder, name);
      return release(error);
    }
  }
  if (file && write_life(file.get(), life)) retry(::fchmod, file.get(), (status.st_mode & 07777) | S_ISVTX);
  if (how.durable && retry(::fsync, folder) != 0) fail(errno, path);
}

void remove_temporary(int folder, const std::string &name) {
  struct stat status;
  if (retry(::fstatat, folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (!S_ISDIR(status.st_mode)) {
    retry(::unlinkat, folder, name.c_str(), 0);
    return;
  }
  // A folder that nest() prepared. Its `$` is removed only if the file still has its other name.
  const Fd inner(retry(::openat, folder, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!inner) return;
  if (retry(::fstatat, inner.get(), own_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && status.st_nlink > 1) {
    retry(::unlinkat, inner.get(), own_name, 0);
  }
  retry(::unlinkat, folder, name.c_str(), AT_REMOVEDIR);
}

void remove_leftover(const Tree &tree, int folder, const std::string &name) {
  struct stat status;
  if (retry(::fstatat, folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
  if (status.st_mtime > std::time(nullptr) - leftover_age || is_owner_alive(tree, name)) return;
  remove_temporary(folder, name);
}

} // namespace fs
