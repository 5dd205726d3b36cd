// SPDX-License-Identifier: Apache-2.0
#include "jobs/dump.hpp"

#include <cerrno>

#include <poll.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/key_text.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/job_ends.hpp"
#include "cli/job_run.hpp"
#include "cli/output.hpp"
#include "jobs/shared_keys.hpp"

namespace omnistore::cli {
namespace {

class DumpToOutput : public jobs::DumpFile {
public:
  void write(std::string_view bytes) override { write_all(results(), bytes, "to standard output"); }
  bool is_pipe() const override {
    struct stat status;
    return ::fstat(results(), &status) == 0 && S_ISFIFO(status.st_mode);
  }
  /// A restore holds a lock of the pipe from its start to its end. If no restore shows up, the reader may be one that
  /// waits for this program to end.
  bool await_restore(const std::atomic<bool> &stop) override {
    const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    for (int unread = 1; !stop;) {
      if (::ioctl(results(), FIONREAD, &unread) != 0) return false;
      if (unread == 0) return is_locked();
      pollfd nobody_reads{results(), 0, 0};
      if (::poll(&nobody_reads, 1, 1) > 0) return false;
      if (std::chrono::steady_clock::now() > until && !is_locked()) return false;
    }
    return false;
  }

private:
  static bool is_locked() {
    if (::flock(results(), LOCK_EX | LOCK_NB) != 0) return errno == EWOULDBLOCK;
    ::flock(results(), LOCK_UN);
    return false;
  }
};

/// A dump that lies in what it dumps would have itself as a value.
void leave_out(const Global &global, const jobs::Endpoint &from, const std::string &file, jobs::DumpOptions &how) {
  for (const std::string &own : {file, file + ".part"})
    for (const std::string &key : jobs::keys_of_file(from, own)) {
      how.left_out.insert(key);
      if (!global.quiet) complain("omnistore: left out " + base::key_text(key) + ", which is the file of this dump");
    }
}

int run_dump(const Global &global, const DumpKeys &options, const jobs::Endpoint &from, Interrupt &interrupt) {
  const auto start = std::chrono::steady_clock::now();
  const bool to_output = options.file.empty() || options.file == "-";
  if (to_output && options.resume)
    throw Failure(Status::invalid, "dump: a dump to standard output cannot be resumed",
                  "write it to a file with -o FILE");
  if (to_output && !options.dry_run && is_terminal(results()) && !global.json)
    throw Failure(Status::invalid, "dump: standard output is a terminal",
                  "write it to a file with -o FILE, or to a pipe");
  jobs::DumpOptions how;
  how.workers = options.workers;
  how.dry_run = options.dry_run;
  how.bytes_a_second = options.bytes_a_second;
  how.keys_a_second = options.keys_a_second;
  DumpToOutput output;
  std::optional<jobs::DumpPart> part;
  if (!to_output && !options.dry_run) part.emplace(options.file, from.shown(), start_of(options));
  if (!to_output) leave_out(global, from, options.file, how);
  Progress *shows = nullptr;
  jobs::Dump dump(from, how, part ? static_cast<jobs::DumpFile &>(*part) : output, part ? &*part : nullptr,
                  [&](const Error &problem) { shows->problem(problem); });
  std::optional<Total> total;
  if (options.count) total.emplace(from);
  JobEnding ending;
  {
    Progress progress(
        global, "dump", [&] { return dump.counts(); }, total ? &*total : nullptr);
    shows = &progress;
    ending.done = run_job(interrupt, dump);
  }
  ending.failure = dump.failure();
  if (ending.done && part) part->keep();
  ending.verb = "dump";
  ending.dry_run = options.dry_run;
  ending.can_resume = part.has_value() && !ending.done;
  ending.resumed = part && part->resumed();
  ending.to_error = to_output && !options.dry_run;
  ending.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return summarise(global, ending, dump.counts());
}

} // namespace

int run(const Global &global, const DumpKeys &options) {
  Interrupt interrupt;
  const JobEnds ends(global, options.from, nullptr);
  try {
    return run_dump(global, options, ends.from(), interrupt);
  } catch (const Error &error) {
    rethrow_job(error, !options.file.empty() && options.file != "-" && !options.dry_run);
  }
}

} // namespace omnistore::cli
