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

/// Whether the answer of a store to a removal says that there is nothing under the key: a key that is too long for it
/// has nothing either.
inline bool is_surely_absent(omnistore_status status) {
  return status == OMNISTORE_OK || status == OMNISTORE_NOT_FOUND || status == OMNISTORE_TOO_LARGE;
}

/// What is known of the copies: in memory, and where the store of the copies outlives this one, or others use it too,
/// beside them. Thread-safe; the changes of one key are the caller's to order.
class Records {
public:
  explicit Records(omnistore::Child copies);

  /// What memory knows; nullopt: nothing, which may be since it was forgotten.
  std::optional<Record> known(std::string_view key) const;
  /// The same, read from beside the copies where memory has nothing. A store that fails counts as nothing known.
  std::optional<Record> find(omnistore::Call call, std::string_view key);

  /// `until`: when the record itself is forgotten.
  omnistore_status put(omnistore::Call call, std::string_view key, const Record &record, std::int64_t until);
  /// If the record beside the copy cannot be removed, it is not believed any more: it counts as none until the next
  /// put().
  omnistore_status drop(omnistore::Call call, std::string_view key);
  omnistore_status clear(omnistore::Call call, std::string_view base);

  /// Around a clear of the origin: should the host be killed in between, settle_clears() of the next one takes care.
  omnistore_status begin_clear(omnistore::Call call, std::string_view base);
  void end_clear(omnistore::Call call, std::string_view base);
  /// Before copies are used: removes the records below what was being cleared when a host was killed, so that the
  /// origin is asked for each. False: it could not be done yet, and no copy may be used.
  bool settle_clears(omnistore::Call call);
  /// The records of a base could not be removed, or made doubtful: settle_clears() has to, before copies are used.
  void postpone_clear(std::string_view base);
  bool is_settled() const { return settled_.load(std::memory_order_acquire); }
  /// Makes all records of a base doubtful. One that cannot be is dropped, where that is possible.
  void doubt(omnistore::Call call, std::string_view base);
  /// What lies beside the copy, for one that memory's record does not fit: memory takes it over. Memory's, where that
  /// was put meanwhile, or where no record is kept elsewhere.
  std::optional<Record> read_again(omnistore::Call call, std::string_view key);

private:
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::string, Record, TextHash, std::equal_to<>> records;
  };
  Shard &shard(std::string_view key) { return shards_[TextHash()(key) % shards_.size()]; }
  const Shard &shard(std::string_view key) const { return shards_[TextHash()(key) % shards_.size()]; }
  static void remember(Shard &part, std::string_view key, const Record &record); ///< the shard is locked
  void forget(std::string_view key);
  bool is_distrusted(std::string_view key) const;
  void distrust(std::string_view key);
  void trust(std::string_view key);

  omnistore_status write_clears(omnistore::Call call);

  const omnistore::Child copies_;
  const bool keeps_; ///< beside the copies too
  std::array<Shard, 64> shards_;

  std::atomic<bool> settled_{false};
  /// Keys whose record beside the copy is not believed; `distrusts_all_`: there were too many to keep.
  mutable std::mutex distrust_mutex_;
  std::unordered_set<std::string> distrusted_;
  std::atomic<bool> has_distrusted_{false};
  bool distrusts_all_ = false;

  std::mutex clears_mutex_;
  std::set<std::string, std::less<>> postponed_;   ///< bases
  std::multiset<std::string, std::less<>> clears_; ///< the bases that are being cleared
};

} // namespace cache
