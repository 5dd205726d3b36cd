// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "jobs/counters.hpp"
#include "jobs/journal.hpp"

namespace omnistore::jobs {

/// The journal of a copy, from which a later run resumes.
///
/// The copy lists the source in pages, and divides each page into batches. It records
///   - each page before its batches, with the cursors at its start and its end;
///   - the keys of each batch, before the first of them is written;
///   - the end of each batch, with the outcomes of its keys.
/// A run that resumes first finishes the batches that were in progress. It then lists from the first page that was not
/// complete, and leaves out the keys of that page that were done.
class CopyLog {
public:
  /// The work that is left.
  struct Remaining {
    std::string cursor;                            ///< where the listing resumes
    bool listed = false;                           ///< the listing was complete
    std::unordered_set<std::string> known;         ///< keys that the listing will give again and that are done
    std::vector<std::vector<std::string>> batches; ///< in progress or failed; their numbers are 1, 2, ...
    Counts counts{};                               ///< of the work that was done
  };

  /// Takes and throws the same as Journal.
  CopyLog(const std::string &file, const boost::json::object &identity, Journal::Start start);

  const Remaining &remaining() const { return remaining_; }
  /// Returns true if it resumes an earlier run.
  bool resumed() const { return journal_.found() > 0; }
  const std::string &file() const { return journal_.file(); }

  // [any thread]
  /// Records a listed page; `next` is empty at the listing's end.
  void page(std::uint64_t number, const std::string &cursor, const std::string &next, std::size_t batches);
  /// Records the start of a batch, and returns its number.
  std::uint64_t begin(std::uint64_t page, const std::vector<std::string> &keys);
  /// Records the end of a batch. A run that resumes tries the failed keys again.
  void done(std::uint64_t batch, const Counts &counts, const std::vector<std::string> &failed);
  /// Removes the journal, after everything was done and nothing failed.
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

  Remaining remaining_;
  Journal journal_;
  std::mutex mutex_;
  std::uint64_t next_batch_ = 1;
};

} // namespace omnistore::jobs
