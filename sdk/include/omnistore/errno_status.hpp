// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cerrno>

#include <omnistore/driver.h>

namespace omnistore {

/// Returns the status for an error number of the system (errno), so that drivers that keep files
/// agree: a full disk, a quota and a limit on the size of a file are OMNISTORE_NO_SPACE, and errors
/// that have no status of their own are OMNISTORE_IO. Any thread may call it.
constexpr omnistore_status status_of_errno(int error) noexcept {
  switch (error) {
  case ENOSPC:
#ifdef EDQUOT // Windows has no such error
  case EDQUOT:
#endif
  case EFBIG:
    return OMNISTORE_NO_SPACE;
  case EACCES:
  case EPERM:
  case EXDEV:
  case ELOOP:
    return OMNISTORE_DENIED;
  case EROFS:
    return OMNISTORE_READ_ONLY;
  case ENAMETOOLONG:
    return OMNISTORE_TOO_LARGE;
  case EOPNOTSUPP:
    return OMNISTORE_UNSUPPORTED;
  case EMFILE:
  case ENFILE:
  case ENOMEM:
  case EAGAIN:
    return OMNISTORE_UNAVAILABLE;
  default:
    return OMNISTORE_IO;
  }
}

} // namespace omnistore
