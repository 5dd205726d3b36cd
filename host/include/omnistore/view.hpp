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

/// The keys under one base of a Storage, as if there were no others. The view adds the base to every key and base that
/// it receives, and removes it from every key that it returns, in listings, events and messages too.
///
///     omnistore::View users = storage.prefixed("app:users");
///     users.set("1", "Ada");  // sets app:users:1
///     users.keys().all();     // {"1"}
///
/// The key of the base's own name (`app:users`) is not among them. Each function does what the function of Storage of
/// the same name does, with the same results and errors. A key together with the base may have 4096 bytes.
///
/// It is a light handle: a copy costs only the copy of its base. It owns no part of the Storage, which must outlive it.
/// It stays valid when the Storage is moved.
///
/// Thread-safe, like Storage.
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

  /// A cursor is valid for the view that returned it, and for others of the same base.
  Page list(std::string_view base, const ListOptions &options = {}) const;
  KeyRange keys(std::string_view base = {}, std::uint32_t depth = ListOptions::any_depth) const;
  EntryRange entries(std::string_view base = {}, const EntriesOptions &options = {}) const;
  /// The empty base means all keys of the view.
  std::uint64_t clear(std::string_view base = {}, const CallOptions &options = {});

  /// The empty base means all keys of the view. Sequence numbers are those of the Storage.
  Watch watch(std::string_view base, std::function<void(const Event &)> callback, const WatchOptions &options = {});

  /// Returns a view of the keys under a base of this one, which does not depend on this one.
  View prefixed(std::string_view base) const;

private:
  friend class Storage;
  View(Storage::Impl &storage, std::string base) : storage_(&storage), base_(std::move(base)) {}

  Storage::Impl *storage_;
  std::string base_; ///< with a ':' at its end, or empty
};

} // namespace omnistore
