// SPDX-License-Identifier: Apache-2.0
#include "expiry/expiry.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <ctime>
#include <initializer_list>
#include <iterator>

#include <sys/xattr.h>

#include "tree/retry.hpp"
#include "tree/tree.hpp"

namespace fs {

namespace {
constexpr const char *expiry_attribute = "user.omnistore.expiry";
constexpr const char *expiring_attribute = "user.omnistore.expiring";
constexpr long hint_mark = 314'159; ///< nanoseconds after the millisecond
/// How far the ctime of the store's own change may be from the time in the attribute, in nanoseconds: the kernel's
/// clock stands still for up to ten milliseconds, and the change takes several calls.
constexpr std::int64_t max_away = 20'000'000;

std::uint64_t nanoseconds(const timespec &time) {
  return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(time.tv_nsec);
}

bool write_attribute(int file, std::initializer_list<std::uint64_t> numbers) {
  char text[80], *end = text;
  for (const std::uint64_t number : numbers) {
    if (end != text) *end++ = ' ';
    end = std::to_chars(end, std::end(text), number).ptr;
  }
  return retry(::fsetxattr, file, expiry_attribute, text, static_cast<std::size_t>(end - text), 0) == 0;
}
} // namespace

namespace {
/// Errors which mean that the filesystem has no attributes, or that a filter of system calls hides them.
bool has_no_attributes(int error) {
  return error == EOPNOTSUPP || error == ENOSYS || error == EPERM || error == EACCES || error == EINVAL;
}
} // namespace

bool keeps_attributes(int file) {
  char text[8];
  if (retry(::fgetxattr, file, expiring_attribute, text, sizeof text) >= 0 || errno == ENODATA || errno == ERANGE) {
    return true;
  }
  if (!has_no_attributes(errno)) fail(errno, "the attributes of the base folder");
  return false;
}

Life life_without_attribute(const struct stat &status) { return {0, nanoseconds(status.st_ctim)}; }

Life read_life(int file, const struct stat &status, std::string_view path) {
  Life life = life_without_attribute(status);
  if (!(status.st_mode & S_ISVTX)) return life;
  char text[80];
  const ssize_t size = retry(::fgetxattr, file, expiry_attribute, text, sizeof text);
  if (size < 0 && errno != ENODATA && errno != ERANGE && !has_no_attributes(errno)) fail(errno, path);
  if (size <= 0) return life;
  const char *const end = text + size;
  const auto read = [end](const char *from, auto &number) {
    return std::from_chars(from + (from < end && *from == ' '), end, number).ptr;
  };
  std::uint64_t written_at = 0, changed_at = 0;
  read(read(read(text, life.expiry), written_at), changed_at);
  life.expiry = std::max<std::int64_t>(life.expiry, 0);
  const auto away = static_cast<std::int64_t>(life.written_at - changed_at);
  if (changed_at != 0 && away < max_away && away > -max_away) life.written_at = written_at;
  return life;
}

bool write_expiry(int file, std::int64_t expiry) { return write_attribute(file, {static_cast<std::uint64_t>(expiry)}); }

bool write_life(int file, const Life &life) {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return write_attribute(file, {static_cast<std::uint64_t>(life.expiry), life.written_at, nanoseconds(now)});
}

timespec hint_of(std::int64_t expiry) {
  return {static_cast<time_t>(expiry / 1000), static_cast<long>(expiry % 1000 * 1'000'000 + hint_mark)};
}

bool is_certainly_alive(const struct stat &status, std::int64_t now) {
  if (!(status.st_mode & S_ISVTX)) return true;
  const timespec &time = status.st_atim;
  return time.tv_nsec % 1'000'000 == hint_mark && time.tv_sec * 1000 + time.tv_nsec / 1'000'000 > now;
}

bool has_expiring(int folder, std::string_view path) {
  char text[8];
  const ssize_t size = retry(::fgetxattr, folder, expiring_attribute, text, sizeof text);
  if (size >= 0 || errno == ERANGE) return size != 0;
  if (errno != ENODATA && !has_no_attributes(errno)) fail(errno, path);
  return false;
}

bool mark_expiring(int folder) { return retry(::fsetxattr, folder, expiring_attribute, "1", 1, 0) == 0; }

} // namespace fs
