// SPDX-License-Identifier: Apache-2.0
#include "http/unix_file.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/descriptor.hpp"

namespace omnistore::http {

UnixFile::UnixFile(std::string path, unsigned mode, boost::system::error_code &error) : path_(std::move(path)) {
  struct stat made {};
  if (::chmod(path_.c_str(), mode) != 0 || ::stat(path_.c_str(), &made) != 0)
    error.assign(errno, boost::system::system_category());
  device_ = made.st_dev;
  inode_ = made.st_ino;
}

UnixFile::UnixFile(UnixFile &&other) noexcept
    : path_(std::exchange(other.path_, {})), device_(other.device_), inode_(other.inode_) {}

UnixFile &UnixFile::operator=(UnixFile &&other) noexcept {
  UnixFile ends(std::move(*this));
  path_ = std::exchange(other.path_, {});
  device_ = other.device_;
  inode_ = other.inode_;
  return *this;
}

UnixFile::~UnixFile() {
  struct stat now {};
  if (path_.empty() || ::stat(path_.c_str(), &now) != 0) return;
  if (now.st_dev == device_ && now.st_ino == inode_) ::unlink(path_.c_str());
}

void UnixFile::remove_stale(const std::string &path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0 || !S_ISSOCK(found.st_mode)) return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return;
  std::memcpy(address.sun_path, path.data(), path.size());
  const base::Descriptor probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!probe) return;
  const int failed = ::connect(probe.number(), reinterpret_cast<const sockaddr *>(&address), sizeof address);
  if (failed != 0 && errno == ECONNREFUSED) ::unlink(path.c_str());
}

} // namespace omnistore::http
