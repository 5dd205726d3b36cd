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

namespace omnistore::jobs {

/// What a restore writes into its journal: which lines of the dump a batch has, before it is written, and that it is
/// done. A run that goes on reads the dump from its begin, for its checksums, and passes over lines that are done.
class RestoreLog {
public:
  /// As Journal.
  RestoreLog(const std::string &file, const boost::json::object &identity, Journal::Start start);

  bool goes_on() const { return journal_.found() > 0; }
  const Counts &counts() const { return counts_; } ///< of the earlier runs
  bool is_done(std::uint64_t line) const { return within(done_, line); }
  bool was_under_way(std::uint64_t line) const { return within(under_way_, line); }

  /// The batch's number. Its lines are given in order. [any thread]
  std::uint64_t begin(std::uint64_t first, std::uint64_t last);
  void done(std::uint64_t batch, const Counts &counts, const std::vector<std::uint64_t> &failed);
  void finish() { journal_.finish(); }

private:
  using Ranges = std::map<std::uint64_t, std::uint64_t>; ///< first line -> last
  static bool within(const Ranges &ranges, std::uint64_t line);
  void read(boost::json::object &record);

  Ranges done_, under_way_;
  std::map<std::uint64_t, std::pair<std::uint64_t, std::uint64_t>> batches_; ///< not done, while the journal is read
  Counts counts_{};
  std::uint64_t next_batch_ = 1;
  std::mutex mutex_;
  Journal journal_;
};

/// Writes the entries of a dump under a base. One run, once.
///
/// Nothing is written of an entry whose checksum is wrong. What is wrong with the dump is told, the rest is restored,
/// and failure() says that it was not all. Options as of a copy; `move` is none of them.
class Restore {
public:
  /// Throws as Copy.
  Restore(DumpReader &dump, const Endpoint &to, CopyOptions options, OnProblem problem = {});

  /// What a journal says of which job it is.
  static boost::json::object identity(const DumpReader &dump, const Endpoint &to, const CopyOptions &options);

  bool run();
  void stop() { stop_ = true; } ///< [any thread]
  Counts counts() const { return tally_.counts(); }
  bool went_on() const { return log_ && log_->goes_on(); }
  Status failure() const { return failure_; }

private:
  struct Batch {
    std::vector<Item> items;
    std::vector<std::uint64_t> lines; ///< of each item
    std::uint64_t bytes = 0;
  };
  struct Settled;

  template <typename Put>
  void read(const Put &put);
  bool take_line(DumpReader::Line &line, Item &item);
  void take_long(DumpReader::Line &line);
  void send_long(Item &item);
  void work(Batch &batch);
  void settle(Settled &settled, const Item &item, std::uint64_t line);
  void problem(Status status, const std::string &message);

  DumpReader &dump_;
  const Endpoint to_;
  const CopyOptions options_;
  const OnProblem problem_;
  Mapping mapping_;
  Writer writer_;
  std::optional<RestoreLog> log_;
  std::vector<std::string> own_; ///< keys that are the dump's file, or the journal's
  Rate bytes_, keys_;
  std::atomic<bool> stop_{false};
  Tally tally_;
  std::mutex telling_;
  std::atomic<Status> failure_{Status::ok};
};

} // namespace omnistore::jobs
