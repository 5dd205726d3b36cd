// SPDX-License-Identifier: Apache-2.0
#include "plugin_file.hpp"

#include <cerrno>
#include <new>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "search.hpp"
#include "unfit.hpp"

namespace omnistore::loader {
namespace {

constexpr std::uint64_t largest_plugin = std::uint64_t{1} << 30;

char *pages(std::size_t size, int protection, int flags, int file) {
  void *const at = ::mmap(nullptr, size, protection, MAP_PRIVATE | MAP_POPULATE | flags, file, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  return static_cast<char *>(at);
}

/// Tells a copy's name; any hash does, since what it names is compared byte for byte.
std::uint64_t mark_of(const FileId &id) {
  const std::string_view bytes(reinterpret_cast<const char *>(&id), sizeof id);
  return std::hash<std::string_view>{}(bytes);
}

FileId id_in(const struct stat &info) {
  return {info.st_dev, info.st_ino, static_cast<std::uint64_t>(info.st_size),
          info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec};
}

void read_all(const base::Descriptor &file, Bytes &bytes, std::size_t size) {
  std::size_t have = 0;
  while (have < size) {
    const ssize_t got = ::pread(file.number(), bytes.data() + have, size - have, static_cast<off_t>(have));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Unfit("it cannot be read: " + cause(errno));
    if (got == 0) throw Unfit("it shrank while it was read", "copy plugins to another name and rename them");
    have += static_cast<std::size_t>(got);
  }
}

} // namespace

Bytes::Bytes(std::size_t size) : data_(pages(size, PROT_READ | PROT_WRITE, MAP_ANONYMOUS, -1)), size_(size) {}
Bytes::Bytes(const base::Descriptor &file, std::size_t size)
    : data_(pages(size, PROT_READ, 0, file.number())), size_(size) {}
Bytes::~Bytes() {
  if (data_) ::munmap(data_, size_);
}

FileId id_of(const std::string &path) {
  struct stat info;
  return ::stat(path.c_str(), &info) == 0 ? id_in(info) : FileId();
}

PluginFile read_plugin(const std::string &path) {
  // Without O_NONBLOCK the open of a fifo would wait for its writer.
  const base::Descriptor file(::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  struct stat info;
  if (!file || ::fstat(file.number(), &info) != 0) throw Unfit("it cannot be read: " + cause(errno));
  if (S_ISDIR(info.st_mode)) throw Unfit("it is a folder, not a shared library");
  if (!S_ISREG(info.st_mode)) throw Unfit("it is a fifo, a socket or a device, not a shared library");
  if (info.st_size == 0) throw Unfit("it is empty", "build or copy it again");
  const auto size = static_cast<std::uint64_t>(info.st_size);
  if (size > largest_plugin)
    throw Unfit("it has " + std::to_string(size) + " bytes; a plugin has at most " + std::to_string(largest_plugin));

  const std::int64_t changed = info.st_ctim.tv_sec * 1'000'000'000 + info.st_ctim.tv_nsec;
  const FileId id = id_in(info);
  if (Copy copy = kept_copy(stem_of(path), mark_of(id), file, size); copy.lock) {
    Bytes bytes(copy.lock.file(), size);
    return {path, id, std::move(bytes), std::move(copy), changed};
  }
  PluginFile plugin{path, id, Bytes(size), {}, changed};
  read_all(file, plugin.bytes, size);
  return plugin;
}

Copy copy_of(const PluginFile &plugin) { return private_copy(stem_of(plugin.path), mark_of(plugin.id), plugin.bytes); }

} // namespace omnistore::loader
