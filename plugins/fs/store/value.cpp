// SPDX-License-Identifier: Apache-2.0
#include "store/value.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <iterator>
#include <memory>
#include <optional>
#include <string>

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "tree/retry.hpp"

namespace fs {

using omnistore::Call;
using omnistore::Failure;

namespace {

/// A write past the process's limit on the size of files (RLIMIT_FSIZE) raises SIGXFSZ, which ends the process by
/// default. While this object lives, the thread blocks the signal, so that the write fails instead. A driver must not
/// change the handling of a signal for the whole process.
class NoSizeSignal {
public:
  NoSizeSignal() {
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &signal_, &before_);
  }
  NoSizeSignal(const NoSizeSignal &) = delete;
  NoSizeSignal &operator=(const NoSizeSignal &) = delete;
  ~NoSizeSignal() {
    constexpr timespec at_once{};
    if (!sigismember(&before_, SIGXFSZ)) sigtimedwait(&signal_, nullptr, &at_once);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

private:
  sigset_t signal_, before_;
};

} // namespace

bool same_time(const timespec &a, const timespec &b) { return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec; }

std::string_view write_etag(EtagRoom &room, const struct stat &status, const Life &life) {
  constexpr std::uint64_t thirteen_digits = (std::uint64_t(1) << 52) - 1;
  const auto mtime = static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000u +
                     static_cast<std::uint64_t>(status.st_mtim.tv_nsec);
  char *end = std::to_chars(room, std::end(room), mtime, 16).ptr;
  for (const std::uint64_t part : {static_cast<std::uint64_t>(status.st_size) & thirteen_digits,
                                   static_cast<std::uint64_t>(status.st_ino), life.written_at}) {
    *end++ = '-';
    end = std::to_chars(end, std::end(room), part, 16).ptr;
  }
  return {room, static_cast<std::size_t>(end - room)};
}

omnistore_meta meta_of(const struct stat &status, std::int64_t expiry) {
  const std::int64_t mtime = status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1'000'000;
  return omnistore::make_meta(static_cast<std::uint64_t>(status.st_size), mtime, expiry);
}

void check_deadline(Call call) {
  if (call.remaining() == 0) throw Failure(call.late(), "the deadline passed");
}

void read_all(int file, char *into, std::uint64_t size, std::uint64_t offset, const Path &path) {
  while (size > 0) {
    const ssize_t got = retry(::pread, file, into, size, static_cast<off_t>(offset));
    if (got < 0) fail(errno, path.text());
    if (got == 0) throw Failure(OMNISTORE_IO, std::string(path.text()) + ": it became shorter while it was read");
    into += got, size -= static_cast<std::uint64_t>(got), offset += static_cast<std::uint64_t>(got);
  }
}

/// Only a write that begins at the limit raises the signal, so the first write of a file needs no protection, unless
/// the limit is zero.
void write_all(int file, const void *from, std::uint64_t size, std::uint64_t offset, const Path &path) {
  const char *at = static_cast<const char *>(from);
  std::optional<NoSizeSignal> quiet;
  while (size > 0) {
    if (offset > 0 && !quiet) quiet.emplace();
    const ssize_t put = retry(::write, file, at, size);
    if (put < 0) fail(errno, path.text());
    at += put, size -= static_cast<std::uint64_t>(put), offset += static_cast<std::uint64_t>(put);
  }
}

omnistore_status copy_source(Call call, int file, const omnistore_set_request &request, const Path &path) {
  omnistore_source &source = *request.source;
  const std::unique_ptr<char[]> buffer(new char[piece]);
  std::uint64_t total = 0;
  for (;;) {
    check_deadline(call);
    std::uint64_t size = 0;
    if (const omnistore_status status = source.read(&source, buffer.get(), piece, &size); status != OMNISTORE_OK) {
      return status;
    }
    if (size == 0) break;
    write_all(file, buffer.get(), size, total, path);
    total += size;
    if (total > request.source_size) break;
  }
  if (request.source_size == OMNISTORE_UNKNOWN_SIZE || total == request.source_size) return OMNISTORE_OK;
  return call.fail(OMNISTORE_INVALID, "the value has " + std::string(total > request.source_size ? "more" : "fewer") +
                                          " bytes than the " + std::to_string(request.source_size) +
                                          " that were announced");
}

bool open_value(const Tree &tree, const Path &path, OpenValue &found) {
  constexpr int flags = O_RDONLY | O_NONBLOCK | O_NOCTTY;
  found.file = tree.open(path.c_str(), flags);
  if (!found.file) {
    // ENOTDIR: a segment before the last is a file. ENXIO: a socket. Other errors fail: a link that leads out or in a
    // circle is denied, and a name that is too long for this filesystem is refused, as a set refuses it.
    if (errno == ENOENT || errno == ENOTDIR || errno == ENXIO) return false;
    fail(errno, path.text());
  }
  if (retry(::fstat, found.file.get(), &found.status) != 0) fail(errno, path.text());
  if (S_ISDIR(found.status.st_mode)) {
    found.file = Fd(retry(::openat, found.file.get(), own_name, flags | O_NOFOLLOW | O_CLOEXEC));
    if (!found.file && (errno == ENOENT || errno == ELOOP || errno == ENXIO)) return false;
    if (!found.file || retry(::fstat, found.file.get(), &found.status) != 0) fail(errno, path.text());
  }
  if (!S_ISREG(found.status.st_mode)) return false;
  found.life = read_life(found.file.get(), found.status, path.text());
  return true;
}

Life life_of(const Tree &tree, const Slot &slot, const Path &path) {
  if (!slot.has_value() || !(slot.status.st_mode & S_ISVTX)) return life_without_attribute(slot.status);
  const Fd file = open_file(tree, slot, path.c_str());
  if (file) return read_life(file.get(), slot.status, path.text());
  // The file is gone, or only its owner may read it.
  if (!is_gone(errno) && errno != EACCES && errno != EPERM) fail(errno, path.text());
  return life_without_attribute(slot.status);
}

} // namespace fs
