// SPDX-License-Identifier: Apache-2.0
#include "copy.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <set>
#include <stdexcept>
#include <system_error>
#include <vector>

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/encoding.hpp"
#include "search.hpp"
#include "unfit.hpp"
#include "vet.hpp"

namespace omnistore::loader {
namespace {

constexpr std::size_t mark_digits = 16;

[[noreturn]] void fail(const std::string &what, int error) {
  throw std::runtime_error(what + ": " + std::generic_category().message(error));
}

struct Folder {
  std::string path;
  base::Descriptor descriptor;
};

/// Makes or opens `base`/omnistore-UID. It was perhaps not this host that made it, hence the questions.
Folder open_folder(const std::string &base) {
  vet_folder_permissions(base, ::geteuid());
  std::string path = base + "/omnistore-" + std::to_string(::geteuid());
  if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) fail("cannot make " + path, errno);
  base::Descriptor folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder) fail("cannot open " + path, errno);

  struct stat info;
  struct statvfs system;
  if (::fstat(folder.number(), &info) != 0 || ::fstatvfs(folder.number(), &system) != 0)
    fail("cannot look at " + path, errno);
  if (info.st_uid != ::geteuid()) throw std::runtime_error(path + " belongs to another user");
  if ((info.st_mode & 077) != 0) throw std::runtime_error(path + " is open to others (chmod 700 it)");
  if ((system.f_flag & ST_NOEXEC) != 0) throw std::runtime_error(path + " lies on a file system mounted noexec");
  return {std::move(path), std::move(folder)};
}

std::string name_of(const std::string &stem, std::uint64_t mark) {
  constexpr std::size_t longest_stem = 100; // a file's name has at most 255 bytes
  std::string name = stem.substr(0, longest_stem) + "-";
  base::append_hex(name, mark, mark_digits);
  return name;
}

