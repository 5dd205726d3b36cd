// SPDX-License-Identifier: Apache-2.0
// Members of etcd of a test's own, with their files in a folder of its own.
#pragma once

#include <chrono>
#include <csignal>
#include <cstdint>
#include <deque>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/loopback.hpp"
#include "support/temporary.hpp"

namespace test {

/// A cluster of etcd on free ports of 127.0.0.1. It serves when the constructor returns, and is gone with the object.
/// If the test's program dies, it dies too. Throws std::runtime_error if etcd is not installed or does not come up.
/// Start it from a thread that outlives it.
class EtcdCluster {
public:
  /// `arguments` are etcd's own, for each member. `scheme` is that of the client URLs.
  explicit EtcdCluster(std::size_t members = 1, std::vector<std::string> arguments = {}, std::string scheme = "http")
      : arguments_(std::move(arguments)), scheme_(std::move(scheme)) {
    constexpr int tries = 5; // another program may take a port before etcd does
    for (int i = 1;; ++i) {
      folder_ = std::make_unique<Folder>();
      members_.assign(members, {});
      take_ports();
      try {
        for (std::size_t k = 0; k < members; ++k) launch(k);
        for (std::size_t k = 0; k < members; ++k) await_ready(k);
        return;
      } catch (const std::runtime_error &) {
        kill_all();
        if (i == tries) throw;
      }
    }
  }
  EtcdCluster(const EtcdCluster &) = delete;
  EtcdCluster &operator=(const EtcdCluster &) = delete;
  ~EtcdCluster() { kill_all(); }

  std::size_t size() const { return members_.size(); }
  std::string url(std::size_t member = 0) const {
    return scheme_ + "://127.0.0.1:" + std::to_string(members_[member].client);
  }
  /// Returns the option `endpoints` as a JSON member.
  std::string endpoints() const {
    std::string list;
    for (std::size_t i = 0; i < members_.size(); ++i) list += (i ? ",\"" : "\"") + url(i) + '"';
    return "\"endpoints\":[" + list + "]";
  }

  /// Ends a member at once, like a crash.
  void kill(std::size_t member = 0) {
    pid_t &process = members_[member].process;
    if (process <= 0) return;
    ::kill(process, SIGKILL);
    waitpid(process, nullptr, 0);
    process = 0;
  }
  /// Stops a member without ending it: it sends nothing, and its connections stay.
  void freeze(std::size_t member = 0) { ::kill(members_[member].process, SIGSTOP); }
  /// Starts a member again after a kill, with its files and ports.
  void start(std::size_t member = 0) {
    launch(member);
    await_ready(member);
  }

private:
  struct Member {
    std::uint16_t client = 0, peer = 0;
    pid_t process = 0;
    int runs = 0;
  };

  void kill_all() {
    for (std::size_t i = 0; i < members_.size(); ++i) kill(i);
  }
  void take_ports() {
    std::deque<LoopbackPort> ports; // all open at once, so that no port comes twice
    const auto port = [&ports] { return ports.emplace_back().number(); };
    for (Member &each : members_) each.client = port(), each.peer = port();
  }
  std::string log_of(std::size_t member) const {
    return *folder_ / (std::to_string(member) + "-" + std::to_string(members_[member].runs) + ".log");
  }

  void launch(std::size_t index) {
    Member &member = members_[index];
    ++member.runs;
    const auto name = [](std::size_t i) { return "m" + std::to_string(i); };
    const std::string peer = "http://127.0.0.1:" + std::to_string(member.peer);
    std::string all;
    for (std::size_t i = 0; i < members_.size(); ++i)
      all += (i ? "," : "") + name(i) + "=http://127.0.0.1:" + std::to_string(members_[i].peer);
    std::vector<std::string> words{"etcd",
                                   "--name",
                                   name(index),
                                   "--data-dir",
                                   *folder_ / name(index),
                                   "--listen-client-urls",
                                   url(index),
                                   "--advertise-client-urls",
                                   url(index),
                                   "--listen-peer-urls",
                                   peer,
                                   "--initial-advertise-peer-urls",
                                   peer,
                                   "--initial-cluster",
                                   all,
                                   "--heartbeat-interval",
                                   "50",
                                   "--election-timeout",
                                   "500"};
    words.insert(words.end(), arguments_.begin(), arguments_.end());
    std::vector<char *> pointers;
    for (std::string &word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    const int log = ::open(log_of(index).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    member.process = fork();
    if (member.process < 0) throw std::runtime_error("fork");
    if (member.process == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(log, STDOUT_FILENO);
      dup2(log, STDERR_FILENO);
      execvp(pointers[0], pointers.data());
      const std::string_view missing = "etcd is not installed (Debian: apt-get install etcd-server)\n";
      if (write(STDOUT_FILENO, missing.data(), missing.size()) < 0) _exit(126);
      _exit(127);
    }
    ::close(log);
  }

  /// Reads the member's log until it says that it is ready.
  void await_ready(std::size_t index) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    for (;;) {
      const std::string log = read_file(log_of(index));
      if (log.find("ready to serve client requests") != log.npos || log.find("serving insecure client") != log.npos ||
          log.find("serving client requests on") != log.npos)
        return;
      const bool gone = waitpid(members_[index].process, nullptr, WNOHANG) != 0;
      if (gone) members_[index].process = 0;
      if (gone || std::chrono::steady_clock::now() > end)
        throw std::runtime_error("etcd does not come up: " + log.substr(log.size() > 2000 ? log.size() - 2000 : 0));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }

  const std::vector<std::string> arguments_;
  const std::string scheme_;
  std::unique_ptr<Folder> folder_;
  std::vector<Member> members_;
};

} // namespace test
