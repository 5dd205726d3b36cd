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

#include "jobs/dump_lines.hpp"
#include "jobs/endpoint.hpp"
#include "jobs/journal.hpp"
#include "jobs/rate.hpp"
#include "jobs/tally.hpp"

namespace omnistore::jobs {

struct DumpOptions {
  unsigned workers = 4;
  bool dry_run = false;                                ///< the keys are counted, and nothing is written
  std::uint64_t bytes_a_second = 0, keys_a_second = 0; ///< 0: no limit
  std::unordered_set<std::string> left_out{};          ///< whole keys: those of the dump's own files
};

/// Where a dump is written to.
class DumpFile {
public:
  virtual ~DumpFile() = default;
  virtual void write(std::string_view bytes) = 0;
};

/// A dump in a file, which has its name once it is whole. Until then it is FILE.part, from which a dump that was cut
/// off goes on; it is locked meanwhile.
class DumpPart final : public DumpFile {
public:
  /// Throws Unfinished where there is one already and `start` is fresh, Error(conflict) where another run is at it,
  /// Error(corrupt) where one that is to be gone on with is no dump of this base.
  DumpPart(const std::string &file, std::string_view base, Journal::Start start);
  ~DumpPart() override;
  void write(std::string_view bytes) override;
  /// It is whole: gives it its name.
  void keep();

  // What an earlier run wrote.
  bool goes_on() const { return sum.lines > 0; }
  DumpSum sum;
  std::string cursor;                    ///< where the listing goes on
  std::unordered_set<std::string> known; ///< keys behind it that are written, without the base

private:
  void read(std::string_view base);

  const std::string file_, part_;
  int descriptor_ = -1;
};

/// Writes every key under a base, with its meta and its expiry, into a dump (FORMAT.md). One run, once.
class Dump {
public:
  /// `part`, where there is one, is what an earlier run of this dump wrote, and whose lines `out` goes on with.
  /// `problem` is called with each key whose value cannot be read, on any thread, one at a time; the dump goes on
  /// without that key.
  Dump(const Endpoint &from, DumpOptions options, DumpFile &out, const DumpPart *part = nullptr,
       std::function<void(const Error &)> problem = {});

  /// False: it was stopped; the dump is not whole then. Throws what ended it.
  bool run();
  void stop() { stop_ = true; } ///< [any thread]
  Counts counts() const { return tally_.counts(); }
  /// The kind of the first failure of a single key; ok: there was none. After run().
  Status failure() const { return failure_; }

private:
  struct Batch {
    std::uint64_t page;
    std::vector<std::string> keys;
  };
  template <typename Put>
  void list(const Put &put);
  void work(Batch &batch);
  void write_long(const std::string &key, const Taken &known);
  void failed(const Outcome &outcome);
  void done(std::uint64_t page);

  const Endpoint from_;
  const DumpOptions options_;
  const DumpPart *part_;
  DumpWriter writer_;
  Rate bytes_, keys_;
  std::atomic<bool> stop_{false};
  Tally tally_;
  struct PageState {
    std::size_t left;
    std::string next;
  };
  const std::function<void(const Error &)> problem_;
  std::atomic<Status> failure_{Status::ok};
  std::mutex mutex_;
  std::map<std::uint64_t, PageState> pages_; ///< that are not written as a whole
};

} // namespace omnistore::jobs
