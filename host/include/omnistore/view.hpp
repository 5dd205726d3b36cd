// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/storage.hpp>

namespace omnistore {

/// The keys under one base of a Storage, as if they were all that there is: the base is put in front of every key and
/// base that comes in, and taken off every key that goes out, of listings, events and messages too.
///
///     omnistore::View users = storage.prefixed("app:users");
///     users.set("1", "Ada");  // sets app:users:1
///     users.keys().all();     // {"1"}
///
/// The key of the base's own name (`app:users`) is not among them. Each function does what Storage's of the same name
/// does, with the same results and errors; a key with the base in front may be 4096 bytes long.
///
/// It is a light handle: copying one costs the copy of its base, and closes or opens nothing. It owns no part of the
/// Storage, which must outlive it; it stays good when the Storage is moved.
///
/// Thread-safe, as Storage is.
class View {
public:
  std::optional<std::string> get(std::string_view key, const GetOptions &options = {}) const;
  bool get(std::string_view key, std::string &into, const GetOptions &options = {}) const;
  std::optional<Entry> entry(std::string_view key, const GetOptions &options = {}) const;
  bool read(std::string_view key, Reader &reader, const GetOptions &options = {}) const;
  bool has(std::string_view key, const CallOptions &options = {}) const;
  std::optional<Meta> meta(std::string_view key, const MetaOptions &options = {}) const;

  Stored set(std::string_view key, std::string_view value, const SetOptions &options = {}, bool want_etag = false);
  Stored set(std::string_view key, Source &source, std::uint64_t size = UINT64_MAX, const SetOptions &options = {},
             bool want_etag = false);
  bool remove(std::string_view key, const RemoveOptions &options = {});
  bool touch(std::string_view key, std::chrono::milliseconds ttl, const CallOptions &options = {});

  std::vector<EntryOutcome> get_many(std::span<const std::string> keys, const GetOptions &options = {}) const;
  std::vector<Outcome> set_many(std::span<const SetItem> items, const CallOptions &options = {},
                                bool want_etags = false);
  std::vector<Outcome> remove_many(std::span<const std::string> keys, const CallOptions &options = {});

  /// A cursor is good for the view that gave it, and for others of the same base.
  Page list(std::string_view base, const ListOptions &options = {}) const;
  KeyRange keys(std::string_view base = {}, std::uint32_t depth = ListOptions::any_depth) const;
  EntryRange entries(std::string_view base = {}, const EntriesOptions &options = {}) const;
  /// The empty base is all of the view, and no more than that.
  std::uint64_t clear(std::string_view base = {}, const CallOptions &options = {});

  /// The empty base is all of the view. Sequence numbers are the Storage's.
  Watch watch(std::string_view base, std::function<void(const Event &)> callback, const WatchOptions &options = {});

  /// A view of the keys under a base of this one. It does not need this one any further.
  View prefixed(std::string_view base) const;

private:
  friend class Storage;
  View(Storage::Impl &storage, std::string base) : storage_(&storage), base_(std::move(base)) {}

  Storage::Impl *storage_;
  std::string base_; ///< with a ':' at its end, or empty
};

} // namespace omnistore
