// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "jobs/counters.hpp"
#include "jobs/dump_lines.hpp"
#include "jobs/endpoint.hpp"
#include "jobs/journal.hpp"
#include "jobs/problem_reporter.hpp"
#include "jobs/rate.hpp"
#include "jobs/shared_keys.hpp"

namespace omnistore::jobs {

struct DumpOptions {
  unsigned workers = 4;
  bool dry_run = false;                                ///< count the keys, and write nothing
  std::uint64_t bytes_a_second = 0, keys_a_second = 0; ///< 0 for no limit
  std::unordered_set<std::string> left_out{};          ///< whole keys to leave out: those of the dump's own files
};

/// The output of a dump.
class DumpFile {
public:
  virtual ~DumpFile() = default;
  virtual void write(std::string_view bytes) = 0;
  /// Returns true if a restore may read what is written while it is written.
  virtual bool is_pipe() const { return false; }
  /// Returns true as soon as a restore has read everything that was written, and false if no restore reads it, or
  /// `stop` is true.
  virtual bool await_restore(const std::atomic<bool> &stop) { return static_cast<void>(stop), false; }
};

/// A dump in a file. Until it is complete it is named FILE.part, so that an interrupted dump can be resumed. The file
/// is locked meanwhile.
class DumpPart final : public DumpFile {
public:
  /// Throws Unfinished if there is one and `start` is fresh, Error(conflict) if another run writes it, and
  /// Error(corrupt) if it is to be resumed and is not a dump, or not one of this base.
  DumpPart(const std::string &file, std::string_view base, Journal::Start start);
  ~DumpPart() override;
  void write(std::string_view bytes) override;
  /// Gives the complete dump its name.
  void keep();

  // The part that an earlier run wrote.
  bool resumed() const { return sum.lines > 0; }
  DumpSum sum;
  std::string cursor;                    ///< the place at which the listing resumes
  std::unordered_set<std::string> known; ///< keys after the cursor that are written, without the base

private:
  void read(std::string_view base);

  const std::string file_, part_;
  int descriptor_ = -1;
};

/// Writes every key under a base, with its meta and its expiry, to a dump (FORMAT.md). An object runs once.
class Dump {
public:
  /// `part` may be null. Otherwise it is the part that an earlier run wrote, after which `out` writes. `problem` is
  /// called for each key whose value cannot be read, on any thread, one at a time; the dump leaves out that key.
  Dump(const Endpoint &from, DumpOptions options, DumpFile &out, const DumpPart *part = nullptr,
       OnProblem problem = {});

  /// Returns false if it was stopped, so that the dump is not complete. Throws the Error that ended it.
  bool run();
  void stop() { stop_ = true; } ///< [any thread]
  Counts counts() const { return counters_.counts(); }
  /// Returns the status of the first key that failed, or ok. Call it after run().
  Status failure() const { return problems_.first(); }

private:
  struct Batch {
    std::uint64_t page;
    std::vector<std::string> keys;
  };
  template <typename Submit>
  void list(const Submit &submit);
  void greet_restore();
  [[noreturn]] void refuse_restore(const SharedKeys &shared);
  void work(Batch &batch);
  void write_long(const std::string &key, const StoredValue &known);
  void failed(const Outcome &outcome);
  void done(std::uint64_t page);

  const Endpoint from_;
  const DumpOptions options_;
  const DumpPart *part_;
  DumpFile &out_;
  DumpWriter writer_;
  std::string probe_; ///< the last segment of the keys that a restore of this dump writes to be recognised
  Rate bytes_, keys_;
  std::atomic<bool> stop_{false};
  Counters counters_;
  struct PageState {
    std::size_t left;
    std::string next;
  };
  ProblemReporter problems_;
  std::mutex mutex_;
  std::map<std::uint64_t, PageState> pages_; ///< pages that are not completely written
};

} // namespace omnistore::jobs