/// Whether a file holds these bytes. `read` gives the next piece, as read(2) does.
template <class Read>
bool holds(std::uint64_t size, const base::Descriptor &copy, const Read &read) {
  char ours[16 * 1024];
  for (std::uint64_t at = 0;;) {
    const ssize_t got = ::pread(copy.number(), ours, sizeof ours, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0 && at == size;
    if (!read(at, std::string_view(ours, static_cast<std::size_t>(got)))) return false;
    at += static_cast<std::uint64_t>(got);
  }
}

bool holds(const base::Descriptor &copy, std::string_view bytes) {
  return holds(bytes.size(), copy, [&](std::uint64_t at, std::string_view piece) {
    return at <= bytes.size() && bytes.substr(at, piece.size()) == piece;
  });
}

bool holds_same(const base::Descriptor &copy, const base::Descriptor &file, std::uint64_t size) {
  char theirs[16 * 1024];
  return holds(size, copy, [&](std::uint64_t at, std::string_view piece) {
    return ::pread(file.number(), theirs, piece.size(), static_cast<off_t>(at)) == static_cast<ssize_t>(piece.size()) &&
           std::memcmp(theirs, piece.data(), piece.size()) == 0;
  });
}

void write_all(const base::Descriptor &file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(file.number(), bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) fail("cannot write", errno);
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
}

enum class Found { absent, gone, other, same };

/// Opens and locks a copy. False: there is none, with ENOENT, or it was taken away before it was locked.
bool open_copy(const Folder &folder, const std::string &name, base::Descriptor &file) {
  file = base::Descriptor(::openat(folder.descriptor.number(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file && errno == ENOENT) return false;
  struct stat info;
  if (!file || ::flock(file.number(), LOCK_SH) != 0 || ::fstat(file.number(), &info) != 0)
    fail("cannot open " + folder.path + "/" + name, errno);
  errno = 0;
  return info.st_nlink != 0;
}

Found find_copy(const Folder &folder, const std::string &name, std::string_view bytes, base::Descriptor &file) {
  if (!open_copy(folder, name, file)) return errno == ENOENT ? Found::absent : Found::gone;
  return holds(file, bytes) ? Found::same : Found::other;
}

/// Writes a copy beside its place and puts it there whole. False: another process was faster, or took the unlocked
/// file away; look again.
bool write_copy(const Folder &folder, const std::string &name, std::string_view bytes, base::Descriptor &file) {
  static std::atomic<unsigned> counter{0};
  const std::string temporary = "." + name + "." + std::to_string(::getpid()) + "." + std::to_string(++counter);
  const int at = folder.descriptor.number();
  file = base::Descriptor(::openat(at, temporary.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0500));
  if (!file || ::flock(file.number(), LOCK_SH) != 0) fail("cannot make a file in " + folder.path, errno);
  try {
    write_all(file, bytes);
  } catch (...) {
    ::unlinkat(at, temporary.c_str(), 0);
    throw;
  }
  const bool linked = ::linkat(at, temporary.c_str(), at, name.c_str(), 0) == 0;
  const int error = errno;
  ::unlinkat(at, temporary.c_str(), 0);
  if (!linked && error != EEXIST && error != ENOENT) fail("cannot make " + folder.path + "/" + name, error);
  return linked;
}

/// Whether a file of the folder is a copy, or half a copy: STEM-MARK.so, STEM-MARK-N.so or .STEM-MARK.so.PID.N.
bool is_copy(std::string_view name) {
  const std::size_t suffix = name.find(plugin_suffix());
  if (suffix == std::string_view::npos) return false;
  name = name.substr(0, suffix);
  for (std::size_t dash = name.find('-'); dash != name.npos; dash = name.find('-', dash + 1)) {
    const std::size_t end = std::min(name.find_first_not_of(base::hex_digits, dash + 1), name.size());
    if (end - dash - 1 == mark_digits && (end == name.size() || name[end] == '-')) return true;
  }
  return false;
}

/// Takes away the copies that nobody has locked. Once in a process for each folder.
void clean(const Folder &folder) {
  static std::mutex &mutex = *new std::mutex;
  static auto &cleaned = *new std::set<std::string>;
  {
    const std::lock_guard guard(mutex);
    if (!cleaned.insert(folder.path).second) return;
  }
  const std::unique_ptr<DIR, int (*)(DIR *)> listing(::opendir(folder.path.c_str()), &::closedir);
  if (!listing) return;
  while (const dirent *item = ::readdir(listing.get())) {
    if (!is_copy(item->d_name)) continue;
    const int at = folder.descriptor.number();
    const base::Descriptor file(::openat(at, item->d_name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (file && ::flock(file.number(), LOCK_EX | LOCK_NB) == 0) ::unlinkat(at, item->d_name, 0);
  }
}

Copy held(const Folder &folder, const std::string &name, base::Descriptor file) {
  const std::string path = folder.path + "/" + name;
  return {path, CopyLock(path, std::move(file))};
}

Copy copy_into(const Folder &folder, const std::string &base, std::string_view bytes) {
  std::string name = base + plugin_suffix();
  unsigned others = 0;
  for (int tries = 0; tries < 100; ++tries) {
    base::Descriptor file;
    const Found found = find_copy(folder, name, bytes, file);
    if (found == Found::same) return held(folder, name, std::move(file));
    if (found == Found::other) name = base + "-" + std::to_string(++others) + plugin_suffix();
    if (found == Found::absent && write_copy(folder, name, bytes, file)) {
      clean(folder);
      return held(folder, name, std::move(file));
    }
  }
  throw std::runtime_error("others keep changing " + folder.path);
}

std::vector<std::string> bases() {
  std::vector<std::string> folders;
  if (const char *runtime = ::secure_getenv("XDG_RUNTIME_DIR"); runtime && runtime[0] == '/')
    folders.emplace_back(runtime);
  const char *temporary = ::secure_getenv("TMPDIR");
  folders.emplace_back(temporary && temporary[0] == '/' ? temporary : "/tmp");
  return folders;
}

} // namespace

CopyLock::~CopyLock() {
  // The file may have been put there anew meanwhile, by name: it is taken away only if it is still this one.
  struct stat ours, named;
  if (file_ && ::flock(file_.number(), LOCK_EX | LOCK_NB) == 0 && ::fstat(file_.number(), &ours) == 0 &&
      ::lstat(path_.c_str(), &named) == 0 && ours.st_ino == named.st_ino && ours.st_dev == named.st_dev)
    ::unlink(path_.c_str());
}

Copy private_copy(const std::string &stem, std::uint64_t mark, std::string_view bytes) {
  std::string reasons;
  for (const std::string &base : bases()) {
    try {
      return copy_into(open_folder(base), name_of(stem, mark), bytes);
    } catch (const std::runtime_error &error) {
      reasons += (reasons.empty() ? "" : "; ") + (base + ": ") + error.what();
    }
  }
  throw std::runtime_error(reasons);
}

Copy kept_copy(const std::string &stem, std::uint64_t mark, const base::Descriptor &file, std::uint64_t size) {
  const std::string name = name_of(stem, mark) + plugin_suffix();
  for (const std::string &base : bases()) {
    try {
      const Folder folder = open_folder(base);
      base::Descriptor copy;
      if (open_copy(folder, name, copy) && holds_same(copy, file, size))
        return clean(folder), held(folder, name, std::move(copy));
    } catch (const std::runtime_error &) { // private_copy() says why
    }
  }
  return {};
}

} // namespace omnistore::loader
