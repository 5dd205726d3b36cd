// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "jobs/journal.hpp"
#include "jobs/tally.hpp"

namespace omnistore::jobs {

/// What a copy writes into its journal, and what it reads out of it when it goes on.
///
/// The listing of the source is cut into pages, and these into batches. Written down are: each page, before its
/// batches, with the cursors at its begin and its end; each batch's keys, before the first of them is written; each
/// batch's end, with what became of its keys. So a run that goes on lists from the first page that was not done as a
/// whole, leaves out what was done of it, and begins with the batches that were under way.
class CopyLog {
public:
  /// What is left to do.
  struct Left {
    std::string cursor;                            ///< where the listing goes on
    bool listed = false;                           ///< it was at its end
    std::unordered_set<std::string> known;         ///< keys that this listing meets and that are no work any more
    std::vector<std::vector<std::string>> batches; ///< under way, or failed; their numbers are 1, 2, ...
    Counts counts{};                               ///< of what was done
  };

  /// As Journal.
  CopyLog(const std::string &file, const boost::json::object &identity, Journal::Start start);

  const Left &left() const { return left_; }
  /// Whether an earlier run is gone on with.
  bool goes_on() const { return journal_.found() > 0; }
  const std::string &file() const { return journal_.file(); }

  // [any thread]
  /// A page was listed; `next` is empty at the listing's end.
  void page(std::uint64_t number, const std::string &cursor, const std::string &next, std::size_t batches);
  /// A batch of a page begins; its number.
  std::uint64_t begin(std::uint64_t page, const std::vector<std::string> &keys);
  /// Keys that failed are tried again by a run that goes on.
  void done(std::uint64_t batch, const Counts &counts, const std::vector<std::string> &failed);
  /// All is done, and nothing failed.
  void finish() { journal_.finish(); }

private:
  struct Page {
    std::string cursor, next;
    std::uint64_t left = 0; ///< batches that are not done
    std::vector<std::string> done;
  };
  struct Batch {
    std::uint64_t page = 0;
    std::vector<std::string> keys;
  };
  struct Past;

  void read(boost::json::object &record);
  void sum_up();

  // While the journal is read.
  std::map<std::uint64_t, Page> pages_;
  std::map<std::uint64_t, Batch> batches_;

  Left left_;
  Journal journal_;
  std::mutex mutex_;
  std::uint64_t next_batch_ = 1;
};

} // namespace omnistore::jobs
