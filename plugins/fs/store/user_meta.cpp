// SPDX-License-Identifier: Apache-2.0
#include "store/user_meta.hpp"

#include <array>
#include <cerrno>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tree/retry.hpp"

namespace fs {

using omnistore::Failure;

namespace {

bool is_user_file(const struct stat &status) {
  return S_ISREG(status.st_mode) && status.st_size <= OMNISTORE_MAX_USER_SIZE;
}

constexpr time_t mark_seconds = 10 * 365 * 24 * 60 * 60; ///< how much later the time of access is than the mtime

/// Returns the times of a file with user meta that the store writes.
std::array<timespec, 2> times_of(const timespec &mtime) {
  return {timespec{mtime.tv_sec + mark_seconds, mtime.tv_nsec}, mtime};
}

/// Returns true if the store has written the file with user meta, and nobody since.
bool is_own(const struct stat &user) { return same_time(user.st_atim, times_of(user.st_mtim)[0]); }

/// Returns true if the file with user meta belongs to the value: it has the value's mtime, or another program, such as
/// unstorage, has written it after the value.
bool belongs(const struct stat &user, const struct stat &value, const Life &life) {
  const auto nanoseconds = [](const timespec &time) {
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(time.tv_nsec);
  };
  if (same_time(user.st_mtim, value.st_mtim)) return true;
  if (is_own(user)) return false;
  return nanoseconds(user.st_mtim) > nanoseconds(value.st_mtim) && nanoseconds(user.st_ctim) >= life.written_at;
}

} // namespace

bool UserMeta::read(const Path &path, const OpenValue &found, std::string &user) const {
  user.clear();
  const std::string name = path.user();
  const Fd file = context_.tree.open(name.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY);
  if (!file && is_gone(errno)) return true;
  struct stat status;
  if (!file || retry(::fstat, file.get(), &status) != 0) fail(errno, name);
  if (!is_user_file(status)) return true;
  if (!belongs(status, found.status, found.life)) return false;
  user.resize(static_cast<std::size_t>(status.st_size));
  read_all(file.get(), user.data(), user.size(), 0, path);
  return true;
}

void UserMeta::prepare(int folder, const TemporaryFile &file, const Slot &slot, omnistore_bytes user,
                       const timespec &mtime, const Path &path) const {
  if (user.size > OMNISTORE_MAX_USER_SIZE)
    throw Failure(OMNISTORE_TOO_LARGE, "user meta of " + std::to_string(user.size) + " bytes; at most " +
                                           std::to_string(OMNISTORE_MAX_USER_SIZE) + " are kept");
  const std::string name = user_name_of(path.name());
  struct stat there;
  if (retry(::fstatat, folder, name.c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(there.st_mode))
    throw Failure(OMNISTORE_UNSUPPORTED, std::string(path.text()) + "$: it is a folder, in the place of user meta");
  write_all(file.file(), user.data, user.size, 0, path);
  if (slot.has_value()) keep_access(context_.tree, file, slot, path.c_str());
  if (retry(::futimens, file.file(), times_of(mtime).data()) != 0) fail(errno, path.text());
  if (context_.settings.is_durable() && retry(::fsync, file.file()) != 0) fail(errno, path.text());
}

void UserMeta::move_in(int folder, TemporaryFile &file, const Path &path) const {
  const std::string name = user_name_of(path.name());
  std::optional<OwnChanges::Entry> place = context_.own_changes.changing(path.user());
  if (retry(::renameat, file.folder(), file.name(), folder, name.c_str()) != 0) fail(errno, path.text());
  file.moved();
  struct stat status;
  if (place && retry(::fstat, file.file(), &status) == 0) place->note_written(status);
}

bool UserMeta::drop(int folder, const Path &path) const {
  if (folder < 0 || path.text().ends_with(user_end)) return false;
  const std::string name = user_name_of(path.name());
  std::optional<OwnChanges::Entry> place = context_.own_changes.changing(path.user());
  if (retry(::unlinkat, folder, name.c_str(), 0) != 0) {
    if (errno == EIO) fail(errno, path.user());
    return false; // a file that cannot be removed belongs to no value from now on
  }
  if (place) place->note_removed();
  return true;
}

void UserMeta::restamp(int folder, const Slot &slot, const Life &before, const Path &path) const {
  if (path.text().ends_with(user_end)) return;
  const std::string name = user_name_of(path.name());
  struct stat status;
  if (retry(::fstatat, folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) {
    if (!is_gone(errno)) fail(errno, path.text());
    return;
  }
  if (!is_user_file(status)) return;
  if (same_time(status.st_mtim, slot.status.st_mtim) || !belongs(status, slot.status, before)) return;
  std::optional<OwnChanges::Entry> place = context_.own_changes.changing(path.user());
  const Fd file(retry(::openat, folder, name.c_str(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC));
  if (!file || retry(::futimens, file.get(), times_of(slot.status.st_mtim).data()) != 0) {
    if (!is_gone(errno) && errno != EACCES && errno != EPERM) fail(errno, path.text());
    return; // the file belongs to another user, who may want it so
  }
  if (context_.settings.is_durable() && retry(::fsync, file.get()) != 0) fail(errno, path.text());
  if (place && retry(::fstatat, folder, name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0) place->note_written(status);
}

} // namespace fs
