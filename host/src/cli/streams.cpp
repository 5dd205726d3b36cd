// SPDX-License-Identifier: Apache-2.0
#include "cli/streams.hpp"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

namespace omnistore::cli {
namespace {

bool closed[3];

} // namespace

void open_streams() {
  for (int stream = STDIN_FILENO; stream <= STDERR_FILENO; ++stream) {
    if (::fcntl(stream, F_GETFD) >= 0 || errno != EBADF) continue;
    closed[stream] = true;
    // The lowest free number is this one, as those below it are open by now.
    if (::open("/dev/null", stream == STDIN_FILENO ? O_RDONLY : O_WRONLY) < 0) [[maybe_unused]]
      const int filler = ::open("/", O_RDONLY | O_DIRECTORY); // a root without /dev
  }
}

bool was_closed(int descriptor) { return descriptor >= 0 && descriptor < 3 && closed[descriptor]; }

} // namespace omnistore::cli
