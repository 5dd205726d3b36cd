// SPDX-License-Identifier: Apache-2.0
// A PostgreSQL server of a test program's own, with its cluster in a folder of its own.
#pragma once

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/loopback.hpp"
#include "support/temporary.hpp"

namespace test {

/// A running server on a unix socket in its folder. PostgreSQL refuses to run as root: root starts it as `nobody`. It
/// is gone with the object, and if the test's program dies, it dies too. Throws std::runtime_error if PostgreSQL is
/// not installed or does not start. It must be started from a thread that outlives it.
class PostgresServer {
public:
  /// The files of a certificate; the server then listens on a free port of 127.0.0.1, too.
  struct Tls {
    std::string cert, key;
  };

  PostgresServer() { create(); }
  explicit PostgresServer(const Tls &tls) {
    create([&] {
      copy(tls.cert, "server.pem");
      copy(tls.key, "server.key");
      more_ = {"-c", "listen_addresses=127.0.0.1",
               "-c", "ssl=on",
               "-c", "ssl_cert_file=" + (folder_ / "server.pem"),
               "-c", "ssl_key_file=" + (folder_ / "server.key")};
      port_ = free_port();
    });
  }
  PostgresServer(const PostgresServer &) = delete;
  PostgresServer &operator=(const PostgresServer &) = delete;
  ~PostgresServer() { kill(); }

  std::uint16_t port() const { return port_; }
  std::string folder() const { return folder_.path().string(); }
  /// The options of a driver, without braces.
  std::string options(const std::string &user = "test", const std::string &database = "postgres") const {
    return R"("host": ")" + folder() + R"(", "user": ")" + user + R"(", "database": ")" + database + '"';
  }

  /// Ends all of its processes at once, as a power cut does.
  void kill() {
    if (process_ <= 0) return;
    signal_all(SIGKILL);
    waitpid(process_, nullptr, 0);
    process_ = 0;
  }
  /// Starts it again after a kill. Returns when it takes connections.
  void start() {
    // The lock files of a server that was killed would keep the new one from starting while their number is in use.
    std::filesystem::remove(data() + "/postmaster.pid");
    const std::string port = std::to_string(port_);
    std::vector<std::string> words = {"postgres",
                                      "-D",
                                      data(),
                                      "-k",
                                      folder(),
                                      "-c",
                                      "listen_addresses=",
                                      "-c",
                                      "fsync=off",
                                      "-c",
                                      "hba_file=" + (folder_ / "hba"),
                                      "-c",
                                      "shared_buffers=32MB",
                                      "-c",
                                      "port=" + port};
    words.insert(words.end(), more_.begin(), more_.end());
    process_ = spawn(words);
    for (int i = 0; i < 300; ++i) {
      const pid_t asks = spawn({"pg_isready", "-q", "-p", port, "-h", folder(), "-d", "postgres", "-U", "test"});
      int status = 0;
      waitpid(asks, &status, 0);
      if (status == 0) return;
      if (waitpid(process_, &status, WNOHANG) == process_) break;
      usleep(20'000);
    }
    kill();
    throw std::runtime_error("PostgreSQL does not start: " + read_file(folder_ / "log"));
  }
  /// Stops all of its processes without ending them: it responds to nothing, and its connections stay.
  void freeze() const { signal_all(SIGSTOP); }
  void thaw() const { signal_all(SIGCONT); }

private:
  /// Each process of the server has a group of its own.
  void signal_all(int number) const {
    ::kill(process_, number);
    std::error_code ignored;
    for (const auto &entry : std::filesystem::directory_iterator("/proc", ignored)) {
      std::ifstream file(entry.path() / "stat"); // "NUMBER (NAME) STATE PARENT ..."; the names here have no space
      std::string word, parent;
      pid_t process = 0;
      if (file >> process >> word >> word >> parent && parent == std::to_string(process_)) ::kill(process, number);
    }
  }

  void create(const std::function<void()> &prepare = [] {}) {
    if (binaries().empty())
      throw std::runtime_error("PostgreSQL is not installed (Debian: apt-get install postgresql)");
    if (geteuid() == 0) {
      owner_ = getpwnam("nobody");
      if (!owner_ || chown(folder_.path().c_str(), owner_->pw_uid, owner_->pw_gid) != 0)
        throw std::runtime_error("the folder cannot be given to nobody");
    }
    await(spawn({"initdb", "--pgdata", data(), "--username", "test", "--auth", "trust", "--no-sync", "--encoding",
                 "UTF8", "--locale", "C"}),
          "initdb");
    write_file(folder_ / "hba",
               "local all secret scram-sha-256\nlocal all all trust\nhost all all 127.0.0.1/32 trust\n");
    prepare();
    start();
  }

  void copy(const std::string &from, const std::string &name) const {
    const std::string to = folder_ / name;
    write_file(to, read_file(from));
    std::filesystem::permissions(to, std::filesystem::perms::owner_read);
    if (owner_ && chown(to.c_str(), owner_->pw_uid, owner_->pw_gid) != 0) throw std::runtime_error("chown " + to);
  }

  std::string data() const { return folder_ / "data"; }

  static std::string binaries() {
    std::string newest;
    std::error_code ignored;
    for (const auto &version : std::filesystem::directory_iterator("/usr/lib/postgresql", ignored))
      if (std::filesystem::exists(version.path() / "bin/postgres")) newest = std::max(newest, version.path().string());
    return newest.empty() ? newest : newest + "/bin/";
  }

  pid_t spawn(std::vector<std::string> words) const {
    words[0] = binaries() + words[0];
    const std::string log = folder_ / "log";
    std::vector<char *> pointers;
    for (std::string &word : words) pointers.push_back(word.data());
    pointers.push_back(nullptr);
    const pid_t process = fork();
    if (process < 0) throw std::runtime_error("fork");
    if (process > 0) {
      setpgid(process, process);
      return process;
    }
    setpgid(0, 0);
    if (owner_ && (setgroups(0, nullptr) != 0 || setgid(owner_->pw_gid) != 0 || setuid(owner_->pw_uid) != 0))
      _exit(126);
    prctl(PR_SET_PDEATHSIG, SIGINT);
    const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    if (chdir("/") != 0) _exit(126);
    unsetenv("LD_PRELOAD");
    execv(pointers[0], pointers.data());
    _exit(127);
  }
  void await(pid_t process, const std::string &name) const {
    int status = 0;
    waitpid(process, &status, 0);
    if (status != 0) throw std::runtime_error(name + " failed: " + read_file(folder_ / "log"));
  }

  Folder folder_;
  std::uint16_t port_ = 5432; ///< a part of the socket's name, too
  std::vector<std::string> more_;
  const passwd *owner_ = nullptr;
  pid_t process_ = 0;
};

} // namespace test
