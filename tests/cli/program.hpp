// SPDX-License-Identifier: Apache-2.0
// Runs the program: to its end, or as a host beside the test.
#pragma once

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>
#include <fcntl.h>
#include <poll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/temporary.hpp"

namespace test {

using Strings = std::vector<std::string>;

inline std::string program() { return OMNISTORE_BUILD "/bin/omnistore"; }

struct Setting {
  std::string input{};
  std::string folder{};                           ///< to start in; empty: the test's own
  std::map<std::string, std::string> variables{}; ///< beside a small environment of ours
  bool closed_output = false;                     ///< nobody reads standard output
  int silence_ms = 60'000;                        ///< a program that says nothing for so long hangs
};

struct Result {
  int code = -1;  ///< of an exit
  int signal = 0; ///< that ended it
  std::string out, err;

  boost::json::value json() const { return boost::json::parse(out); }
  boost::json::value error() const { return boost::json::parse(err).at("error"); }
};

/// A running process and its three pipes. It is killed if nobody waited for it.
class Process {
public:
  Process(const Strings &command, const Setting &setting) {
    int in[2], out[2], err[2], started[2];
    for (int *pipe : {in, out, err, started})
      if (::pipe2(pipe, O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    pid_ = ::fork();
    if (pid_ < 0) throw std::runtime_error("fork");
    if (pid_ == 0) become(command, setting, in[0], out[1], err[1]);
    ::close(in[0]);
    ::close(out[1]);
    ::close(err[1]);
    ::close(started[1]);
    in_ = in[1];
    out_ = out[0];
    err_ = err[0];
    // Until its exec, a signal would reach this program's handlers in the child. The exec closes the pipe.
    for (char none; ::read(started[0], &none, 1) < 0 && errno == EINTR;) continue;
    ::close(started[0]);
    if (setting.closed_output) close(out_);
  }
  ~Process() {
    for (int *end : {&in_, &out_, &err_}) close(*end);
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Process(const Process &) = delete;
  Process &operator=(const Process &) = delete;

  pid_t pid() const { return pid_; }
  /// Nobody reads its standard output any more.
  void close_output() { close(out_); }

  /// Puts bytes into its standard input, which stays open: no more than a pipe holds.
  void feed_some(std::string_view input) const {
    if (::write(in_, input.data(), input.size()) != static_cast<ssize_t>(input.size()))
      throw std::runtime_error("the program takes no input");
  }
  /// Returns once it takes SIGINT as a wish to stop well, in place of ending at once.
  void await_signals_held() const {
    for (;;) {
      const std::string status = read_file("/proc/" + std::to_string(pid_) + "/status");
      const std::size_t at = status.find("SigBlk:");
      if (at == status.npos) throw std::runtime_error("the program has ended");
      if (std::stoull(status.substr(at + 7), nullptr, 16) & (1ull << (SIGINT - 1))) return;
      std::this_thread::yield();
    }
  }
  /// Waits for its end, and neither feeds it nor takes what it says. Throws if it does not end.
  void await_end() const {
    const int handle = static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0));
    pollfd ended{handle, POLLIN, 0};
    const int ready = ::poll(&ended, 1, deadline_ms);
    ::close(handle);
    if (ready != 1) throw std::runtime_error("the program does not end");
  }

  /// Feeds it, takes what it says, and waits for its end.
  Result finish(std::string_view input = {}, int silence_ms = deadline_ms) {
    Result result;
    std::signal(SIGPIPE, SIG_IGN);
    ::fcntl(in_, F_SETFL, O_NONBLOCK);
    if (input.empty()) close(in_);
    while (out_ >= 0 || err_ >= 0) {
      pollfd ends[] = {{in_, POLLOUT, 0}, {out_, POLLIN, 0}, {err_, POLLIN, 0}};
      if (::poll(ends, 3, silence_ms) == 0)
        throw std::runtime_error("the program does not end; it said: " + result.err);
      if (ends[0].revents != 0) feed(input);
      if (ends[1].revents != 0) take(out_, result.out);
      if (ends[2].revents != 0) take(err_, result.err);
    }
    int status = 0;
    ::waitpid(pid_, &status, 0);
    pid_ = -1;
    if (WIFEXITED(status)) result.code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) result.signal = WTERMSIG(status);
    return result;
  }

  /// The next line of its standard output, or of its standard error.
  std::string line() { return line(out_); }
  std::string error_line() { return line(err_); }

private:
  static constexpr int deadline_ms = 60'000;

  std::string line(int end) {
    std::string text;
    for (char c = 0; c != '\n'; text += c) {
      pollfd ready{end, POLLIN, 0};
      if (::poll(&ready, 1, deadline_ms) <= 0) throw std::runtime_error("the program says nothing");
      if (::read(end, &c, 1) != 1) {
        std::string why;
        while (err_ >= 0) take(err_, why);
        throw std::runtime_error("the program ended: " + why);
      }
    }
    return text;
  }

