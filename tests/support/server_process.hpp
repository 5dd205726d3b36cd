// SPDX-License-Identifier: Apache-2.0
// The process of a server that a test starts.
#pragma once

#include <csignal>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {

/// The process of a server. It is killed with the object; if the test's program dies, it dies too. Start it from a
/// thread that outlives it.
class ServerProcess {
public:
  ServerProcess() = default;
  ServerProcess(const ServerProcess &) = delete;
  ServerProcess &operator=(const ServerProcess &) = delete;
  ~ServerProcess() { kill(); }

  /// Runs a program of PATH. Its output goes to `output`, or if that is -1, to the test's own. If the program is
  /// missing, it is reported there with its Debian package, and the exit code is 127.
  void start(std::vector<std::string> words, const std::string &package, int output = -1) {
    const std::string missing = words[0] + " is not installed (Debian: apt-get install " + package + ")\n";
    std::vector<char *> pointers;
    for (std::string &word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    number_ = ::fork();
    if (number_ < 0) throw std::runtime_error("fork");
    if (number_ > 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (output >= 0) {
      ::dup2(output, STDOUT_FILENO);
      ::dup2(output, STDERR_FILENO);
    }
    ::execvp(pointers[0], pointers.data());
    ::_exit(::write(STDERR_FILENO, missing.data(), missing.size()) < 0 ? 126 : 127);
  }
  bool runs() const { return number_ > 0; }
  /// Returns true if it has ended by itself.
  bool has_ended() {
    if (!runs() || ::waitpid(number_, nullptr, WNOHANG) != number_) return false;
    number_ = 0;
    return true;
  }

  /// Ends it at once, like a crash. Does nothing if it does not run.
  void kill() {
    if (!runs()) return;
    ::kill(number_, SIGKILL);
    ::waitpid(number_, nullptr, 0);
    number_ = 0;
  }
  /// Stops it without ending it: it responds to nothing, and its connections stay.
  void freeze() {
    ::kill(number_, SIGSTOP);
    int status = 0;
    while (::waitpid(number_, &status, WUNTRACED) == number_ && !WIFSTOPPED(status)) {
    }
  }
  void thaw() { ::kill(number_, SIGCONT); }

private:
  pid_t number_ = 0;
};

/// Calls `start` up to five times, since another program may take a free port before the server does.
template <class Start>
void start_on_free_port(Start start) {
  for (int tries = 5;;) try {
      return start();
    } catch (const std::runtime_error &) {
      if (--tries == 0) throw;
    }
}

} // namespace test
