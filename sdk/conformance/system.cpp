// SPDX-License-Identifier: Apache-2.0
// The functions of a bench that depend on the system. tests/authors/windows_kit.cpp has them for Windows.
#include "system.hpp"

#include <cerrno>
#include <cstring>
#include <stdexcept>

#include <csignal>
#include <dlfcn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.hpp"
#include "progress.hpp"

namespace omnistore::kit {

omnistore_entry load_entry(const std::string &file) {
  void *library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw Broken(std::string("it does not load: ") + dlerror());
  const auto entry = reinterpret_cast<omnistore_entry>(dlsym(library, OMNISTORE_ENTRY));
  if (!entry) throw Broken("it does not export " OMNISTORE_ENTRY);
  return entry;
}

bool Bench::in_process(const std::function<void()> &work, const std::function<void(int)> &until_killed) {
  const pid_t process = fork();
  if (process < 0) throw std::runtime_error("fork failed");
  if (process == 0) {
    try {
      work();
    } catch (const std::exception &e) {
      progress::say("in another process:", e.what());
      _exit(1);
    }
    _exit(0);
  }
  if (until_killed) until_killed(process);
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) {
    require(WTERMSIG(status) == SIGKILL, std::string("it crashed in another process: ") + strsignal(WTERMSIG(status)));
    return false;
  }
  require(WEXITSTATUS(status) == 0, "it failed in another process");
  return true;
}

} // namespace omnistore::kit
