// SPDX-License-Identifier: Apache-2.0
#include "jobs/restore.hpp"

#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/input.hpp"
#include "cli/job_ends.hpp"
#include "cli/job_run.hpp"
#include "cli/output.hpp"

namespace omnistore::cli {
namespace {

/// Returns true if standard input is a pipe. A dump at its other end finds the lock, and waits until this process has
/// read its first lines.
bool lock_pipe() {
  struct stat status;
  return ::fstat(STDIN_FILENO, &status) == 0 && S_ISFIFO(status.st_mode) &&
         ::flock(STDIN_FILENO, LOCK_EX | LOCK_NB) == 0;
}

int run_restore(const Global &global, const RestoreKeys &options, Interrupt &interrupt, bool &at_work) {
  const auto start = std::chrono::steady_clock::now();
  const bool from_input = options.file.empty() || options.file == "-";
  if (from_input && is_terminal(STDIN_FILENO))
    throw Failure(Status::invalid, "restore: there is no dump", "name its file, or give it through a pipe");
  const bool from_pipe = from_input && lock_pipe();
  Input input(from_input ? "-" : options.file);
  jobs::DumpReader reader(input, from_input ? "from standard input" : options.file);
  JobEnd target = options.to;
  if (!options.to_is_named) target.base = reader.base();
  const JobEnds ends(global, target, nullptr);
  const jobs::Endpoint to = ends.from();
  jobs::CopyOptions how = copy_options(options, "restore");
  if (!from_input) how.dump_file = options.file;
  how.from_pipe = from_pipe;
  if (how.journal.empty() && !how.dry_run)
    how.journal = jobs::Journal::default_file(jobs::Restore::identity(reader, to, how));
  Progress *shows = nullptr;
  jobs::Restore restore(reader, to, std::move(how), [&](const Error &problem) { shows->problem(problem); });
  at_work = !options.dry_run;
  JobEnding ending;
  {
    Progress progress(
        global, "restore", [&] { return restore.counts(); }, nullptr);
    shows = &progress;
    ending.done = run_job(interrupt, restore);
  }
  ending.verb = "restore";
  ending.dry_run = options.dry_run;
  ending.can_resume = !options.dry_run;
  ending.resumed = restore.resumed();
  ending.failure = restore.failure();
  ending.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return summarise(global, ending, restore.counts());
}

} // namespace

int run(const Global &global, const RestoreKeys &options) {
  Interrupt interrupt;
  bool at_work = false;
  try {
    return run_restore(global, options, interrupt, at_work);
  } catch (const Stopped &) { // before it knew what it is to restore
    JobEnding ending;
    ending.verb = "restore";
    ending.done = ending.can_resume = false;
    ending.dry_run = options.dry_run;
    return summarise(global, ending, {});
  } catch (const Error &error) {
    rethrow_job(error, at_work);
  }
}

} // namespace omnistore::cli
