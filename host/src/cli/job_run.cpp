// SPDX-License-Identifier: Apache-2.0
#include "cli/job_run.hpp"

#include <cmath>

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/printable.hpp"
#include "cli/failure.hpp"
#include "cli/output.hpp"
#include "cli/stop_signals.hpp"
#include "cli/time_limit.hpp"
#include "config/names.hpp"

namespace omnistore::cli {
namespace {

std::uint64_t handled(const jobs::Counts &counts) { return of(counts, jobs::KeyOutcome::listed); }

std::string time_left(double seconds) {
  if (!(seconds < 1e6)) return "";
  const long whole = std::lround(std::ceil(seconds));
  char text[40];
  if (whole >= 3600)
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld", whole / 3600, whole / 60 % 60, whole % 60);
  else
    std::snprintf(text, sizeof text, "%ld:%02ld", whole / 60, whole % 60);
  return text;
}

} // namespace

// ---------------------------------------------------------------------------------------------------------- interrupt

Interrupt::Interrupt() : end_(::eventfd(0, EFD_CLOEXEC)), stopped_(::eventfd(0, EFD_CLOEXEC)) {
  hold_stop_signals();
  set_stop_descriptor(stopped_);
  thread_ = std::thread([this] {
    if (wait_for_stop(end_) == 0) return;
    let_signals_end();
    {
      const std::lock_guard lock(mutex_);
      came_ = true;
      if (stop_) stop_();
    }
    ::eventfd_write(stopped_, 1); // for threads that wait for a pipe
    wait_for_stop(end_);          // this thread is the one that a second signal reaches
  });
}

Interrupt::~Interrupt() {
  const std::uint64_t one = 1;
  if (::write(end_, &one, sizeof one) == sizeof one) thread_.join();
  set_stop_descriptor(-1);
  ::close(stopped_);
  ::close(end_);
}

void Interrupt::on_stop(std::function<void()> stop) {
  const std::lock_guard lock(mutex_);
  stop_ = std::move(stop);
  if (came_ && stop_) stop_();
}

// -------------------------------------------------------------------------------------------------------------- total

Total::Total(const jobs::Endpoint &from) {
  thread_ = std::thread([this, from] {
    try {
      std::int64_t keys = 0;
      ListOptions how;
      do {
        Page page = from.storage->list(from.base, how);
        keys += static_cast<std::int64_t>(page.items.size());
        how.cursor = std::move(page.cursor);
      } while (!how.cursor.empty() && !stop_);
      if (!stop_) keys_ = keys;
    } catch (const Error &) {
      // The job itself will report the error of the source.
    }
  });
}

Total::~Total() {
  stop_ = true;
  thread_.join();
}

std::optional<std::uint64_t> Total::keys() const {
  const std::int64_t keys = keys_;
  return keys < 0 ? std::nullopt : std::optional(static_cast<std::uint64_t>(keys));
}

// ----------------------------------------------------------------------------------------------------------- progress

Progress::Progress(const Global &global, std::string verb, Counts counts, const Total *total)
    : global_(global), verb_(std::move(verb)), counts_(std::move(counts)), total_(total), before_(counts_()) {
  if (!is_terminal(STDERR_FILENO) || global.quiet) return;
  line_.start(std::chrono::milliseconds(200), [this] {
    const std::lock_guard lock(mutex_);
    show_progress(text());
  });
}

Progress::~Progress() { end(); }

void Progress::end() {
  if (!line_.runs()) return;
  line_.end();
  show_progress("");
}

std::string Progress::text() const {
  const jobs::Counts now = counts_();
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  const std::uint64_t done = handled(now), bytes = of(now, jobs::KeyOutcome::bytes);
  const double keys_a_second = static_cast<double>(done - handled(before_)) / seconds;
  std::string text = verb_ + "  " + std::to_string(done);
  const std::optional<std::uint64_t> total = total_ ? total_->keys() : std::nullopt;
  if (total) text += "/" + std::to_string(*total);
  text += " keys, " + size_text(bytes) + "  " + std::to_string(std::lround(keys_a_second)) + " keys/s, " +
          size_text(
              static_cast<std::uint64_t>(static_cast<double>(bytes - of(before_, jobs::KeyOutcome::bytes)) / seconds)) +
          "/s";
  if (!total || *total == 0) return text;
  const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(*total));
  text += "  " + std::to_string(static_cast<int>(100 * part)) + "%";
  const std::string left = time_left(static_cast<double>(*total - std::min(*total, done)) / keys_a_second);
  return left.empty() ? text : text + "  " + left + " left";
}

