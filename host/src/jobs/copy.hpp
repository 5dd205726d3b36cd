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
#include "jobs/rate.hpp"
#include "jobs/writer.hpp"

namespace omnistore::jobs {

struct CopyOptions {
  std::string verb = "copy"; ///< for messages
  unsigned workers = 4;
  OnConflict on_conflict = OnConflict::fail;
  Rewrite rewrite;
  bool move = false;                                   ///< a source key is removed after its copy was read back
  bool verify = false;                                 ///< copies are read back; `move` does so always
  bool dry_run = false;                                ///< nothing is written, and there is no journal
  std::uint64_t bytes_a_second = 0, keys_a_second = 0; ///< 0: no limit
  std::string journal;                                 ///< its file; empty: there is none
  Journal::Start start = Journal::Start::fresh;
  std::string dump_file; ///< of a restore: the file that it reads, which no entry may replace; empty: it is none
};

/// What is told of single keys while a job runs. Called by one thread at a time, which waits meanwhile; must not throw.
using OnProblem = std::function<void(const Error &problem)>;

/// Copies or moves every key under a base, with its meta and its expiry. One run, once.
///
/// Keys that others set or remove meanwhile are copied or not. A move removes a key only as it was copied: where the
/// source gives etags, under if-match; else it is compared once more just before, which leaves the moment in between.
/// Memory is bounded: by workers, times the short values of a batch, and pieces of long ones.
class Copy {
public:
  /// Throws Error: of the journal, or (invalid) where the job cannot be. The storages must outlive it.
  Copy(const Endpoint &from, const Endpoint &to, CopyOptions options, OnProblem problem = {});

  /// False: it was stopped, and can be gone on with. Throws what ended it before it was done; the journal stays then.
  bool run();
  /// The batches that are under way are finished, no more are begun. [any thread, also in a signal's]
  void stop() { stop_ = true; }

  /// Also of the runs that this one goes on with. [any thread]
  Counts counts() const { return tally_.counts(); }
  /// Whether it went on with an earlier run.
  bool went_on() const { return log_ && log_->goes_on(); }
  /// The kind of the first failure of a single key; ok: there was none.
  Status failure() const { return failure_; }

  /// What a journal says of which job it is.
  static boost::json::object identity(const Endpoint &from, const Endpoint &to, const CopyOptions &options);

private:
  struct Batch {
    std::uint64_t page = 0, number = 0; ///< number: of one that was begun already; 0: it was not
    std::vector<std::string> keys;
  };
  struct Work; // a batch, while it is worked on

  template <typename Put>
  void list(const Put &put);
  void work(Batch &batch);
  void prepare(Work &work);
  void send(Work &work);
  void send_long(Item &item);
  void check(Work &work);
  bool take_away(Item &item);
  bool stands_apart(Item &item);
  bool unchanged(const Item &item);
  bool copy_again(Item &item);
  void settle(Work &work, const Item &item, bool quietly = false);
  void tell(const Error &problem);

  const Endpoint from_, to_;
  const CopyOptions options_;
  const OnProblem problem_;
  Mapping mapping_;
  Writer writer_;
  std::optional<CopyLog> log_;
  std::vector<std::string> own_; ///< keys that are the journal's file
  std::atomic<bool> stop_{false};
  std::atomic<bool> etags_{true}; ///< the source removes under if-match, as far as is known
  Rate bytes_, keys_;
  Tally tally_;
  std::mutex telling_;
  std::atomic<Status> failure_{Status::ok};
};

} // namespace omnistore::jobs
