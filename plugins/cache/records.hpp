// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include <omnistore/child.hpp>

#include "record.hpp"

namespace cache {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};

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
  omnistore_status drop(omnistore::Call call, std::string_view key);
  omnistore_status clear(omnistore::Call call, std::string_view base);
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

  const omnistore::Child copies_;
  const bool keeps_; ///< beside the copies too
  std::array<Shard, 64> shards_;
};

} // namespace cache