  static void close(int &end) {
    if (end >= 0) ::close(end);
    end = -1;
  }
  void feed(std::string_view &input) {
    const ssize_t written = ::write(in_, input.data(), input.size());
    if (written > 0) input.remove_prefix(static_cast<std::size_t>(written));
    if (written < 0 && errno == EAGAIN) return;
    if (written < 0 || input.empty()) close(in_);
  }
  static void take(int &end, std::string &into) {
    char room[65536];
    const ssize_t got = ::read(end, room, sizeof room);
    if (got > 0)
      into.append(room, static_cast<std::size_t>(got));
    else
      close(end);
  }

  [[noreturn]] static void become(const Strings &command, const Setting &setting, int in, int out, int err) {
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(err, 2);
    // Nothing that stands in the tester's own home or environment takes part, and nothing is put there: this home
    // cannot be made, and journals lie in the folder that the program starts in.
    std::map<std::string, std::string> variables{
        {"PATH", std::getenv("PATH")}, {"HOME", "/dev/null/home"}, {"LC_ALL", "C.UTF-8"}};
    if (!setting.folder.empty()) variables["XDG_STATE_HOME"] = setting.folder + "/.state";
    for (const char *kept : {"ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "XDG_CACHE_HOME"})
      if (const char *value = std::getenv(kept)) variables[kept] = value;
    for (const auto &[name, value] : setting.variables) variables[name] = value;
    Strings texts;
    for (const auto &[name, value] : variables) texts.push_back(name + "=" + value);
    std::vector<char *> arguments, environment;
    for (const std::string &each : command) arguments.push_back(const_cast<char *>(each.c_str()));
    for (const std::string &each : texts) environment.push_back(const_cast<char *>(each.c_str()));
    arguments.push_back(nullptr);
    environment.push_back(nullptr);
    if (setting.folder.empty() || ::chdir(setting.folder.c_str()) == 0)
      ::execvpe(arguments[0], arguments.data(), environment.data());
    ::_exit(127);
  }

  pid_t pid_ = -1;
  int in_ = -1, out_ = -1, err_ = -1;
};

/// Runs a command to its end.
inline Result run_command(const Strings &command, const Setting &setting = {}) {
  return Process(command, setting).finish(setting.input, setting.silence_ms);
}

/// Runs the program to its end.
inline Result omnistore(Strings arguments, const Setting &setting = {}) {
  arguments.insert(arguments.begin(), program());
  return run_command(arguments, setting);
}

/// A config in a folder of its own: files at the root, memory under "mem", files that take no writes under "fixed"
/// (not so in its profile "writable"). The listeners take free ports.
class Place {
public:
  Place() {
    std::filesystem::create_directories(folder.path() / "root");
    std::filesystem::create_directories(folder.path() / "fixed");
    write_file(config(), R"({
      "mounts": {
        "": { "driver": "fs", "options": { "base": ")" +
                             (folder / "root") + R"(" } },
        "mem": { "driver": "memory", "ttl": "1h" },
        "fixed": { "driver": "fs", "options": { "base": ")" +
                             (folder / "fixed") + R"(", "readOnly": true } },
      },
      "server": { "http": { "listen": "127.0.0.1:0" } },
      "admin": { "listen": "127.0.0.1:0" },
      "profiles": { "writable": { "mounts": { "fixed": null } } },
    })");
  }
  std::string config() const { return folder / "omnistore.jsonc"; }

  Folder folder;
};

/// The program as a host of a config.
class Host {
public:
  explicit Host(const std::string &config, const Setting &setting = {}, const Strings &more = {})
      : process_(command(config, more), setting) {
    const boost::json::value said = boost::json::parse(process_.line());
    url = said.at("http").as_string();
    admin = said.at("admin").as_string();
  }
  Process &process() { return process_; }
  /// Sends SIGTERM, and waits until it has stopped.
  Result stop(int signal = SIGTERM) {
    ::kill(process_.pid(), signal);
    return process_.finish();
  }

  std::string url, admin;

private:
  static Strings command(const std::string &config, const Strings &more) {
    Strings all{program(), "-c", config, "--json", "serve"};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Process process_;
};

inline bool says(const std::string &text, const std::string &part) { return text.find(part) != std::string::npos; }

inline Strings lines(const std::string &text) {
  Strings result;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) result.push_back(line);
  return result;
}

/// The same commands on a config's stores, opened by the program, and on a host of that config.
class Front {
public:
  explicit Front(bool remote, const std::string &profile = {})
      : profile_{{"OMNISTORE_PROFILE", profile}},
        host_(remote ? std::make_unique<Host>(place.config(), Setting{.variables = profile_}) : nullptr) {}

  Result operator()(Strings arguments, Setting setting = {}) const {
    setting.variables.insert(profile_.begin(), profile_.end());
    const Strings where =
        host_ ? Strings{"--url", host_->url, "--admin-url", host_->admin} : Strings{"-c", place.config()};
    arguments.insert(arguments.begin(), where.begin(), where.end());
    return omnistore(arguments, setting);
  }

  Place place;

private:
  std::map<std::string, std::string> profile_;
  std::unique_ptr<Host> host_;
};

} // namespace test