void Progress::problem(const Error &error) {
  constexpr std::uint64_t most = 100;
  const std::lock_guard lock(mutex_);
  if (++problems_ > most) return;
  const std::string message = base::printable_lines(config::without_passwords(error.what()));
  if (line_.runs())
    complain("\r\033[K" + message);
  else if (global_.json)
    complain_json(boost::json::object{
        {"problem", {{"status", status_name(error.status())}, {"message", config::without_passwords(error.what())}}}});
  else
    complain("omnistore: " + message);
  if (problems_ == most) complain(global_.json ? "{\"problem\":null}" : "omnistore: and more, which are counted only");
}

// ------------------------------------------------------------------------------------------------------------ options

jobs::Journal::Start start_of(const Job &job) {
  using Start = jobs::Journal::Start;
  return job.resume ? Start::resume : job.restart ? Start::restart : Start::fresh;
}

jobs::CopyOptions copy_options(const Job &job, const char *verb) {
  jobs::CopyOptions options;
  options.verb = verb;
  options.workers = job.workers;
  options.on_conflict = job.on_conflict;
  options.rewrite = jobs::Rewrite(job.rewrite);
  options.move = job.move;
  options.verify = job.verify;
  options.dry_run = job.dry_run;
  options.bytes_a_second = job.bytes_a_second;
  options.keys_a_second = job.keys_a_second;
  options.start = start_of(job);
  options.journal = job.journal;
  return options;
}

// ------------------------------------------------------------------------------------------------------------ summary

int summarise(const Global &global, const JobEnding &ending, const jobs::Counts &counts) {
  using jobs::KeyOutcome;
  const auto code = [&] {
    if (!ending.done) return stopped_code();
    if (ending.failure != Status::ok) return exit_code(ending.failure);
    return of(counts, KeyOutcome::conflict) > 0 ? exit_code(Status::conflict) : 0;
  };
  if (global.json) {
    boost::json::object result{{"job", ending.verb},          {"done", ending.done && ending.failure == Status::ok},
                               {"interrupted", !ending.done}, {"dryRun", ending.dry_run},
                               {"resumed", ending.resumed},   {"seconds", ending.seconds}};
    for (std::size_t i = 0; i < counts.size(); ++i) result[jobs::outcome_name(static_cast<KeyOutcome>(i))] = counts[i];
    if (ending.to_error) {
      complain_json(result);
    } else {
      Output out;
      out.json(result);
      out.flush();
    }
    return code();
  }
  if (global.quiet) return code();
  std::string text = ending.verb +
                     (ending.dry_run ? ", nothing was written"
                      : ending.done  ? ""
                                     : ", interrupted") +
                     ": " + std::to_string(of(counts, KeyOutcome::listed)) + " keys";
  const auto say = [&](KeyOutcome outcome, const char *words) {
    if (of(counts, outcome) > 0) text += ", " + std::to_string(of(counts, outcome)) + " " + words;
  };
  text += ", " + std::to_string(of(counts, KeyOutcome::copied)) + (ending.dry_run ? " to be written (" : " written (") +
          size_text(of(counts, KeyOutcome::bytes)) + ")";
  say(KeyOutcome::same, "there already");
  say(KeyOutcome::skipped, "kept with another value");
  say(KeyOutcome::conflict, "in conflict");
  say(KeyOutcome::expired, "expired");
  say(KeyOutcome::gone, "gone meanwhile");
  say(KeyOutcome::removed, "removed at the source");
  say(KeyOutcome::failed, "failed");
  char seconds[40];
  std::snprintf(seconds, sizeof seconds, "; %.1f s", ending.seconds);
  complain(text + seconds);
  if (!ending.done)
    complain(ending.can_resume ? "  the same command with --resume continues, with --restart it begins anew"
                               : "  the same command begins anew");
  else if (ending.failure != Status::ok && ending.can_resume)
    complain("  the same command with --resume tries those that failed again");
  return code();
}

void rethrow_job(const Error &error, bool has_journal) {
  if (dynamic_cast<const Failure *>(&error) || dynamic_cast<const ConfigError *>(&error)) throw;
  if (dynamic_cast<const jobs::Unfinished *>(&error))
    throw Failure(error.status(), error.what(), "continue it with --resume, or forget it with --restart");
  if (!has_journal) throw;
  if (error.status() == Status::conflict)
    throw Failure(error.status(), error.what(),
                  "continue with --resume and --on-conflict skip or overwrite; --dry-run shows all conflicts");
  throw Failure(error.status(), error.what(), "once that is mended, the same command with --resume continues");
}

} // namespace omnistore::cli
