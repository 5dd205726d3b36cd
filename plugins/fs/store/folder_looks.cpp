// SPDX-License-Identifier: Apache-2.0
#include "store/folder_looks.hpp"

#include <fcntl.h>
#include <unistd.h>

#include "expiry/expiry.hpp"
#include "tree/retry.hpp"

namespace fs {

FolderLooks::FolderLooks(const Tree &tree) : tree_(tree), user_(geteuid()) {}

bool FolderLooks::find(const Path &path, OpenValue &found) {
  int folder = tree_.base();
  if (!path.folder().empty()) {
    if (!folder_ || path_ != path.folder()) {
      path_ = path.folder();
      folder_ = tree_.open_folder(path_);
    }
    if (!folder_) return false;
    folder = folder_.get();
  }
  if (retry(::fstatat, folder, path.name(), &found.status, AT_SYMLINK_NOFOLLOW) != 0) return false;
  const mode_t mode = found.status.st_mode;
  if (!S_ISREG(mode) || found.status.st_uid != user_ || !(mode & S_IRUSR) || mode & S_ISVTX) return false;
  found.life = life_without_attribute(found.status);
  return true;
}

} // namespace fs
