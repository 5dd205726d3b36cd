// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "jobs/counters.hpp"
#include "jobs/endpoint.hpp"
#include "jobs/mapping.hpp"
#include "jobs/rate.hpp"
#include "jobs/values.hpp"

namespace omnistore::jobs {

struct VerifyOptions {
  unsigned workers = 4;
  bool meta = false; ///< compare expiry and the user's meta too
  Rewrite rewrite;
  std::uint64_t bytes_a_second = 0, keys_a_second = 0; ///< 0 for no limit
};

/// One difference between two bases.
struct Difference {
  enum class Kind {
    missing,   ///< at the target
    extra,     ///< at the target, and not at the source
    different, ///< another value
    meta,      ///< the same value with another expiry or meta of the user's
    unreadable ///< one of the two cannot be read, so that they cannot be compared
  };
  Kind kind;
  std::string from, to; ///< the keys; empty if there is none
  std::string message;  ///< why it is unreadable, as a whole message
};
std::string_view difference_name(Difference::Kind kind);

/// Compares the keys under two bases, their values, and their meta. It reads both sides once, in batches, and long
/// values in pieces. With a rewrite it keeps eight bytes in memory for each key, without one nothing.
///
/// It may report writes of others during the run as differences. An object runs once.
class Verify {
public:
  /// `found` is called by one thread at a time and must not throw. Throws Error(invalid) as Mapping does.
  Verify(const Endpoint &from, const Endpoint &to, VerifyOptions options,
         std::function<void(const Difference &)> found);

  /// Returns false if it was stopped. Throws the Error that ended it early, such as a store that cannot be reached. A
  /// value that cannot be read does not end it.
  bool run();
  void stop() { stop_ = true; } ///< [any thread]
  /// Counts listed, same, failed (the differences) and bytes (that were compared). [any thread]
  Counts counts() const { return counters_.counts(); }
  /// Returns the status of the first part that a listing left out, or ok. Call it after run().
  Status failure() const { return failure_; }

private:
  struct Batch {
    bool backwards = false; ///< keys of the target, to look up at the source
    std::vector<std::string> keys;
  };
  template <typename Submit>
  void list(const Endpoint &end, bool backwards, const Submit &submit);
  void work(Batch &batch);
  void compare_extra(const std::vector<std::string> &keys);
  void compare(const std::string &from, const std::string &to, StoredValue &one, StoredValue &other);
  bool same_bytes(const std::string &from, const std::string &to, StoredValue &one, StoredValue &other);
  void unreadable(const Error &error, const std::string &from, const std::string &to);
  void report(Difference::Kind kind, const std::string &from, const std::string &to, const std::string &message = {});

  const Endpoint from_, to_;
  const VerifyOptions options_;
  const std::function<void(const Difference &)> found_;
  Mapping mapping_;
  Rate bytes_, keys_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> both_{0}; ///< the number of keys that are on both sides
  std::atomic<Status> failure_{Status::ok};
  std::unordered_set<std::string> skipped_; ///< the parts that listings left out, to report each once
  Counters counters_;
  std::mutex mutex_;
  std::unordered_set<std::size_t> targets_; ///< with a rewrite: the hashes of the keys that the target should have
};

} // namespace omnistore::jobs
