// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "jobs/copy_log.hpp"
#include "jobs/endpoint.hpp"
#include "jobs/mapping.hpp"
#include "jobs/problem_reporter.hpp"
#include "jobs/rate.hpp"
#include "jobs/writer.hpp"

namespace omnistore::jobs {

struct CopyOptions {
  std::string verb = "copy"; ///< for messages
  unsigned workers = 4;
  OnConflict on_conflict = OnConflict::fail;
  Rewrite rewrite;
  bool move = false;                                   ///< remove each source key after its copy was read back
  bool verify = false;                                 ///< read copies back; `move` always does
  bool dry_run = false;                                ///< write nothing, and keep no journal
  std::uint64_t bytes_a_second = 0, keys_a_second = 0; ///< 0 for no limit
  std::string journal;                                 ///< its file; empty for no journal
  Journal::Start start = Journal::Start::fresh;
  std::string dump_file;  ///< for a restore: the file that it reads, which no entry may replace
  bool from_pipe = false; ///< for a restore: it reads a pipe, which the dump knows (DumpFile::await_restore())
};

/// Copies or moves every key under a base, with its meta and its expiry. An object runs once.
///
/// A key that another writer sets or removes meanwhile may be copied or not. A move removes a key only if it still has
/// the value that was copied. If the source gives etags, it removes under if-match. Otherwise it compares the value
/// just before the removal, so that a write in between is lost. Each worker holds the short values of one batch and one
/// piece of a long value in memory.
class Copy {
public:
  /// Throws the Error of the journal, or Error(invalid) if the job is impossible. The storages must outlive it.
  Copy(const Endpoint &from, const Endpoint &to, CopyOptions options, OnProblem problem = {});

  /// Returns false if it was stopped and can be resumed. Throws the Error that ended the job early; the journal stays.
  bool run();
  /// Finishes the batches in progress and starts no more. [any thread, and signal handlers]
  void stop() { stop_ = true; }

  /// Returns the counts, which include those of the runs that this one resumed. [any thread]
  Counts counts() const { return counters_.counts(); }
  /// Returns true if it resumed an earlier run.
  bool resumed() const { return log_ && log_->resumed(); }
  /// Returns the status of the first key that failed, or ok.
  Status failure() const { return problems_.first(); }

  /// Returns the properties by which a journal recognises its job.
  static boost::json::object identity(const Endpoint &from, const Endpoint &to, const CopyOptions &options);

private:
  struct Batch {
    std::uint64_t page = 0, number = 0; ///< number: 0 unless an earlier run had started it
    std::vector<std::string> keys;
  };
  struct Work; // a batch in progress

  template <typename Submit>
  void list(const Submit &submit);
  void work(Batch &batch);
  void prepare(Work &work);
  void send(Work &work);
  void send_long(Item &item);
  void check(Work &work);
  bool remove_source(Item &item);
  bool is_separate(Item &item);
  bool unchanged(const Item &item);
  bool copy_again(Item &item);
  void record(Work &work, const Item &item, bool quietly = false);

  const Endpoint from_, to_;
  const CopyOptions options_;
  ProblemReporter problems_;
  Mapping mapping_;
  Writer writer_;
  std::optional<CopyLog> log_;
  std::vector<std::string> own_; ///< keys whose value is the journal's file
  std::atomic<bool> stop_{false};
  std::atomic<bool> etags_{true}; ///< false once the source has refused if-match
  Rate bytes_, keys_;
  Counters counters_;
};

} // namespace omnistore::jobs
