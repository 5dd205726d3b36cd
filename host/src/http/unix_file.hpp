// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <boost/system/error_code.hpp>
#include <sys/types.h>

namespace omnistore::http {

/// The file of a unix socket that this process has bound. It is removed with the object, unless another process has
/// put its own in its place.
class UnixFile {
public:
  UnixFile() = default;
  /// Gives the file its mode.
  UnixFile(std::string path, unsigned mode, boost::system::error_code &error);
  UnixFile(UnixFile &&other) noexcept;
  UnixFile &operator=(UnixFile &&other) noexcept;
  ~UnixFile();

  /// Removes a socket's file that nobody listens at: a process that was killed has left it. Leaves every other
  /// file alone.
  static void remove_stale(const std::string &path);

private:
  std::string path_; ///< empty: none
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

} // namespace omnistore::http
