// SPDX-License-Identifier: Apache-2.0
#include "cli/crash.hpp"

#include <csignal>
#include <cstdlib>
#include <cstring>

#include <sys/mman.h>
#include <unistd.h>

#include "base/in_flight.hpp"
#include "cli/failure.hpp"

namespace omnistore::cli {
namespace {

/// A line for standard error, put together without an allocation: a signal handler may print it.
class CrashLine {
public:
  CrashLine &operator<<(const char *text) {
    for (; *text && used_ < sizeof text_ - 1; ++text) {
      const auto byte = static_cast<unsigned char>(*text);
      text_[used_++] = byte < 0x20 || byte == 0x7F ? '?' : *text;
    }
    return *this;
  }
  /// The place of this thread, if it is inside a plugin.
  bool add_call() {
    const char *file, *driver, *mount, *operation;
    if (!base::innermost_call(file, driver, mount, operation)) return false;
    *this << " in the plugin " << file;
    if (*driver) *this << ", driver " << driver << ", mount " << mount;
    *this << ", function " << operation;
    return true;
  }
  void print() {
    text_[used_++] = '\n';
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text_, used_);
  }

private:
  char text_[4096];
  std::size_t used_ = 0;
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true; // a sanitizer has reports of its own
#else
constexpr bool sanitized = false;
#endif

/// A signal that arises again after the handler has returned. It then ends the program, and the core is of the place
/// of the fault.
void on_fatal(int signal, siginfo_t *info, void *) {
  CrashLine line;
  const char *name = ::sigabbrev_np(signal);
  line << "omnistore: " << (name ? "SIG" : "a fatal signal") << (name ? name : "");
  if (!line.add_call()) line << " in the host, outside of any plugin's function";
  line.print();
  if (info->si_code <= 0) ::raise(signal); // it was sent, and would not come again
}

/// A handler needs a stack of its own: the thread's may have run out.
constexpr std::size_t stack_size = 64 * 1024;

void begin_thread() {
  void *const memory =
      ::mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) return;
  const stack_t stack{memory, 0, stack_size};
  ::sigaltstack(&stack, nullptr);
}

void end_thread() {
  stack_t stack{};
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  if (::sigaltstack(&none, &stack) == 0 && stack.ss_sp && !(stack.ss_flags & SS_DISABLE))
    ::munmap(stack.ss_sp, stack.ss_size);
}

void report_exit() {
  CrashLine line;
  line << "omnistore: exit() was called";
  if (!line.add_call()) return;
  line.print();
  ::_exit(exit_code(Status::internal));
}

} // namespace

void report_crashes() {
  std::atexit(report_exit);
  if constexpr (sanitized) return;
  base::on_plugin_threads(begin_thread, end_thread);
  struct sigaction action {};
  action.sa_sigaction = on_fatal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK | static_cast<int>(SA_RESETHAND);
  sigemptyset(&action.sa_mask);
  for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS, SIGTRAP})
    ::sigaction(signal, &action, nullptr);
}

} // namespace omnistore::cli
