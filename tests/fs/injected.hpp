// SPDX-License-Identifier: Apache-2.0
// System calls that fail at a test's wish: a filter of the kernel reports to the test each call that a thread makes on
// files (seccomp_unotify(2)).
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <iterator>
#include <thread>
#include <vector>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace test {

/// The calls on files that a driver makes and that may be interrupted; `close` may not be repeated.
inline const std::vector<long> &calls_on_files() {
  static const std::vector<long> calls = {
      SYS_openat,    SYS_openat2,   SYS_read,       SYS_pread64,    SYS_write,     SYS_fsync,
      SYS_fdatasync, SYS_ftruncate, SYS_flock,      SYS_renameat,   SYS_renameat2, SYS_unlinkat,
      SYS_linkat,    SYS_mkdirat,   SYS_getdents64, SYS_fsetxattr,  SYS_fgetxattr, SYS_fremovexattr,
      SYS_utimensat, SYS_fchmod,    SYS_fchown,     SYS_newfstatat, SYS_fstat,
  };
  return calls;
}

/// A call that was made: its number and its arguments.
struct Made {
  long call;
  const std::uint64_t *arguments;
};

/// Runs something on a thread of its own, and lets `decide` judge its calls of these kinds before they happen: 0 lets
/// one happen, an errno makes it fail. `decide` runs on the caller's thread. False: the kernel has no such filters, and
/// nothing was run.
inline bool run_with_failures(const std::vector<long> &calls, const std::function<int(const Made &)> &decide,
                              const std::function<void()> &run) {
  std::promise<int> made;
  std::thread thread([&] {
    std::vector<sock_filter> filter = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
    for (const long call : calls) {
      filter.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, static_cast<std::uint32_t>(call), 0, 1));
      filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF));
    }
    filter.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
    int listener = -1;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) {
      listener =
          static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program));
    }
    made.set_value(listener);
    if (listener >= 0) run();
  });
  const int listener = made.get_future().get();
  while (listener >= 0) {
    pollfd polled{listener, POLLIN, 0};
    if (poll(&polled, 1, -1) < 0) continue;
    if (!(polled.revents & POLLIN)) break; // the thread has ended
    seccomp_notif asked{};
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &asked) != 0) continue;
    std::uint64_t arguments[6];
    for (unsigned i = 0; i < 6; ++i) arguments[i] = asked.data.args[i];
    seccomp_notif_resp answer{};
    answer.id = asked.id;
    answer.error = -decide({asked.data.nr, arguments});
    if (answer.error == 0) answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
  }
  thread.join();
  if (listener >= 0) close(listener);
  return listener >= 0;
}

} // namespace test
