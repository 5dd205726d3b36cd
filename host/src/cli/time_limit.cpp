// SPDX-License-Identifier: Apache-2.0
#include "cli/time_limit.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <mutex>
#include <thread>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/in_flight.hpp"
#include "cli/failure.hpp"
#include "cli/job_run.hpp"
#include "cli/output.hpp"
#include "cli/stop_signals.hpp"

namespace omnistore::cli {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds command_grace{100}; // for an operation that ends by itself when its time is up
constexpr milliseconds job_grace{1000};    // for a job that ends as on Ctrl-C
constexpr milliseconds reader_grace{200};  // for a command that is done, and whose reader needed no more

std::atomic<Clock::rep> deadline{0}; ///< of the command; 0: none

/// Texts of which those that are in use now matter.
class Texts {
public:
  void add(const std::string *text) {
    const std::lock_guard lock(mutex_);
    all_.push_back(text);
  }
  void remove(const std::string *text) {
    const std::lock_guard lock(mutex_);
    all_.erase(std::find(all_.begin(), all_.end(), text));
  }
  bool empty() {
    const std::lock_guard lock(mutex_);
    return all_.empty();
  }
  std::vector<std::string> copy() {
    const std::lock_guard lock(mutex_);
    std::vector<std::string> texts;
    for (const std::string *text : all_) texts.push_back(*text);
    return texts;
  }

private:
  std::mutex mutex_;
  std::vector<const std::string *> all_;
};

Texts &hosts() {
  static auto *const texts = new Texts; // threads may outlive static objects
  return *texts;
}
Texts &files() {
  static auto *const texts = new Texts;
  return *texts;
}

/// Returns what the program waits for: calls of drivers, a host, or neither.
std::string what_hangs() {
  std::vector<std::string> all;
  for (const std::string &host : hosts().copy()) all.push_back("the host " + host + " has not responded");
  const bool waits_for_host = !all.empty(); // then the calls are those of the driver that waits for it
  base::for_each_call([&](const base::SeenCall &call) {
    if (call.depth != 0 || call.waits || waits_for_host) return;
    const std::string of = call.label->driver[0] == '\0' ? std::string(call.label->file)
                           : call.label->mount[0] == '\0'
                               ? "driver " + std::string(call.label->driver)
                               : "mount " + std::string(call.label->mount) + ", driver " + call.label->driver;
    all.push_back(std::string(call.operation) + " (" + of + ") has not returned");
  });
  if (all.empty()) return "it waits for its input or output";
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  constexpr std::size_t most = 3;
  std::string text;
  for (std::size_t i = 0; i < std::min(all.size(), most); ++i) text += (i == 0 ? "" : "; ") + all[i];
  return all.size() > most ? text + "; ..." : text;
}

bool is_pipe(int descriptor) {
  struct stat status;
  return ::fstat(descriptor, &status) == 0 && (S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode));
}

} // namespace

class TimeLimit::State {
public:
  State(const Global &global, Command command)
      : global_(global), command_(std::move(command)), ended_(::eventfd(0, EFD_CLOEXEC)),
        results_(command_.only_results && is_pipe(results()) ? results() : -1) {
    const bool is_limited = global.timeout.count() > 0;
    if (is_limited) {
      at_ = Clock::now() + global.timeout;
      deadline.store(at_.time_since_epoch().count());
    }
    if (!is_limited && results_ < 0) return;
    // Signals are for the other threads: a job waits for them.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { run(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  ~State() {
    ::eventfd_write(ended_, 1);
    if (thread_.joinable()) thread_.join();
    ::close(ended_);
    deadline.store(0);
  }
  State(const State &) = delete;
  State &operator=(const State &) = delete;

private:
  enum class Woken { ended, late, unread };

  Woken wait(Clock::time_point until, int output) const {
    std::array<pollfd, 2> ends{{{ended_, POLLIN, 0}, {output, 0, 0}}};
    for (;;) {
      const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
      const bool waits_for_ever = until == Clock::time_point::max();
      const int came = ::poll(ends.data(), ends.size(),
                              waits_for_ever ? -1 : static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000'000)));
      if (came < 0 && errno == EINTR) continue;
      if (ends[0].revents != 0) return Woken::ended;
      if (ends[1].revents != 0) return Woken::unread;
      if (!waits_for_ever && Clock::now() >= until) return Woken::late;
    }
  }

  void run() {
    const Woken woken = wait(at_, results_);
    if (woken == Woken::ended) return;
    if (woken == Woken::unread) {
      if (wait(Clock::now() + reader_grace, -1) != Woken::ended) ::_exit(closed_pipe_code);
      return;
    }
    const bool is_job = stops_by_signal();
    std::string message =
        command_.name + ": not done after " + duration_text(global_.timeout.count()) + ": " + what_hangs();
    if (command_.writes) message += "; it may still take place";
    const Error late(Status::timeout, message);
    if (is_job) {
      report(global_, late);
      ::kill(::getpid(), SIGINT);
    }
    if (wait(Clock::now() + (is_job ? job_grace : command_grace), -1) == Woken::ended) return;
    for (const std::string &file : files().copy()) ::unlink(file.c_str());
    ::_exit(is_job ? exit_code(late.status()) : report(global_, late));
  }

  const Global &global_;
  const Command command_;
  const int ended_;
  const int results_; ///< -1: it does not matter whether they are read
  Clock::time_point at_ = Clock::time_point::max();
  std::thread thread_;
};

TimeLimit::TimeLimit(const Global &global, Command command)
    : state_(std::make_unique<State>(global, std::move(command))) {}
TimeLimit::~TimeLimit() = default;

int stopped_code() { return time_is_up() ? exit_code(Status::timeout) : interrupted_code; }

bool time_is_up() {
  const Clock::rep at = deadline.load();
  return at != 0 && Clock::now().time_since_epoch().count() >= at;
}

milliseconds time_left() {
  const Clock::rep at = deadline.load();
  if (at == 0 || !hosts().empty()) return milliseconds(0);
  const auto left = Clock::time_point(Clock::duration(at)) - Clock::now();
  return std::max(std::chrono::ceil<milliseconds>(left), milliseconds(1));
}

WaitsForHost::WaitsForHost(const std::string &address) : address_(&address) { hosts().add(address_); }
WaitsForHost::~WaitsForHost() { hosts().remove(address_); }
UnfinishedFile::UnfinishedFile(const std::string &path) : path_(&path) { files().add(path_); }
UnfinishedFile::~UnfinishedFile() { files().remove(path_); }

} // namespace omnistore::cli
