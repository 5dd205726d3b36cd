// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "jobs/copy.hpp"
#include "jobs/dump_lines.hpp"
#include "jobs/shared_keys.hpp"

namespace omnistore::jobs {

/// The journal of a restore. It records the lines of the dump in each batch before they are written, and the end of
/// each batch. A run that resumes reads the dump from its start, for the checksums, and skips the lines that are done.
class RestoreLog {
public:
  /// Takes and throws the same as Journal.
  RestoreLog(const std::string &file, const boost::json::object &identity, Journal::Start start);

  bool resumed() const { return journal_.found() > 0; }
  const Counts &counts() const { return counts_; } ///< the counts of the earlier runs
  bool is_done(std::uint64_t line) const { return within(done_, line); }
  bool was_started(std::uint64_t line) const { return within(started_, line); }

  /// Records the start of a batch of consecutive lines, and returns its number. [any thread]
  std::uint64_t begin(std::uint64_t first, std::uint64_t last);
  void done(std::uint64_t batch, const Counts &counts, const std::vector<std::uint64_t> &failed);
  void finish() { journal_.finish(); }

private:
  using Ranges = std::map<std::uint64_t, std::uint64_t>; ///< first line to last line
  static bool within(const Ranges &ranges, std::uint64_t line);
  void read(boost::json::object &record);

  Ranges done_, started_;
  std::map<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>>
      batches_; ///< started and not done, while the journal is read
  Counts counts_{};
  std::uint64_t next_batch_ = 1;
  std::mutex mutex_;
  Journal journal_;
};

/// Writes the entries of a dump under a base. An object runs once.
///
/// It writes no entry whose checksum is wrong. It reports the problems of the dump and restores everything else;
/// failure() then says that something is missing. The options are those of a copy, without `move`.
class Restore {
public:
  /// Throws the same as Copy.
  Restore(DumpReader &dump, const Endpoint &to, CopyOptions options, OnProblem problem = {});

  /// Returns the properties by which a journal recognises its job.
  static boost::json::object identity(const DumpReader &dump, const Endpoint &to, const CopyOptions &options);

  bool run();
  void stop() { stop_ = true; } ///< [any thread]
  Counts counts() const { return counters_.counts(); }
  bool resumed() const { return log_ && log_->resumed(); }
  Status failure() const { return problems_.first(); }

private:
  struct Batch {
    std::vector<Item> items;
    std::vector<std::uint64_t> lines; ///< the line of each item
    std::uint64_t bytes = 0;
  };
  struct BatchResult;

  template <typename Submit>
  void read(const Submit &submit);
  bool make_item(DumpReader::Line &line, Item &item);
  void restore_long(DumpReader::Line &line);
  void send_long(Item &item);
  void work(Batch &batch);
  void record(BatchResult &result, const Item &item, std::uint64_t line);

  DumpReader &dump_;
  const Endpoint to_;
  std::optional<RestoreProbes> probes_; ///< a dump that is still written looks for them
  const CopyOptions options_;
  ProblemReporter problems_;
  Mapping mapping_;
  Writer writer_;
  std::optional<RestoreLog> log_;
  std::vector<std::string> own_; ///< keys whose value is the dump's file or the journal's
  Rate bytes_, keys_;
  std::atomic<bool> stop_{false};
  Counters counters_;
};

} // namespace omnistore::jobs
