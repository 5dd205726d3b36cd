// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <omnistore/storage.hpp>

#include "jobs/tally.hpp"
#include "jobs/values.hpp"

namespace omnistore::jobs {

/// What happens where the target has another value under a key.
enum class OnConflict {
  fail,      ///< the job stops
  skip,      ///< it is kept
  overwrite, ///< it is replaced
};

/// Failures that every further key would have too: the job stops.
bool stops(Status status);

/// A value on its way, and what became of it.
struct Item {
  std::string from; ///< its key at the source, for messages
  std::string key;  ///< its key at the target
  Taken taken;
  bool ours = false;     ///< a run that was cut off may have written it: where its meta is missing, it is added
  bool replaces = false; ///< whatever stands there
  std::string digest;    ///< of a long value, once it is known

  bool twin = false; ///< the target had it already, with the etag that the source has

  Fate fate = Fate::failed;
  Outcome failure; ///< where it failed

  void fail(Status status, std::string message);
};

/// With the ttl that is left of its expiry.
SetOptions how_to_set(const Item &item, Condition::Kind kind);

/// Puts values and what goes along into a target, where nothing else stands. A value that was there before is seen at
/// the moment of the write, by the condition if-absent, so that no other writer's value is lost; a target that keeps no
/// conditions (as one behind the http driver) is looked at just before. [any thread]
class Writer {
public:
  /// `strict`: a value that is there counts as the same only where its meta is the same too, as it must before a source
  /// goes away. `verb` is for messages.
  Writer(std::string verb, Storage &target, OnConflict on_conflict, bool strict)
      : verb_(std::move(verb)), target_(target), on_conflict_(on_conflict), strict_(strict) {}

  /// Writes values that are held; each item's fate is copied, same, skipped, expired or failed. Throws Error(conflict)
  /// where one is in conflict and that is to stop the job, and what stops() otherwise; some were written then.
  void write(std::span<Item> items);
  /// The same for one that is long, which is read from `source` under item.from, in pieces where both sides can.
  /// `passing` is called with the size of each piece.
  void write_long(const Storage &source, Item &item, const std::function<void(std::size_t)> &passing);
  /// For a long value that is read only once: whether it is to be sent, whatever it is. Where it is not, its digest is
  /// to be found out and meet_long() called.
  bool sends(const Item &item);
  /// Sends it from a source whose size is not known. A key that another writer sets meanwhile is a failure.
  void send(Source &source, Item &item);
  /// What becomes of one whose digest is known; look: of a dry run.
  void meet_long(Item &item);
  void look_long(Item &item);
  /// Reads those that are copied or the same back from the target. One that is not as it should be has failed.
  void check(std::span<Item> items);
  /// Writes a value once more that the target has already. After it what the target has is its own, and no link.
  void renew(const Storage &source, Item &item, const std::function<void(std::size_t)> &passing);
  /// What write() would do, without doing it; fate may be conflict.
  void look(std::span<Item> items);
  /// The same for one that is long.
  void look_long(const Storage &source, Item &item);

private:
  using Items = std::vector<Item *>;

  Items set(const Items &items, Condition::Kind kind);
  void set_known(const Item &item);
  void meet(const Items &items, int tries);
  bool same_value(const Item &item, Taken &there);
  bool find_long(const Item &item, Taken &there);
  bool settle(Item &item, const Taken &there, bool same_bytes) const;
  void settle_look(Item &item, const Taken &there, bool same_bytes) const;
  void check_one(Item &item, Taken &there);
  bool stream(const Storage &source, Item &item, Condition::Kind kind, const std::function<void(std::size_t)> &passing);
  void failed(Item &item, const Outcome &outcome) const;
  [[noreturn]] void conflict(const Item &item) const;

  const std::string verb_;
  Storage &target_;
  const OnConflict on_conflict_;
  const bool strict_;
  std::atomic<bool> conditional_{true}; ///< the target keeps if-absent, as far as is known
  std::atomic<bool> look_first_{false}; ///< most keys were there already
};

} // namespace omnistore::jobs
