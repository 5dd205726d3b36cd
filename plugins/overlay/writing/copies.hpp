// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <omnistore/coherence.hpp>

#include "layer/sinks.hpp"

namespace overlay {

/// The copies that promotion has made. A reader gets the etag of the value that the copy was made from, so that a
/// value's etag is the same before and after its promotion, and after its copy was evicted. In a coherent overlay each
/// copy has the ticket of the read that it was made from, and one that is not known here is not served. Thread-safe.
class Copies {
public:
  using Ticket = omnistore::Coherence::Ticket;

  /// Notes a copy in `layer`. `own` is the layer's etag of the copy, `source` the etag (with its digit) of the source.
  void note(std::string_view key, std::uint32_t layer, std::string_view own, std::string_view source,
            const Ticket &ticket) {
    const bool has_etags = !own.empty() && !source.empty();
    if (!has_etags && ticket == Ticket()) return;
    Shard &part = shard(key);
    const std::lock_guard lock(part.mutex);
    // Conditions compare the values of a copy that is forgotten here, and a coherent overlay replaces it.
    if (part.copies.size() >= max_copies && !part.copies.contains(key)) part.copies.erase(part.copies.begin());
    std::vector<Copy> &copies = part.copies[std::string(key)];
    std::erase_if(copies, [&](const Copy &copy) { return copy.layer == layer; });
    copies.push_back({layer, std::string(has_etags ? own : ""), std::string(has_etags ? source : ""), ticket});
    any_.store(true, std::memory_order_release);
  }

  /// Returns the ticket of the copy in `layer`, or one that never holds.
  Ticket ticket(std::string_view key, std::uint32_t layer) const {
    const Shard &part = shard(key);
    const std::lock_guard lock(part.mutex);
    if (const auto found = part.copies.find(key); found != part.copies.end())
      for (const Copy &copy : found->second)
        if (copy.layer == layer) return copy.ticket;
    return {};
  }

  /// If the layer's value is a copy, replaces its etag by that of its source.
  void show_source_etag(std::string_view key, std::uint32_t layer, Etag &etag) const {
    if (!any_.load(std::memory_order_acquire) || etag.text().empty()) return;
    const Shard &part = shard(key);
    const std::lock_guard lock(part.mutex);
    const auto found = part.copies.find(key);
    if (found == part.copies.end()) return;
    for (const Copy &copy : found->second)
      if (copy.layer == layer && !copy.own.empty() && copy.own == etag.own()) return etag.replace(copy.source);
  }

  /// Marks the copies of a key as doubtful: a write failed, and may have changed their source. They are dropped as soon
  /// as the source can be read again. Returns false if there are too many doubtful keys.
  bool doubt(std::string_view key) {
    const std::lock_guard lock(doubt_mutex_);
    if (doubtful_.size() >= max_doubtful) return false;
    doubtful_.emplace(key);
    doubts_.store(doubtful_.size(), std::memory_order_release);
    return true;
  }
  bool is_doubtful(std::string_view key) const {
    if (doubts_.load(std::memory_order_acquire) == 0) return false;
    const std::lock_guard lock(doubt_mutex_);
    return doubtful_.contains(key);
  }
  void trust(std::string_view key) {
    if (doubts_.load(std::memory_order_acquire) == 0) return;
    const std::lock_guard lock(doubt_mutex_);
    if (const auto found = doubtful_.find(key); found != doubtful_.end()) doubtful_.erase(found);
    doubts_.store(doubtful_.size(), std::memory_order_release);
  }

private:
  static constexpr std::size_t max_copies = 4096; ///< in one shard
  static constexpr std::size_t max_doubtful = 10'000;

  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  struct Copy {
    std::uint32_t layer;
    std::string own, source; ///< empty: there are no etags
    Ticket ticket;
  };
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::string, std::vector<Copy>, TextHash, std::equal_to<>> copies;
  };
  Shard &shard(std::string_view key) { return shards_[TextHash()(key) % shards_.size()]; }
  const Shard &shard(std::string_view key) const { return shards_[TextHash()(key) % shards_.size()]; }

  std::array<Shard, 16> shards_;
  std::atomic<bool> any_{false};
  mutable std::mutex doubt_mutex_;
  std::unordered_set<std::string, TextHash, std::equal_to<>> doubtful_;
  std::atomic<std::size_t> doubts_{0};
};

} // namespace overlay
