// SPDX-License-Identifier: Apache-2.0
#include "incoming.hpp"

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <omnistore/errno_status.hpp>
#include <omnistore/failure.hpp>
#include <omnistore/utf8.hpp>
#include <omnistore/value.hpp>

#include "connection.hpp"
#include "layout.hpp"

namespace sqlite {
namespace {

constexpr std::size_t READ_SIZE = 64 << 10;

[[noreturn]] void fail(const char *what, const std::string &folder, int error) {
  const std::string file = "a temporary file in " + folder;
  const omnistore_status status = omnistore::status_of_errno(error);
  if (status == OMNISTORE_NO_SPACE) throw omnistore::Failure(status, no_room(file, error), omnistore::nothing_done);
  throw omnistore::Failure(status, std::string(what) + ' ' + file + ": " + std::strerror(error),
                           omnistore::nothing_done);
}

} // namespace

Incoming::~Incoming() {
  if (file_ >= 0) close(file_);
}

omnistore_status Incoming::gather(omnistore::Call call, const omnistore_set_request &request,
                                  const std::string &folder) {
  bytes_ = omnistore::as_view(request.value);
  if (!request.source) return OMNISTORE_OK;
  const auto buffer = std::make_unique<char[]>(READ_SIZE);
  std::uint64_t total = 0;
  for (;;) {
    if (call.remaining() == 0)
      return call.fail(call.late(), "the value did not arrive in time", omnistore::nothing_done);
    std::uint64_t count = 0;
    const omnistore_status status = request.source->read(request.source, buffer.get(), READ_SIZE, &count);
    if (status != OMNISTORE_OK) return status;
    if (count == 0) break;
    total += count;
    if (total > request.source_size) break; // OMNISTORE_UNKNOWN_SIZE is the largest number
    if (file_ < 0 && total > LONGEST_INLINE) move_to_file(folder);
    append(buffer.get(), static_cast<std::size_t>(count));
  }
  bytes_ = own_;
  if (request.source_size == OMNISTORE_UNKNOWN_SIZE || total == request.source_size) return OMNISTORE_OK;
  return call.fail(OMNISTORE_INVALID,
                   "the value has " + std::string(total > request.source_size ? "more" : "fewer") + " bytes than the " +
                       std::to_string(request.source_size) + " that were announced",
                   omnistore::nothing_done);
}

void Incoming::move_to_file(const std::string &folder) {
  file_ = open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (file_ < 0) { // a filesystem without unnamed files
    std::string name = folder + "/.omnistore-XXXXXX";
    file_ = mkostemp(name.data(), O_CLOEXEC);
    if (file_ < 0) fail("cannot make", folder, errno);
    unlink(name.c_str());
  }
  const std::string begun = std::exchange(own_, {});
  append(begun.data(), begun.size());
}

void Incoming::append(const char *data, std::size_t count) {
  if (file_ < 0) {
    own_.append(data, count);
    return;
  }
  while (count > 0) {
    const ssize_t written = ::write(file_, data, count);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot write", "the database's folder", errno);
    data += written, count -= static_cast<std::size_t>(written), size_ += static_cast<std::uint64_t>(written);
  }
}

bool Incoming::is_text() const { return omnistore::is_text(bytes_); }

void Incoming::read(void *into, std::size_t count, std::uint64_t from) const {
  for (char *at = static_cast<char *>(into); count > 0;) {
    const ssize_t done = pread(file_, at, count, static_cast<off_t>(from));
    if (done < 0 && errno == EINTR) continue;
    if (done <= 0) fail("cannot read", "the database's folder", done < 0 ? errno : EIO);
    at += done, count -= static_cast<std::size_t>(done), from += static_cast<std::uint64_t>(done);
  }
}

} // namespace sqlite
