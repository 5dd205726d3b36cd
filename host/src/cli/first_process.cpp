// SPDX-License-Identifier: Apache-2.0
#include "cli/first_process.hpp"

#include <csignal>

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace omnistore::cli {
namespace {

/// Reaps every child that has ended. Ends the process if the host is one of them.
void reap(pid_t host) {
  int status = 0;
  for (pid_t ended = 0; (ended = ::waitpid(-1, &status, WNOHANG)) > 0;)
    if (ended == host) ::_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status));
}

} // namespace

void leave_first_process() {
  if (::getpid() != 1) return;
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  const pid_t host = ::fork();
  if (host <= 0) { // the host, or no process can be started, so that it serves in this one
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return;
  }
  // The host alone decides when its sockets and files close.
  ::syscall(SYS_close_range, 3u, ~0u, 0u);
  for (;;) {
    siginfo_t signal{};
    if (::sigwaitinfo(&all, &signal) < 0) continue;
    if (signal.si_signo == SIGCHLD)
      reap(host);
    else if (signal.si_code != SI_KERNEL) // a terminal sends Ctrl-C to the host as well
      ::kill(host, signal.si_signo);
  }
}

} // namespace omnistore::cli
