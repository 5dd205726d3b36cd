// SPDX-License-Identifier: Apache-2.0
// A redis-server of a test's own, with its files in a folder of its own.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "support/loopback.hpp"
#include "support/server_process.hpp"
#include "support/temporary.hpp"

namespace test {

/// A running redis-server, on a free port of 127.0.0.1, with or without TLS, or on a unix socket. It takes connections
/// when the constructor returns, and is gone with the object; should the test's program die, it dies too. Nothing is
/// saved to disk unless the arguments say so. Throws std::runtime_error if redis-server is not installed or does not
/// come up. To be started from a thread that outlives it.
class RedisServer {
public:
  enum class On { port, socket, tls, sentinel, cluster, tls_cluster };

  /// `arguments` as for redis-server: {"--requirepass", "word"}. Those of a sentinel are the lines of its file, without
  /// its port.
  explicit RedisServer(std::vector<std::string> arguments = {}, On on = On::port)
      : arguments_(std::move(arguments)), on_(on), rights_(rights()),
        has_user_(!rights_.empty() &&
                  std::find(arguments_.begin(), arguments_.end(), "--requirepass") == arguments_.end()) {
    start_on_free_port([this] {
      if (on_ != On::socket) port_ = free_port();
      if (is_member()) bus_port_ = free_port();
      if (on_ == On::sentinel) write_file(file(), sentinel_lines());
      start();
    });
  }
  RedisServer(const RedisServer &) = delete;
  RedisServer &operator=(const RedisServer &) = delete;
  ~RedisServer() { kill(); }

  std::uint16_t port() const { return port_; }
  /// The port on which the members of a cluster talk to one another.
  std::uint16_t bus_port() const { return bus_port_; }
  std::string socket() const { return folder_ / "redis.sock"; }
  /// "redis://127.0.0.1:PORT/DATABASE" or "unix:///path?db=DATABASE". `login` is "user:password@".
  std::string url(unsigned database = 0, const std::string &login = "") const {
    const std::string number = std::to_string(database);
    const std::string by = login.empty() && has_user_ ? "omnistore:password@" : login;
    if (on_ == On::socket) return "unix://" + by + socket() + "?db=" + number;
    return (on_ == On::tls || on_ == On::tls_cluster ? "rediss://" : "redis://") + by +
           "127.0.0.1:" + std::to_string(port_) + "/" + number;
  }

  /// Ends it at once, like a crash; does nothing if it does not run.
  void kill() {
    if (!process_.runs()) return;
    process_.kill();
    ::close(log_);
  }
  /// Starts it again after a kill, on the same port or socket.
  void start() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    fcntl(ends[1], F_SETFL, O_NONBLOCK); // a full pipe must not hold the server up
    process_.start(words(), "redis-server", ends[1]);
    ::close(ends[1]);
    log_ = ends[0];
    await_ready();
  }
  /// Stops it without ending it: it responds to nothing, and its connections stay.
  void freeze() { process_.freeze(); }
  void thaw() { process_.thaw(); }

private:
  /// The rights that the driver's README says are enough, if OMNISTORE_TEST_REDIS_ACL names it: url() then logs in as a
  /// user who has these and no others.
  static std::vector<std::string> rights() {
    std::vector<std::string> found;
    const char *readme = std::getenv("OMNISTORE_TEST_REDIS_ACL");
    if (!readme) return found;
    const std::string text = read_file(readme);
    const std::size_t from = text.find("    ACL SETUSER omnistore ");
    if (from == text.npos) throw std::runtime_error("no ACL SETUSER in " + std::string(readme));
    std::istringstream words(text.substr(from, text.find('\n', from) - from));
    for (std::string word; words >> word;)
      if (word.starts_with('+')) found.push_back(word);
    return found;
  }
  bool is_member() const { return on_ == On::cluster || on_ == On::tls_cluster; }
  std::string file() const { return folder_ / "sentinel.conf"; }
  std::string sentinel_lines() const {
    const bool tls = std::any_of(arguments_.begin(), arguments_.end(),
                                 [](const std::string &line) { return line.starts_with("tls-cert-file"); });
    const std::string port = std::to_string(port_);
    std::string lines = "bind 127.0.0.1\ndir " + folder_.path().string() + "\n" +
                        (tls ? "port 0\ntls-port " + port : "port " + port) + "\n";
    for (const std::string &line : arguments_) lines += line + "\n";
    return lines;
  }

  std::vector<std::string> words() const {
    std::vector<std::string> words{"redis-server"};
    if (on_ == On::sentinel)
      words.insert(words.end(), {file(), "--sentinel"});
    else
      words.insert(words.end(), {"--save", "", "--dir", folder_.path().string(), "--loglevel", "notice"});
    if (on_ == On::tls || on_ == On::tls_cluster)
      words.insert(words.end(), {"--bind", "127.0.0.1", "--port", "0", "--tls-port", std::to_string(port_)});
    else if (on_ == On::port || on_ == On::cluster)
      words.insert(words.end(), {"--bind", "127.0.0.1", "--port", std::to_string(port_)});
    else if (on_ == On::socket)
      words.insert(words.end(), {"--port", "0", "--unixsocket", socket()});
    if (is_member())
      words.insert(words.end(),
                   {"--cluster-enabled", "yes", "--cluster-port", std::to_string(bus_port_), "--cluster-node-timeout",
                    "10000", "--cluster-replica-validity-factor", "0", "--repl-diskless-sync-delay", "0"});
    if (on_ == On::tls_cluster) words.insert(words.end(), {"--tls-cluster", "yes", "--tls-replication", "yes"});
    if (on_ != On::sentinel) words.insert(words.end(), arguments_.begin(), arguments_.end());
    if (has_user_ && on_ != On::sentinel) {
      words.insert(words.end(), {"--user", "omnistore", "on", ">password", "~*", "&*"});
      for (const std::string &right : rights_) words.push_back(right);
    }
    return words;
  }

  /// Reads the server's log until it says that it is ready.
  void await_ready() {
    std::string log;
    for (;;) {
      if (log.find(on_ == On::sentinel ? "+monitor master" : "eady to accept connections") != log.npos) return;
      pollfd waited{log_, POLLIN, 0};
      char buffer[4096];
      const ssize_t got = poll(&waited, 1, 30'000) > 0 ? read(log_, buffer, sizeof buffer) : 0;
      if (got <= 0) {
        kill();
        throw std::runtime_error("redis-server does not come up: " + log);
      }
      log.append(buffer, static_cast<std::size_t>(got));
    }
  }

  const std::vector<std::string> arguments_;
  const On on_;
  const std::vector<std::string> rights_;
  const bool has_user_; ///< url() logs in as the user who has these rights
  Folder folder_;
  std::uint16_t port_ = 0, bus_port_ = 0;
  ServerProcess process_;
  int log_ = -1;
};

} // namespace test
