// SPDX-License-Identifier: Apache-2.0
#include "jobs/verify.hpp"

#include "base/key_text.hpp"
#include "cli/commands.hpp"
#include "cli/failure.hpp"
#include "cli/job_ends.hpp"
#include "cli/job_run.hpp"
#include "cli/output.hpp"
#include "cli/time_limit.hpp"

namespace omnistore::cli {
namespace {

void print_difference(Output &out, const Global &global, bool null, const jobs::Difference &difference) {
  const std::string_view kind = jobs::difference_name(difference.kind);
  if (null) {
    print_null(out, difference.to);
  } else if (global.json) {
    boost::json::object line{{"difference", kind}, {"from", nullptr}, {"to", difference.to}};
    if (!difference.from.empty()) line["from"] = difference.from;
    if (!difference.message.empty()) line["message"] = difference.message;
    out.json(line);
  } else {
    out.line(std::string(kind) + std::string(11 - kind.size(), ' ') + base::key_text(difference.to));
  }
  out.flush();
  if (!difference.message.empty() && !global.json) complain(difference.message);
}

int summarise_verify(const Global &global, bool null, bool done, double seconds, const jobs::Counts &counts,
                     Status failure) {
  const std::uint64_t differences = of(counts, jobs::KeyOutcome::failed);
  if (global.json && !null) {
    Output out;
    out.json(boost::json::object{{"job", "verify"},
                                 {"done", done},
                                 {"interrupted", !done},
                                 {"seconds", seconds},
                                 {"keys", of(counts, jobs::KeyOutcome::listed)},
                                 {"bytes", of(counts, jobs::KeyOutcome::bytes)},
                                 {"differences", differences}});
    out.flush();
  } else if (!global.quiet) {
    complain(std::string("verify") + (done ? ": " : ", interrupted: ") +
             std::to_string(of(counts, jobs::KeyOutcome::listed)) + " keys (" +
             size_text(of(counts, jobs::KeyOutcome::bytes)) + "), " +
             (differences == 0 ? "all the same" : std::to_string(differences) + " differences"));
  }
  if (done && failure != Status::ok) return exit_code(failure);
  return !done ? stopped_code() : differences == 0 ? 0 : 1;
}

} // namespace

int run(const Global &global, const VerifyKeys &options) {
  const auto start = std::chrono::steady_clock::now();
  Interrupt interrupt;
  JobEnd target = options.to;
  if (!options.to_is_named) target.base = options.from.base;
  const JobEnds ends(global, options.from, &target);
  jobs::VerifyOptions how;
  how.workers = options.workers;
  how.meta = options.meta;
  how.rewrite = jobs::Rewrite(options.rewrite);
  how.bytes_a_second = options.bytes_a_second;
  how.keys_a_second = options.keys_a_second;
  Output out;
  // What cannot be printed ends the job, on this thread.
  std::exception_ptr unprinted;
  jobs::Verify *job = nullptr;
  jobs::Verify verify(ends.from(), ends.to(), std::move(how), [&](const jobs::Difference &difference) {
    try {
      if (!unprinted) print_difference(out, global, options.null, difference);
    } catch (...) {
      unprinted = std::current_exception();
      job->stop();
    }
  });
  job = &verify;
  std::optional<Total> total;
  if (options.count) total.emplace(ends.from());
  Progress progress(
      global, "verify", [&] { return verify.counts(); }, total ? &*total : nullptr);
  bool done = run_job(interrupt, verify);
  progress.end();
  try {
    if (unprinted) std::rethrow_exception(unprinted);
  } catch (const Stopped &) {
    done = false;
  }
  return summarise_verify(global, options.null, done,
                          std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
                          verify.counts(), verify.failure());
}

} // namespace omnistore::cli
