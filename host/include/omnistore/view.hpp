// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <omnistore/operations.hpp>
#include <omnistore/ranges.hpp>

namespace omnistore {

class KeySpace;

/// The keys under one base of a Storage, as if there were no others: the base is put before every key and base that
/// comes in, and taken off every key that goes out, of listings, events and messages too. A Storage is the view with
/// the empty base, of all its keys.
///
///     omnistore::View users = storage.prefixed("app:users");
///     users.set("1", "Ada");  // sets app:users:1
///     users.keys().all();     // {"1"}
///
/// The key of the base's own name (`app:users`) is not among them. A key with the base before it may be 4096 bytes
/// long.
///
/// Keys are normalised as unstorage does: '/' and '\\' become ':', runs of ':' collapse, leading and trailing ':' and
/// everything after a '?' are dropped. A key is Error(invalid) if it is empty then, longer than 4096 bytes, not UTF-8,
/// or has a segment '.' or '..'. A key that is too long for its store, or with the mount's prefix, is Error(too_large).
/// A base is a key or empty; it stands for every key that begins with it and a ':'.
///
/// A key `k$` is the user's own meta of the value under `k`, as in unstorage: get, has, meta, set, remove and the
/// batches read and write it. It ends with the value: when that is replaced, removed, expires or is evicted. There is
/// none without a value: a set of `k$` is then Error(not_found). An empty text removes it. It has no ttl
/// (Error(invalid)) and no etag, and takes no condition (Error(unsupported)).
///
/// A miss is a value (nullopt, false), not an exception. A failure is an Error.
///
/// A view is a light handle: a copy costs the copy of its base, and closes or opens nothing. It owns no part of the
/// Storage, which must outlive it; it stays good when the Storage is moved.
///
/// Thread-safe: any member may be called on any thread at the same time.
class View {
public:
  std::optional<std::string> get(std::string_view key, const GetOptions &options = {}) const;
  /// The same into a string whose room is used again. Returns false on a miss.
  bool get(std::string_view key, std::string &into, const GetOptions &options = {}) const;
  std::optional<Entry> entry(std::string_view key, const GetOptions &options = {}) const;
  /// The same into a Reader. Returns false on a miss: the reader was not called.
  bool read(std::string_view key, Reader &reader, const GetOptions &options = {}) const;

  bool has(std::string_view key, const CallOptions &options = {}) const;
  /// Returns size, times, etag and the user's own meta; nullopt if there is no such key.
  std::optional<Meta> meta(std::string_view key, const MetaOptions &options = {}) const;

  /// Stores a value. The result has an etag if `want_etag` is set and the driver gives etags.
  Stored set(std::string_view key, std::string_view value, const SetOptions &options = {}, bool want_etag = false);
  /// The same from a Source, `size` bytes of it; UINT64_MAX: as many as come. Fewer or more are Error(invalid). The old
  /// value stands until the last byte has come, and if anything fails. If the store takes no streams (see
  /// Route::streams), the value is gathered in memory first, up to what the store takes, and never above 256 MiB if
  /// the store states no limit: Error(too_large).
  Stored set(std::string_view key, Source &source, std::uint64_t size = UINT64_MAX, const SetOptions &options = {},
             bool want_etag = false);
  /// Removes the key. Returns false if there was none. Throws Error(conflict) if the condition does not hold.
  bool remove(std::string_view key, const RemoveOptions &options = {});
  /// Gives a value another ttl; 0: for ever. Returns false if there is no such key.
  bool touch(std::string_view key, std::chrono::milliseconds ttl, const CallOptions &options = {});

  /// Each item has its own outcome, in the order of the request; a miss is not_found, a condition that did not hold
  /// conflict. The time is the whole batch's.
  std::vector<EntryOutcome> get_many(std::span<const std::string> keys, const GetOptions &options = {}) const;
  std::vector<Outcome> set_many(std::span<const SetItem> items, const CallOptions &options = {},
                                bool want_etags = false);
  std::vector<Outcome> remove_many(std::span<const std::string> keys, const CallOptions &options = {});

  /// Returns one page of the keys under a base, over all mounts that it spans. A cursor is good for the view that gave
  /// it, and for others of the same base.
  Page list(std::string_view base, const ListOptions &options = {}) const;
  /// The keys under a base, read as one walks them (ranges.hpp).
  KeyRange keys(std::string_view base = {}, std::uint32_t depth = ListOptions::any_depth) const;
  /// The same with their values, read in batches ahead of the walk.
  EntryRange entries(std::string_view base = {}, const EntriesOptions &options = {}) const;
  /// Removes every key under a base, keys of mounts below it too, and returns how many. The empty base is all of the
  /// view. If it fails, or its time is up, a part of them may be gone.
  std::uint64_t clear(std::string_view base = {}, const CallOptions &options = {});

  /// Calls back for every change of one key, or of all keys under it, or of the whole view (empty), on a thread of the
  /// Storage's, one at a time: changes made through this Storage, values that expired or were evicted, and what others
  /// changed if the driver can report it. The log names a driver that cannot report it now, such as one whose server is
  /// not set up for it. Sequence numbers are the Storage's.
  Watch watch(std::string_view base, std::function<void(const Event &)> callback, const WatchOptions &options = {});

  /// A view of the keys under a base of this one. It does not need this one any further. Throws Error(invalid) if the
  /// text cannot be a base.
  View prefixed(std::string_view base) const;

protected:
  explicit View(KeySpace &space, std::string base = {}) : space_(&space), base_(std::move(base)) {}
  KeySpace &space() const { return *space_; }

private:
  friend class PulledWatch;
  KeySpace *space_;
  std::string base_; ///< with a ':' at its end, or empty
};

} // namespace omnistore
