// SPDX-License-Identifier: Apache-2.0
// An S3 server of a test program's own: Ceph's radosgw, which tests/support/radosgw starts.
#pragma once

#include <csignal>
#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <thread>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/temporary.hpp"

namespace test {

/// A running server with the bucket `bucket`, for the access key KEYID and the secret VERYSECRET. It is gone with the
/// object, and if the test's program dies, it dies too. Throws std::runtime_error if radosgw is not installed or does
/// not start. It must be started from a thread that outlives it.
class RadosGateway {
public:
  RadosGateway() {
    constexpr int tries = 3; // another program may take a port before Ceph does
    for (int i = 1; url_.empty(); ++i) {
      start();
      if (!url_.empty()) return;
      const std::string log = read_file(folder_ / "log.txt");
      stop();
      if (i == tries || log.find("is not installed") != log.npos)
        throw std::runtime_error("radosgw does not start: " + log);
      std::filesystem::remove_all(folder_ / "ceph");
    }
  }
  RadosGateway(const RadosGateway &) = delete;
  RadosGateway &operator=(const RadosGateway &) = delete;
  ~RadosGateway() { stop(); }

  const std::string &url() const { return url_; }
  std::uint16_t port() const { return static_cast<std::uint16_t>(std::stoi(url_.substr(url_.rfind(':') + 1))); }
  /// The options of a driver, without braces.
  std::string options() const {
    return R"("bucket": "bucket", "endpoint": ")" + url_ +
           R"(", "accessKeyId": "KEYID", "secretAccessKey": "VERYSECRET")";
  }

  /// Kills radosgw. The script starts it again, over the same objects.
  void kill() { ::kill(process(), SIGKILL); }
  /// Stops radosgw without ending it: it sends nothing, and its connections stay.
  void freeze() {
    const pid_t radosgw = process();
    ::kill(radosgw, SIGSTOP);
    while (runs(radosgw)) std::this_thread::yield();
  }
  void thaw() { ::kill(process(), SIGCONT); }

private:
  pid_t process() const { return static_cast<pid_t>(std::stol(read_file(folder_ / "ceph/radosgw.pid"))); }

  /// Returns true if a thread of the process has not stopped.
  static bool runs(pid_t process) {
    for (const auto &thread : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
      const std::string state = read_file(thread.path() / "stat");
      if (state.substr(state.rfind(')') + 2, 1) != "T") return true;
    }
    return false;
  }

  void start() {
    int pipe[2];
    if (pipe2(pipe, O_CLOEXEC) != 0) throw std::runtime_error("pipe");
    const std::string script = OMNISTORE_SOURCE "/tests/support/radosgw", ceph = folder_ / "ceph";
    const int log = ::open((folder_ / "log.txt").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    script_ = fork();
    if (script_ < 0) throw std::runtime_error("fork");
    if (script_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      dup2(pipe[1], STDOUT_FILENO);
      dup2(log, STDERR_FILENO);
      execl(script.c_str(), script.c_str(), ceph.c_str(), nullptr);
      _exit(127);
    }
    ::close(log);
    ::close(pipe[1]);
    url_.clear();
    for (char c; ::read(pipe[0], &c, 1) == 1 && c != '\n';) url_ += c;
    ::close(pipe[0]);
  }
  void stop() {
    if (script_ <= 0) return;
    ::kill(script_, SIGTERM); // it ends all that it started
    waitpid(script_, nullptr, 0);
    script_ = 0;
  }

  Folder folder_;
  std::string url_;
  pid_t script_ = 0;
};

} // namespace test
