// SPDX-License-Identifier: Apache-2.0
#include "files.hpp"

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <system_error>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace bench::files {
namespace {

int check(long result, const char *what) {
  if (result < 0) throw std::system_error(errno, std::generic_category(), what);
  return static_cast<int>(result);
}

struct Dirent {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t length;
  std::uint8_t type;
  char name[1];
};
constexpr std::uint8_t is_folder = 4;

void walk(int descriptor, const std::string &base, std::vector<std::string> &into) {
  alignas(8) char buffer[64 * 1024];
  std::vector<std::string> below;
  for (;;) {
    const int filled = check(syscall(SYS_getdents64, descriptor, buffer, sizeof buffer), "getdents64");
    if (filled == 0) break;
    for (int at = 0; at < filled;) {
      const auto *entry = reinterpret_cast<const Dirent *>(buffer + at);
      at += entry->length;
      const char *name = buffer + (entry->name - buffer);
      if (entry->type != is_folder)
        into.emplace_back(base + name);
      else if (std::strcmp(name, ".") != 0 && std::strcmp(name, "..") != 0)
        below.emplace_back(name);
    }
  }
  for (const auto &name : below) {
    const int child = check(openat(descriptor, name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "openat");
    walk(child, base + name + ":", into);
    close(child);
  }
}

} // namespace

Folder::Folder(const std::string &path)
    : descriptor_(check(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open")) {}

Folder::~Folder() { close(descriptor_); }

void get(const Folder &folder, const char *path, std::string &into) {
  const int file = check(openat(folder.descriptor(), path, O_RDONLY | O_CLOEXEC), "openat");
  struct stat status;
  check(fstat(file, &status), "fstat");
  into.resize(static_cast<std::size_t>(status.st_size));
  check(read(file, into.data(), into.size()), "read");
  close(file);
}

void set(const Folder &folder, const char *path, std::string_view value, bool sync) {
  static unsigned long number = 0;
  const char *slash = std::strrchr(path, '/');
  char temporary[256];
  std::snprintf(temporary, sizeof temporary, "%.*s.raw-%lu", slash ? static_cast<int>(slash - path) + 1 : 0, path,
                number++);
  const int file =
      check(openat(folder.descriptor(), temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644), "openat");
  check(write(file, value.data(), value.size()), "write");
  if (sync) check(fdatasync(file), "fdatasync");
  close(file);
  check(renameat(folder.descriptor(), temporary, folder.descriptor(), path), "renameat");
}

void list(const Folder &folder, std::vector<std::string> &into) {
  // A descriptor of its own keeps the offset of the held one.
  const int top = check(openat(folder.descriptor(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "openat");
  walk(top, "", into);
  close(top);
}

} // namespace bench::files
