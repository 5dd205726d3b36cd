// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include <omnistore/child.hpp>

#include "copies/record.hpp"

namespace cache {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

/// Returns true if the outcome of a removal shows that the key does not exist. A key that is too long for the store
/// does not exist either.
inline bool is_surely_absent(omnistore_status status) {
  return status == OMNISTORE_OK || status == OMNISTORE_NOT_FOUND || status == OMNISTORE_TOO_LARGE;
}

/// The records of all copies. They are in memory. If the copies' store outlives the cache, or others use it too, they
/// are also stored beside the copies. Thread-safe; the caller orders the changes of one key.
class Records {
public:
  explicit Records(omnistore::Child copies);

  /// Returns the record in memory. nullopt: there is none, or it was evicted.
  std::optional<Record> known(std::string_view key) const;
  /// Returns the record in memory, or else the one beside the copy. If the store fails, there is no record.
  std::optional<Record> find(omnistore::Call call, std::string_view key);

  /// `until` is the expiry of the record itself.
  omnistore_status put(omnistore::Call call, std::string_view key, const Record &record, std::int64_t until);
  /// If the record beside the copy cannot be removed, it is ignored until the next put().
  omnistore_status drop(omnistore::Call call, std::string_view key);
  omnistore_status clear(omnistore::Call call, std::string_view base);

  /// Call these before and after a clear of the origin. If the host is killed in between, settle_clears() of the next
  /// host does the rest.
  omnistore_status begin_clear(omnistore::Call call, std::string_view base);
  void end_clear(omnistore::Call call, std::string_view base);
  /// Call it before copies are used. If a host was killed during a clear, removes the records under the cleared base,
  /// so that each key is read from the origin. Returns false if this was not possible yet: then no copy may be used.
  bool settle_clears(omnistore::Call call);
  /// Notes that the records under a base could not be removed or made doubtful. settle_clears() then tries again before
  /// any copy is used.
  void postpone_clear(std::string_view base);
  bool is_settled() const { return settled_.load(std::memory_order_acquire); }
  /// Makes all records under a base doubtful. A record that cannot be changed is dropped if possible.
  void doubt(omnistore::Call call, std::string_view base);
  /// Reads the record beside the copy into memory and returns it, if the record in memory does not fit the copy.
  /// Returns the record in memory if it was put meanwhile, or if records are in memory only.
  std::optional<Record> read_again(omnistore::Call call, std::string_view key);

private:
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::string, Record, TextHash, std::equal_to<>> records;
  };
  Shard &shard(std::string_view key) { return shards_[TextHash()(key) % shards_.size()]; }
  const Shard &shard(std::string_view key) const { return shards_[TextHash()(key) % shards_.size()]; }
  static void remember(Shard &part, std::string_view key, const Record &record); ///< the caller holds the shard's lock
  void forget(std::string_view key);
  bool is_distrusted(std::string_view key) const;
  void distrust(std::string_view key);
  void trust(std::string_view key);

  omnistore_status write_clears(omnistore::Call call);

  const omnistore::Child copies_;
  const bool keeps_; ///< records are stored beside the copies too
  std::array<Shard, 64> shards_;

  std::atomic<bool> settled_{false};
  /// Keys whose record beside the copy is ignored. `distrusts_all_`: there were too many of them, so all are ignored.
  mutable std::mutex distrust_mutex_;
  std::unordered_set<std::string> distrusted_;
  std::atomic<bool> has_distrusted_{false};
  bool distrusts_all_ = false;

  std::mutex clears_mutex_;
  std::set<std::string, std::less<>> postponed_;   ///< bases that settle_clears() must clear
  std::multiset<std::string, std::less<>> clears_; ///< the bases that are being cleared
};

} // namespace cache
