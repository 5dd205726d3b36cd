// SPDX-License-Identifier: Apache-2.0
// The common parts of the commands of long work: Ctrl-C, progress on a terminal, problems of single keys, the summary.
#pragma once

#include <atomic>
#include <chrono>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include <boost/json/object.hpp>

#include "base/periodic.hpp"
#include "cli/options.hpp"
#include "cli/stop_signals.hpp"
#include "jobs/copy.hpp"
#include "jobs/counters.hpp"
#include "jobs/endpoint.hpp"
#include "jobs/journal.hpp"

namespace omnistore::cli {

constexpr int interrupted_code = 130;

/// Ctrl-C and SIGTERM while a job runs: the first stops the job, a second ends the program at once. To be made before
/// any thread starts.
class Interrupt {
public:
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt &) = delete;
  Interrupt &operator=(const Interrupt &) = delete;

  /// Sets what the first one does; if it has come already, that happens at once. forget() forgets it.
  void on_stop(std::function<void()> stop);
  void forget() { on_stop({}); }

private:
  int end_, stopped_;
  std::mutex mutex_;
  std::function<void()> stop_;
  bool came_ = false;
  std::thread thread_;
};

/// Counts the keys under a base, on a thread of its own.
class Total {
public:
  explicit Total(const jobs::Endpoint &from);
  ~Total();
  Total(const Total &) = delete;
  Total &operator=(const Total &) = delete;
  /// Keys; nothing: not known yet.
  std::optional<std::uint64_t> keys() const;

private:
  std::atomic<bool> stop_{false};
  std::atomic<std::int64_t> keys_{-1};
  std::thread thread_;
};

/// One line on a terminal that says how far a job is, at most five times a second.
class Progress {
public:
  using Counts = std::function<jobs::Counts()>;

  Progress(const Global &global, std::string verb, Counts counts, const Total *total);
  ~Progress();
  Progress(const Progress &) = delete;
  Progress &operator=(const Progress &) = delete;

  /// Reports a problem of a single key on standard error, as text or as one JSON object, up to a hundred.
  void problem(const Error &error);
  /// The line goes, and does not come again.
  void end();

private:
  std::string text() const;

  const Global &global_;
  const std::string verb_;
  const Counts counts_;
  const Total *total_;
  const jobs::Counts before_; ///< what earlier runs had done
  const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::mutex mutex_; ///< of the terminal's line and of problems_
  std::uint64_t problems_ = 0;
  base::Periodic line_; ///< shows the line, if the terminal has one; the last member, since its thread uses the others
};

/// Runs a job that Ctrl-C stops, even while it waits for a pipe. Returns false if it was stopped.
template <typename Runs>
bool run_job(Interrupt &interrupt, Runs &job) {
  interrupt.on_stop([&job] { job.stop(); });
  try {
    const bool done = job.run();
    interrupt.forget();
    return done;
  } catch (const Stopped &) {
    interrupt.forget();
    return false;
  } catch (...) {
    interrupt.forget();
    throw;
  }
}

jobs::Journal::Start start_of(const Job &job);
jobs::CopyOptions copy_options(const Job &job, const char *verb);

/// How a job ended.
struct JobEnding {
  std::string verb;
  bool done = true; ///< false: it was interrupted
  bool dry_run = false;
  bool resumed = false;
  bool can_resume = true;
  bool to_error = false; ///< standard output has something else
  double seconds = 0;
  Status failure = Status::ok; ///< of the first key that failed
  std::string from, to;        ///< for people
};

/// Prints the summary, for people or as one JSON object; the exit code.
int summarise(const Global &global, const JobEnding &ending, const jobs::Counts &counts);

/// Throws on what ended a job before it was done, with the next step.
[[noreturn]] void rethrow_job(const Error &error, bool has_journal);

} // namespace omnistore::cli
