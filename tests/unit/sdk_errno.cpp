// SPDX-License-Identifier: Apache-2.0
#include <cerrno>

#include <catch2/catch.hpp>

#include <omnistore/errno_status.hpp>

using omnistore::status_of_errno;

TEST_CASE("an errno has the status that its kind of failure has") {
  for (const int no_room : {ENOSPC, EDQUOT, EFBIG}) CHECK(status_of_errno(no_room) == OMNISTORE_NO_SPACE);
  for (const int denied : {EACCES, EPERM, EXDEV, ELOOP}) CHECK(status_of_errno(denied) == OMNISTORE_DENIED);
  for (const int passing : {EMFILE, ENFILE, ENOMEM, EAGAIN}) CHECK(status_of_errno(passing) == OMNISTORE_UNAVAILABLE);
  CHECK(status_of_errno(EROFS) == OMNISTORE_READ_ONLY);
  CHECK(status_of_errno(ENAMETOOLONG) == OMNISTORE_TOO_LARGE);
  CHECK(status_of_errno(EOPNOTSUPP) == OMNISTORE_UNSUPPORTED);
  CHECK(status_of_errno(EIO) == OMNISTORE_IO);
}
