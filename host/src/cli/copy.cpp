// SPDX-License-Identifier: Apache-2.0
#include "jobs/copy.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/job_ends.hpp"
#include "cli/job_run.hpp"

namespace omnistore::cli {
namespace {

int run_copy(const Global &global, const Job &job, const char *verb) {
  const auto start = std::chrono::steady_clock::now();
  Interrupt interrupt;
  JobEnd target = job.to;
  if (!job.to_is_named) target.base = job.from.base;
  const JobEnds ends(global, job.from, &target);
  const jobs::Endpoint from = ends.from(), to = ends.to();
  jobs::CopyOptions options = copy_options(job, verb);
  bool at_work = false;
  try {
    if (options.journal.empty() && !options.dry_run)
      options.journal = jobs::Journal::default_file(jobs::Copy::identity(from, to, options));
    Progress *shows = nullptr;
    jobs::Copy copy(from, to, std::move(options), [&](const Error &problem) { shows->problem(problem); });
    at_work = !job.dry_run;
    std::optional<Total> total;
    if (job.count) total.emplace(from);
    Progress progress(
        global, verb, [&] { return copy.counts(); }, total ? &*total : nullptr);
    shows = &progress;
    const bool done = run_job(interrupt, copy);
    progress.end();
    JobEnding ending;
    ending.verb = verb;
    ending.done = done;
    ending.dry_run = job.dry_run;
    ending.can_resume = !job.dry_run;
    ending.resumed = copy.resumed();
    ending.failure = copy.failure();
    ending.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return summarise(global, ending, copy.counts());
  } catch (const Error &error) {
    rethrow_job(error, at_work);
  }
}

} // namespace

int run(const Global &global, const CopyKeys &options) { return run_copy(global, options, "copy"); }

int run(const Global &global, const MigrateKeys &options) {
  Job job = options;
  job.to_is_named = true;
  return run_copy(global, job, "migrate");
}

} // namespace omnistore::cli
