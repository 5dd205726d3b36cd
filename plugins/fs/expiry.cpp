// SPDX-License-Identifier: Apache-2.0
#include "expiry.hpp"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <iterator>

#include <sys/xattr.h>

namespace fs {

namespace {
constexpr const char *expiry_attribute = "user.omnistore.expiry";
constexpr const char *expiring_attribute = "user.omnistore.expiring";
constexpr long hint_mark = 314'159; ///< nanoseconds behind the millisecond
} // namespace

bool keeps_attributes(int file) {
  char text[8];
  return fgetxattr(file, expiring_attribute, text, sizeof text) >= 0 || errno == ENODATA || errno == ERANGE;
}

std::int64_t read_expiry(int file, const struct stat &status) {
  if (!(status.st_mode & S_ISVTX)) return 0;
  char text[24];
  const ssize_t size = fgetxattr(file, expiry_attribute, text, sizeof text);
  std::int64_t expiry = 0;
  if (size > 0) std::from_chars(text, text + size, expiry);
  return std::max<std::int64_t>(expiry, 0);
}

bool write_expiry(int file, std::int64_t expiry) {
  if (expiry == 0) return fremovexattr(file, expiry_attribute) == 0 || errno == ENODATA;
  char text[24];
  const char *end = std::to_chars(text, std::end(text), expiry).ptr;
  return fsetxattr(file, expiry_attribute, text, static_cast<std::size_t>(end - text), 0) == 0;
}

timespec hint_of(std::int64_t expiry) {
  return {static_cast<time_t>(expiry / 1000), static_cast<long>(expiry % 1000 * 1'000'000 + hint_mark)};
}

bool surely_alive(const struct stat &status, std::int64_t now) {
  if (!(status.st_mode & S_ISVTX)) return true;
  const timespec &time = status.st_atim;
  return time.tv_nsec % 1'000'000 == hint_mark && time.tv_sec * 1000 + time.tv_nsec / 1'000'000 > now;
}

bool has_expiring(int folder) {
  char text[8];
  return fgetxattr(folder, expiring_attribute, text, sizeof text) > 0;
}

bool mark_expiring(int folder) { return fsetxattr(folder, expiring_attribute, "1", 1, 0) == 0; }

} // namespace fs
