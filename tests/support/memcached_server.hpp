// SPDX-License-Identifier: Apache-2.0
// A memcached of a test's own.
#pragma once

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace test {

/// A running memcached on a free port of 127.0.0.1. It takes connections when the constructor returns, and is gone with
/// the object; if the test's program dies, it dies too. Throws std::runtime_error if memcached is not installed or does
/// not come up.
class MemcachedServer {
public:
  explicit MemcachedServer(std::vector<std::string> arguments = {}) : arguments_(std::move(arguments)) {
    constexpr int tries = 5; // another program may take the port before the server does
    for (int i = 1;; ++i) {
      port_ = free_port();
      try {
        start();
        return;
      } catch (const std::runtime_error &) {
        if (i == tries) throw;
      }
    }
  }
  MemcachedServer(const MemcachedServer &) = delete;
  MemcachedServer &operator=(const MemcachedServer &) = delete;
  ~MemcachedServer() { kill(); }

  std::uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  /// Ends it at once, like a crash.
  void kill() {
    if (process_ <= 0) return;
    ::kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
    process_ = 0;
  }
  /// Starts it again after a kill, empty, on the same port.
  void start() {
    process_ = fork();
    if (process_ < 0) throw std::runtime_error("fork");
    if (process_ == 0) run();
    for (;;) {
      if (int status = 0; waitpid(process_, &status, WNOHANG) == process_) {
        process_ = 0;
        throw std::runtime_error(WEXITSTATUS(status) == 127
                                     ? "memcached is not installed (Debian: apt-get install memcached)"
                                     : "memcached does not come up");
      }
      if (const int client = connected(); client >= 0) {
        ::close(client);
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  /// Stops it without ending it: it replies nothing, and its connections stay.
  void freeze() {
    ::kill(process_, SIGSTOP);
    int status = 0;
    while (waitpid(process_, &status, WUNTRACED) == process_ && !WIFSTOPPED(status)) {
    }
  }
  void thaw() { ::kill(process_, SIGCONT); }

  /// Sends lines of the text protocol as another client, and returns the reply up to `end`.
  std::string ask(const std::string &lines, const std::string &end) const {
    const int client = connected();
    if (client < 0) throw std::runtime_error("another client cannot connect");
    std::string reply;
    if (::send(client, lines.data(), lines.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(lines.size())) {
      char buffer[4096];
      for (ssize_t got = 0; reply.find(end) == reply.npos && (got = ::recv(client, buffer, sizeof buffer, 0)) > 0;)
        reply.append(buffer, static_cast<std::size_t>(got));
    }
    ::close(client);
    return reply;
  }

private:
  sockaddr_in place() const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port_);
    return address;
  }
  int connected() const {
    const int client = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = place();
    if (::connect(client, reinterpret_cast<const sockaddr *>(&address), sizeof address) == 0) return client;
    ::close(client);
    return -1;
  }
  std::uint16_t free_port() const {
    const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    const bool good = bind(descriptor, reinterpret_cast<sockaddr *>(&address), size) == 0 &&
                      getsockname(descriptor, reinterpret_cast<sockaddr *>(&address), &size) == 0;
    ::close(descriptor);
    if (!good) throw std::runtime_error("no free port");
    return ntohs(address.sin_port);
  }
  [[noreturn]] void run() const {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    std::vector<std::string> words{"memcached", "-l", "127.0.0.1", "-p", std::to_string(port_), "-U", "0"};
    if (geteuid() == 0) words.insert(words.end(), {"-u", "root"});
    words.insert(words.end(), arguments_.begin(), arguments_.end());
    std::vector<char *> pointers;
    for (std::string &word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    execvp(pointers[0], pointers.data());
    _exit(127);
  }

  const std::vector<std::string> arguments_;
  std::uint16_t port_ = 0;
  pid_t process_ = 0;
};

} // namespace test
