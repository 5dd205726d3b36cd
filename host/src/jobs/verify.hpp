// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "jobs/endpoint.hpp"
#include "jobs/mapping.hpp"
#include "jobs/rate.hpp"
#include "jobs/tally.hpp"
#include "jobs/values.hpp"

namespace omnistore::jobs {

struct VerifyOptions {
  unsigned workers = 4;
  bool meta = false; ///< expiry and the user's meta have to be the same too
  Rewrite rewrite;
  std::uint64_t bytes_a_second = 0, keys_a_second = 0; ///< 0: no limit
};

/// One way in which two bases are not the same.
struct Difference {
  enum class Kind {
    missing,   ///< at the target
    extra,     ///< at the target, and not at the source
    different, ///< another value
    meta,      ///< the same value with another expiry or meta of the user's
    unreadable ///< one of the two cannot be read, so that nothing is known
  };
  Kind kind;
  std::string from, to; ///< the keys; empty: there is none
  std::string message;  ///< of what is unreadable: why, whole
};
std::string_view difference_name(Difference::Kind kind);

/// Compares what is under two bases: which keys there are, their values, and their meta. Both sides are read once, in
/// batches, the long values in pieces. With a rewrite it remembers eight bytes a key, and without one nothing.
///
/// What others write meanwhile may be told as a difference. One run, once.
class Verify {
public:
  /// `found` is called by one thread at a time; must not throw. Throws Error(invalid) as Mapping.
  Verify(const Endpoint &from, const Endpoint &to, VerifyOptions options,
         std::function<void(const Difference &)> found);

  /// False: it was stopped. Throws what ended it before it was done: a value that cannot be read does not, but a store
  /// that cannot be reached does.
  bool run();
  void stop() { stop_ = true; } ///< [any thread]
  /// listed, same (as it should be), failed (a difference), bytes (compared). [any thread]
  Counts counts() const { return tally_.counts(); }
  /// The kind of the first failure of a listing to show a part of a base; ok: both were listed as a whole. After run().
  Status failure() const { return failure_; }

private:
  struct Batch {
    bool backwards = false; ///< keys of the target, for which the source is looked at
    std::vector<std::string> keys;
  };
  template <typename Put>
  void list(const Endpoint &end, bool backwards, const Put &put);
  void work(Batch &batch);
  void look_back(const std::vector<std::string> &keys);
  void compare(const std::string &from, const std::string &to, Taken &one, Taken &other);
  bool same_bytes(const std::string &from, const std::string &to, Taken &one, Taken &other);
  void unreadable(const Error &error, const std::string &from, const std::string &to);
  void tell(Difference::Kind kind, const std::string &from, const std::string &to, const std::string &message = {});

  const Endpoint from_, to_;
  const VerifyOptions options_;
  const std::function<void(const Difference &)> found_;
  Mapping mapping_;
  Rate bytes_, keys_;
  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> both_{0}; ///< keys that are on both sides
  std::atomic<Status> failure_{Status::ok};
  std::unordered_set<std::string> skipped_; ///< what listings went on without: each is told once
  Tally tally_;
  std::mutex mutex_;
  std::unordered_set<std::size_t> targets_; ///< with a rewrite: hashes of the keys that the target should have
};

} // namespace omnistore::jobs
