// SPDX-License-Identifier: Apache-2.0
// A memcached of a test's own.
#pragma once

#include <chrono>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "support/loopback.hpp"
#include "support/server_process.hpp"

namespace test {

/// A running memcached on a free port of 127.0.0.1. It takes connections when the constructor returns, and is gone with
/// the object; if the test's program dies, it dies too. Throws std::runtime_error if memcached is not installed or does
/// not come up.
class MemcachedServer {
public:
  explicit MemcachedServer(std::vector<std::string> arguments = {}) : arguments_(std::move(arguments)) {
    start_on_free_port([this] {
      port_ = free_port();
      start();
    });
  }
  MemcachedServer(const MemcachedServer &) = delete;
  MemcachedServer &operator=(const MemcachedServer &) = delete;

  std::uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  /// Ends it at once, like a crash.
  void kill() { process_.kill(); }
  /// Starts it again after a kill, empty, on the same port.
  void start() {
    std::vector<std::string> words{"memcached", "-l", "127.0.0.1", "-p", std::to_string(port_), "-U", "0"};
    if (::geteuid() == 0) words.insert(words.end(), {"-u", "root"});
    words.insert(words.end(), arguments_.begin(), arguments_.end());
    process_.start(words, "memcached");
    for (;;) {
      if (process_.has_ended()) throw std::runtime_error("memcached does not come up");
      if (const int client = connected_to(port_); client >= 0) {
        ::close(client);
        return;
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  /// Stops it without ending it: it replies nothing, and its connections stay.
  void freeze() { process_.freeze(); }
  void thaw() { process_.thaw(); }

  /// Sends lines of the text protocol as another client, and returns the reply up to `end`.
  std::string ask(const std::string &lines, const std::string &end) const {
    const int client = connected_to(port_);
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
  const std::vector<std::string> arguments_;
  std::uint16_t port_ = 0;
  ServerProcess process_;
};

} // namespace test
