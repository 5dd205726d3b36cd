// SPDX-License-Identifier: Apache-2.0
#include "tree/tree.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <omnistore/errno_status.hpp>

#include "tree/retry.hpp"

namespace fs {

namespace {

/// The kinds of bytes in a key: those that no key may have, and those of UTF-8 sequences, which need a check.
enum : unsigned char { plain, unfit, high };
constexpr auto byte_kinds = [] {
  std::array<unsigned char, 256> kinds{};
  for (unsigned char c : {'\0', ':', '/', '\\', '?'}) kinds[c] = unfit;
  for (unsigned c = 0x80; c < 256; ++c) kinds[c] = high;
  return kinds;
}();

bool is_utf8(std::string_view text) {
  const auto *p = reinterpret_cast<const unsigned char *>(text.data()), *end = p + text.size();
  while (p < end) {
    const unsigned char lead = *p++;
    if (lead < 0x80) continue;
    const int tail = lead >= 0xf0 ? 3 : lead >= 0xe0 ? 2 : 1;
    if (lead < 0xc2 || lead > 0xf4 || end - p < tail) return false;
    // The range of the second byte excludes overlong forms, surrogates and code points above U+10FFFF.
    const unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned char top = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (p[0] < low || p[0] > top) return false;
    for (int i = 1; i < tail; ++i) {
      if ((p[i] & 0xc0) != 0x80) return false;
    }
    p += tail;
  }
  return true;
}

[[noreturn]] void refuse(std::string_view what, const char *why) {
  throw omnistore::Failure(OMNISTORE_INVALID, "\"" + std::string(what) + "\" " + why);
}

[[noreturn]] void refuse_length(std::size_t size, const char *what, std::size_t most) {
  throw omnistore::Failure(OMNISTORE_TOO_LARGE, std::string(what) + " of " + std::to_string(size) + " bytes; at most " +
                                                    std::to_string(most) + " fit into a file's name");
}

void check_segment(std::string_view segment) {
  if (segment.empty()) refuse(segment, "is no segment of a key: it is empty");
  if (segment == own_name) refuse(segment, "is kept for the store's own use");
  if (segment == "." || segment == "..") refuse(segment, "is no name of a file");
  if (segment.back() == '$' && is_temporary(segment)) refuse(segment, "is a name of the store's temporary files");
  if (segment.size() > longest_name) refuse_length(segment.size(), "a segment", longest_name);
}

int openat2(int folder, const char *path, int flags, std::uint64_t resolve = 0) {
  open_how how{};
  how.flags = static_cast<unsigned>(flags);
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve;
  return static_cast<int>(retry(::syscall, SYS_openat2, folder, path, &how, sizeof how));
}

/// Makes a folder and the missing folders above it.
void make_folders(const std::string &path, const Tree::Making &how) {
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  const std::string above = path.substr(0, path.rfind('/'));
  bool made = retry(::mkdir, path.c_str(), how.mode) == 0;
  if (!made && errno == ENOENT && !above.empty()) {
    make_folders(above, how);
    made = retry(::mkdir, path.c_str(), how.mode) == 0;
  }
  if (!made && errno != EEXIST) fail(errno, "base " + path);
  if (made && how.mode & 077) {
    if (const Fd folder = Fd(retry(::open, path.c_str(), flags | O_NOFOLLOW))) {
      set_mode_of_folder(folder.get(), how.mode);
    }
  }
  if (!how.durable) return;
  const Fd holder(retry(::open, (above + '/').c_str(), flags));
  if (!holder || retry(::fsync, holder.get()) != 0) fail(errno, "base " + path);
}

/// A null `how`: a missing folder is not made.
Fd open_base(const std::string &path, const Tree::Making *how) {
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  Fd base(retry(::open, path.c_str(), flags));
  if (!base && errno == ENOENT && how) {
    make_folders(path.substr(0, path.find_last_not_of('/') + 1), *how);
    base = Fd(retry(::open, path.c_str(), flags));
  }
  if (!base) fail(errno, "base " + path);
  return base;
}

} // namespace

Fd::~Fd() {
  if (fd_ >= 0) ::close(fd_);
}

std::string message_of(int error) {
  switch (error) {
  case EXDEV:
    return "a symbolic link leads out of the base folder";
  case EFBIG:
    return "the process's limit on the size of a file (ulimit -f), or the filesystem's own, is reached";
  case ENAMETOOLONG:
    return "a segment of the key is longer than the filesystem's names may be (mostly 255 bytes)";
  default:
    return std::generic_category().message(error);
  }
}

void fail(int error, std::string_view path) {
  throw SystemFailure(omnistore::status_of_errno(error), std::string(path) + ": " + message_of(error), error);
}

bool is_gone(int error) {
  return error == ENOENT || error == ENOTDIR || error == ELOOP || error == EXDEV || error == ENXIO ||
         error == ENAMETOOLONG;
}

bool is_unreadable(int error) {
  return error == EACCES || error == EPERM || error == EIO || error == EUCLEAN || error == EBADMSG;
}

bool is_temporary(std::string_view name) { return name[0] == '.' && name.ends_with(temporary_end); }

void set_mode_of_folder(int folder, mode_t mode) {
  struct stat status;
  if (!(mode & 077) || retry(::fstat, folder, &status) != 0) return; // the umask does not touch the owner's bits
  retry(::fchmod, folder, mode | (status.st_mode & S_ISGID));        // it inherits that bit from the folder above
}

bool is_segment(std::string_view name) {
  unsigned char seen = plain;
  for (const char c : name) seen |= byte_kinds[static_cast<unsigned char>(c)];
  return !(seen & unfit) && (!(seen & high) || is_utf8(name));
}

std::string user_name_of(std::string_view name) {
  if (name.size() < longest_name) return std::string(name) + '$';
  // FNV-1a. If two names had one digest, their user meta would still be told apart by the mtime of their values.
  __extension__ using Wide = unsigned __int128;
  Wide digest = (Wide{0x6c62272e07bb0142} << 64) + 0x62b821756295c58d;
  constexpr Wide prime = (Wide{1} << 88) + 0x13b;
  for (const char c : name) digest = (digest ^ static_cast<unsigned char>(c)) * prime;
  std::string short_name = ":";
  for (int shift = 124; shift >= 0; shift -= 4)
    short_name += "0123456789abcdef"[static_cast<unsigned>(digest >> shift) & 15];
  return short_name + '$';
}

Path::Path(std::string_view key) : size_(static_cast<std::uint32_t>(key.size())) {
  if (key.size() > longest_key) {
    throw omnistore::Failure(OMNISTORE_TOO_LARGE, "a key of " + std::to_string(key.size()) + " bytes; at most " +
                                                      std::to_string(longest_key) + " fit into a path");
  }
  unsigned char seen = plain;
  for (std::uint32_t i = 0; i < size_; ++i) {
    const char c = key[i];
    text_[i] = c;
    if (c != ':') {
      seen |= byte_kinds[static_cast<unsigned char>(c)];
      continue;
    }
    check_segment({text_ + name_, i - name_});
    text_[i] = '/';
    name_ = i + 1;
  }
  if (seen & unfit) refuse(key, "has a byte that no key can have: NUL, /, \\ or ?");
  if ((seen & high) && !is_utf8(key)) refuse(key, "is not UTF-8");
  text_[size_] = '\0';
  const std::string_view last(text_ + name_, size_ - name_);
  check_segment(last);
}

std::string path_of(std::string_view key) {
  std::string path(key);
  std::replace(path.begin(), path.end(), ':', '/');
  return path;
}

std::string folder_of(std::string_view base) {
  if (!base.empty()) base.remove_suffix(1);
  return path_of(base);
}

std::string key_of(std::string_view path) {
  std::string key(path);
  std::replace(key.begin(), key.end(), '/', ':');
  return key;
}

Tree::Tree(std::string base, std::optional<Making> making, std::function<void()> changed)
    : path_(std::move(base)), making_(making), on_change_(std::move(changed)),
      base_(open_base(path_, making_ ? &*making_ : nullptr)) {
  struct stat status;
  if (retry(::fstat, base_.get(), &status) != 0) fail(errno, "base " + path_);
  device_ = status.st_dev, inode_ = status.st_ino;
  const Fd probe(openat2(base_.get(), ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  resolves_ = static_cast<bool>(probe);
  // These errors mean an older kernel, or a filter of system calls. Any other error may be temporary.
  if (!resolves_ && errno != ENOSYS && errno != EPERM && errno != EACCES && errno != EINVAL)
    fail(errno, "base " + path_);
}

Fd Tree::open(const char *path, int flags) const {
  if (!*path) path = ".";
  if (!resolves_) return walk(path, flags);
  // EAGAIN: something was renamed while a `..` of a symbolic link was followed. openat2(2) says to try again.
  for (int tries = 0;; ++tries) {
    Fd file(openat2(base_.get(), path, flags | O_CLOEXEC));
    if (file || errno != EAGAIN || tries == 1000) return file;
    if (tries > 10) sched_yield();
  }
}

Fd Tree::open_folder(std::string_view path) const { return open(std::string(path).c_str(), O_RDONLY | O_DIRECTORY); }

Fd Tree::open_real_folder(std::string_view path) const {
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  if (path.empty()) path = ".";
  if (!resolves_) return walk(path, flags);
  return Fd(openat2(base_.get(), std::string(path).c_str(), flags, RESOLVE_NO_SYMLINKS));
}

Fd Tree::walk(std::string_view path, int flags) const {
  Fd folder;
  for (;;) {
    const std::size_t slash = path.find('/');
    const std::string segment(path.substr(0, slash));
    const bool last = slash == path.npos;
    const int way = last ? flags : O_PATH | O_DIRECTORY;
    Fd next(retry(::openat, folder ? folder.get() : base_.get(), segment.c_str(), way | O_NOFOLLOW | O_CLOEXEC));
    if (last || !next) return next;
    folder = std::move(next);
    path.remove_prefix(slash + 1);
  }
}

bool Tree::look(bool make) const {
  struct stat now;
  if (retry(::stat, path_.c_str(), &now) == 0 && now.st_ino == inode_.load(std::memory_order_relaxed) &&
      now.st_dev == device_.load(std::memory_order_relaxed)) {
    return true;
  }
  return change(make && making_);
}

bool Tree::glance() const {
  constexpr std::int64_t interval = 50'000;
  const std::int64_t now = std::chrono::steady_clock::now().time_since_epoch().count();
  if (now - glanced_.load(std::memory_order_relaxed) < interval) return inode_.load(std::memory_order_relaxed) != 0;
  glanced_.store(now, std::memory_order_relaxed);
  return look(false);
}

bool Tree::change(bool make) const {
  const std::lock_guard lock(changing_);
  struct stat now;
  const bool there = retry(::stat, path_.c_str(), &now) == 0;
  if (!there && errno == EACCES) return inode_ != 0; // it is not known what is there, so the open folder stays
  if (!there && errno != ENOENT && errno != ENOTDIR) fail(errno, "base " + path_);
  if (there && now.st_ino == inode_ && now.st_dev == device_) return true; // another thread was faster
  if (!there && !make && inode_ == 0) return false;
  Fd fresh =
      there || make ? open_base(path_, make ? &*making_ : nullptr) : Fd(retry(::open, "/dev/null", O_PATH | O_CLOEXEC));
  if (!fresh || retry(::fstat, fresh.get(), &now) != 0) fail(errno, "base " + path_);
  const bool is_folder = S_ISDIR(now.st_mode);
  // The number of the descriptor stays, so every other thread uses the new folder from now on.
  if (retry(::dup3, fresh.get(), base_.get(), O_CLOEXEC) < 0) fail(errno, "base " + path_);
  device_ = is_folder ? now.st_dev : 0;
  inode_ = is_folder ? now.st_ino : 0;
  changes_.fetch_add(1, std::memory_order_release);
  if (on_change_) on_change_();
  return is_folder;
}

} // namespace fs
