// SPDX-License-Identifier: Apache-2.0
#include "cli/stop_signals.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>

#include <poll.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

namespace omnistore::cli {
namespace {

bool hangup_too = false;

sigset_t held_signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  if (hangup_too) sigaddset(&set, SIGHUP);
  return set;
}

std::atomic<int> stop_descriptor{-1};

[[noreturn]] void stop_now(int signal) { _exit(128 + signal); }

} // namespace

void set_stop_descriptor(int descriptor) { stop_descriptor = descriptor; }

bool stops_by_signal() { return stop_descriptor >= 0; }

bool wait_or_stop(int descriptor, short events) {
  const int stop = stop_descriptor;
  struct stat status;
  if (stop < 0 || ::fstat(descriptor, &status) != 0 || S_ISREG(status.st_mode)) return true;
  pollfd ends[] = {{descriptor, events, 0}, {stop, POLLIN, 0}};
  while (::poll(ends, 2, -1) < 0 && errno == EINTR) {
  }
  if (ends[1].revents != 0 && ends[0].revents == 0) throw Stopped{};
  return false;
}

void hold_stop_signals(bool and_hangup) {
  hangup_too = and_hangup;
  const sigset_t set = held_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

int wait_for_stop(int descriptor) {
  const sigset_t set = held_signals();
  if (descriptor < 0) { // needs no descriptor: a host may have none left when it is to stop
    int came = SIGTERM;
    ::sigwait(&set, &came);
    return came;
  }
  const int signals = ::signalfd(-1, &set, SFD_CLOEXEC);
  pollfd ends[] = {{signals, POLLIN, 0}, {descriptor, POLLIN, 0}};
  while (::poll(ends, 2, -1) < 0 && errno == EINTR) {
  }
  signalfd_siginfo came{};
  if (ends[0].revents != 0 && ::read(signals, &came, sizeof came) < 0) came.ssi_signo = SIGTERM;
  ::close(signals);
  return static_cast<int>(came.ssi_signo);
}

int signal_within(std::chrono::milliseconds time) {
  const sigset_t set = held_signals();
  const auto nanoseconds = std::chrono::nanoseconds(time).count();
  const timespec limit{static_cast<time_t>(nanoseconds / 1'000'000'000),
                       static_cast<long>(nanoseconds % 1'000'000'000)};
  return std::max(0, ::sigtimedwait(&set, nullptr, &limit));
}

void let_signals_end() {
  std::signal(SIGINT, stop_now);
  std::signal(SIGTERM, stop_now);
  hangup_too = false;
  const sigset_t set = held_signals();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

} // namespace omnistore::cli
