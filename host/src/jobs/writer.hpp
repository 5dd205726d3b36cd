// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <omnistore/storage.hpp>

#include "jobs/counters.hpp"
#include "jobs/values.hpp"

namespace omnistore::jobs {

/// What to do if the target has another value under a key.
enum class OnConflict {
  fail,      ///< stop the job
  skip,      ///< keep it
  overwrite, ///< replace it
};

/// Returns true for a failure that every further key would have too, so that the job ends.
bool ends_job(Status status);

/// One value of a job, and its outcome.
struct Item {
  std::string from; ///< its key at the source, for messages
  std::string key;  ///< its key at the target
  StoredValue value;
  bool maybe_ours = false; ///< an interrupted run may have written it; if its meta is missing, it is added
  bool replaces = false;   ///< replaces any value at the target
  std::string digest;      ///< of a long value, after it was read

  bool same_etag = false; ///< the target had it already, with the same etag as the source

  KeyOutcome outcome = KeyOutcome::failed;
  Outcome failure; ///< if the outcome is failed

  void fail(Status status, std::string message);
};

/// Returns the problem of an item whose key has another value at the target.
Error conflict_error(const std::string &verb, const Item &item);

/// Returns the options of the set, with the ttl that is left.
SetOptions set_options(const Item &item, Condition::Kind kind);

/// Writes values with their meta to a target, unless it has other values. The condition if-absent detects an existing
/// value at the moment of the write, so that no other writer's value is lost. If the target has no conditions (such as
/// one through the http driver), the writer reads the key just before the write. [any thread]
class Writer {
public:
  /// With `strict`, an existing value is the same only if its meta is the same too, as it must be before the source is
  /// removed. `verb` is for messages.
  Writer(std::string verb, Storage &target, OnConflict on_conflict, bool strict)
      : verb_(std::move(verb)), target_(target), on_conflict_(on_conflict), strict_(strict) {}

  /// Writes loaded values. Each item's outcome is then copied, same, skipped, expired or failed. Throws Error(conflict)
  /// if a conflict stops the job, and any failure that ends_job(); some items may have been written then.
  void write(std::span<Item> items);
  /// The same for a long value, which it reads from `source` under item.from, in pieces if both sides can. It calls
  /// `passing` with the size of each piece.
  void write_long(const Storage &source, Item &item, const std::function<void(std::size_t)> &passing);
  /// For a long value that can be read only once: returns true if it must be sent without knowing its digest. If not,
  /// compute the digest and call resolve_long().
  bool must_send(const Item &item);
  /// Sends it from a source of unknown size. If another writer sets the key meanwhile, that is a failure.
  void send_stream(Source &source, Item &item);
  /// Decide the outcome of a long value whose digest is known; preview_long() does so for a dry run.
  void resolve_long(Item &item);
  void preview_long(Item &item);
  /// Reads the items that are copied or the same back from the target. An item that differs has failed.
  void check(std::span<Item> items);
  /// Writes a value again that the target has already, so that the target has a copy of its own and not a link.
  void rewrite(const Storage &source, Item &item, const std::function<void(std::size_t)> &passing);
  /// Finds the outcome that write() would have, without writing. It may be conflict.
  void preview(std::span<Item> items);
  /// The same for a long value.
  void preview_long(const Storage &source, Item &item);

private:
  using Items = std::vector<Item *>;

  Items set(const Items &items, Condition::Kind kind);
  void set_meta(const Item &item);
  void resolve_existing(const Items &items, int tries);
  bool same_value(const Item &item, StoredValue &there);
  bool has_long(const Item &item, StoredValue &there);
  bool resolve(Item &item, const StoredValue &there, bool same_bytes) const;
  void resolve_preview(Item &item, const StoredValue &there, bool same_bytes) const;
  void check_one(Item &item, StoredValue &there);
  bool stream(const Storage &source, Item &item, Condition::Kind kind, const std::function<void(std::size_t)> &passing);
  void failed(Item &item, const Outcome &outcome) const;

  const std::string verb_;
  Storage &target_;
  const OnConflict on_conflict_;
  const bool strict_;
  std::atomic<bool> conditional_{true};  ///< false once the target has refused if-absent
  std::atomic<bool> check_first_{false}; ///< most keys of the last batch existed already
};

} // namespace omnistore::jobs
