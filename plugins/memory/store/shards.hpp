// SPDX-License-Identifier: Apache-2.0
// The shards of a store. A key's hash chooses its shard, whose lock guards the entry. All changes of an entry go
// through this class, which keeps the budget and announces what expires or is evicted.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <span>
#include <string_view>

#include <omnistore/driver.hpp>

#include "entry/entry.hpp"
#include "shard/shard.hpp"
#include "store/budget.hpp"

namespace memory {

/// A key and its hash.
struct Key {
  std::string_view bytes;
  uint64_t hash;
};

/// The functions that take a shard need its lock, unless they say otherwise. The others are thread-safe.
class Shards {
public:
  static constexpr int64_t time_unread = -1; ///< a time that is read from the clock when it is needed
  static constexpr uint64_t worth_returning = uint64_t{1} << 20; ///< bytes: less idle memory is not given back

  Shards(const omnistore_host &host, uint64_t max_entries, uint64_t max_bytes)
      : host_(host), budget_(max_entries, max_bytes), bits_(bits_for(budget_)),
        heaps_(std::make_unique<Heap[]>((count() + shards_per_heap - 1) / shards_per_heap)),
        shards_(std::make_unique<Shard[]>(count())) {
    for (size_t i = 0; i < count(); ++i) {
      shards_[i].seed(seed_);
      shards_[i].heap = &heaps_[i / shards_per_heap];
    }
  }

  Shards(const Shards &) = delete;
  Shards &operator=(const Shards &) = delete;
  ~Shards() {
    uint64_t bytes = 0;
    for (const Shard &shard : all()) bytes += shard.bytes;
    shards_.reset();
    if (bytes > worth_returning) trim_allocator();
  }

  size_t count() const { return size_t{1} << bits_; }
  std::span<Shard> all() const { return {shards_.get(), count()}; }
  size_t heap_count() const { return (count() + shards_per_heap - 1) / shards_per_heap; }
  Heap &heap(size_t i) const { return heaps_[i]; }
  /// The shards whose entries lie in that heap.
  std::span<Shard> of_heap(size_t i) const {
    const size_t begin = i * shards_per_heap;
    return all().subspan(begin, std::min(shards_per_heap, count() - begin));
  }
  uint64_t seed() const { return seed_; }
  const Budget &budget() const { return budget_; }
  int64_t now() const { return host_.now(&host_); }

  Key hashed(std::string_view key) const { return {key, hash_of(key, seed_)}; }
  Shard &of(const Key &key) const { return shards_[key.hash >> (64 - max_bits) >> (max_bits - bits_)]; }
  size_t slot_of(Shard &shard, const Entry &entry) const {
    return shard.table().find(hash_of(entry.key(), seed_), entry.key());
  }

  /// Prefetches the key's entry.
  static void fetch(Shard &shard, const Key &key) {
    if (const Entry *entry = shard.table().likely(key.hash)) entry->fetch();
  }

  /// Returns the slot of the key's live entry, or Table::no_slot. Removes an entry that has expired.
  size_t find(Shard &shard, const Key &key, int64_t time, RetiredEntries &retired) {
    const size_t slot = shard.table().find(key.hash, key.bytes);
    if (slot == Table::no_slot) return slot;
    const Entry *entry = shard.table().at(slot);
    if (entry->expiry() == 0 || !entry->expired(time == time_unread ? now() : time)) return slot;
    expire(shard, slot, retired);
    return Table::no_slot;
  }

  /// Notes that the entry was used, for the order of eviction.
  void use(Entry &entry) const {
    if (budget_.bounded() && !entry.touched()) entry.touch(true);
  }

  /// Stores the content under the key in its slot, or as a new entry if there is no slot, and evicts entries of this
  /// shard if there are too many. Returns the new version. Afterwards `content` may hold the block of the old value.
  uint64_t put(Shard &shard, size_t slot, const Key &key, Content &content, int64_t time, RetiredEntries &retired) {
    Entry *old = slot == Table::no_slot ? nullptr : shard.table().at(slot);
    const uint64_t version = std::max(shard.version + 1, Entry::version_at(time)), before = shard.bytes;
    if (content.expiry != 0) shard.timers().reserve();
    const uint64_t cost = old ? old->cost() : 0;
    if (old && EntryMaker::rewrite(*old, content)) {
      old->set_version(version);
      use(*old);
      shard.timers().update(old);
      shard.bytes += old->cost() - cost;
    } else {
      OwnedEntry entry = EntryMaker::make(*shard.heap, key.bytes, content, budget_.bounded());
      entry->set_version(version);
      entry->touch(old != nullptr);
      if (old)
        shard.replace(slot, entry, retired);
      else
        shard.insert(key.hash, entry);
    }
    if (budget_.bounded()) {
      budget_.add(old ? 0 : 1, shard.bytes - before);
      evict(shard, version, time, retired);
    }
    return shard.version = version;
  }

  /// Replaces the entry in the slot by a copy with another user meta and expiry. Its version and mtime stay.
  Entry *replace_with_copy(Shard &shard, size_t slot, std::string_view user, int64_t expiry, RetiredEntries &retired) {
    OwnedEntry entry = EntryMaker::copy(*shard.heap, *shard.table().at(slot), user, expiry);
    const uint64_t before = shard.bytes;
    shard.replace(slot, entry, retired);
    if (budget_.bounded()) budget_.add(0, shard.bytes - before);
    return shard.table().at(slot);
  }

  /// Removes the entry of the slot.
  void drop(Shard &shard, size_t slot, RetiredEntries &retired) {
    if (budget_.bounded()) budget_.take(1, shard.table().at(slot)->cost());
    shard.remove(slot, retired);
  }

  /// Evicts entries of the shard until the budget holds: first those that have expired, and never the one of version
  /// `spared`. Returns how many were evicted.
  size_t evict(Shard &shard, uint64_t spared, int64_t time, RetiredEntries &retired) {
    for (size_t evicted = 0;; ++evicted) {
      if (!budget_.over()) return evicted;
      const bool expired = shard.timers().next() <= time;
      const Entry *victim = expired ? shard.timers().first() : shard.clock().victim(spared);
      if (!victim || !budget_.claim(victim->cost())) return evicted;
      announce(*victim, expired ? OMNISTORE_CAUSE_EXPIRED : OMNISTORE_CAUSE_EVICTED);
      shard.remove(slot_of(shard, *victim), retired);
    }
  }

  /// Evicts entries of other shards, if a shard holds nothing except what was just set. The caller holds no lock.
  void evict_elsewhere(const Shard &full, uint64_t spared, int64_t time) {
    const size_t first = next_evicting_++;
    size_t evicted = 1;
    while (evicted != 0 && budget_.over()) {
      evicted = 0;
      for (size_t i = 0; i < count() && budget_.over(); ++i) {
        Shard &shard = shards_[(first + i) % count()];
        RetiredEntries retired;
        const std::lock_guard guard(shard.lock);
        evicted += evict(shard, &shard == &full ? spared : 0, time, retired);
      }
    }
  }

  /// Removes the entry of the slot because it has expired.
  void expire(Shard &shard, size_t slot, RetiredEntries &retired) {
    announce(*shard.table().at(slot), OMNISTORE_CAUSE_EXPIRED);
    drop(shard, slot, retired);
  }

  /// Removes up to 32 expired entries of the shard. Returns when its next entry expires. The caller holds no lock.
  int64_t sweep(Shard &shard, int64_t time) {
    constexpr int slice_size = 32;
    RetiredEntries retired;
    const std::lock_guard guard(shard.lock);
    for (int i = 0; i < slice_size && shard.timers().next() <= time; ++i)
      expire(shard, slot_of(shard, *shard.timers().first()), retired);
    return shard.timers().next();
  }

  /// Moves all entries of the shard into `contents`, and returns the memory that they take. Entries that have expired
  /// at `time` are removed before. The caller holds no lock.
  uint64_t take_contents(Shard &shard, int64_t time, ShardContents &contents) {
    while (sweep(shard, time) <= time) continue;
    const std::lock_guard guard(shard.lock);
    const uint64_t bytes = shard.bytes;
    if (budget_.bounded()) budget_.take(shard.table().count(), bytes);
    shard.move_to(contents);
    return bytes;
  }

  /// Returns how many idle bytes of a shard are worth giving back.
  uint64_t least_worth_returning() const { return worth_returning * 4 >> bits_; }

private:
  static constexpr unsigned max_bits = 6;
  static constexpr size_t shards_per_heap = 8;

  /// A small store has one shard, so that it evicts the entry that was unused for longest in the whole store.
  static unsigned bits_for(const Budget &budget) {
    unsigned bits = max_bits;
    const auto at_most = [&](uint64_t shards) { bits = std::min(bits, static_cast<unsigned>(std::bit_width(shards))); };
    if (budget.max_entries() != 0) at_most(budget.max_entries() / 1024);
    if (budget.max_bytes() != 0) at_most(budget.max_bytes() >> 20);
    return bits;
  }

  static uint64_t secret() {
    std::random_device random;
    return static_cast<uint64_t>(random()) << 32 | random();
  }

  void announce(const Entry &entry, uint32_t cause) const {
    omnistore_event event{};
    event.size = sizeof event;
    event.type = OMNISTORE_EVENT_REMOVE;
    event.cause = cause;
    event.key = omnistore::as_bytes(entry.key());
    host_.event(&host_, &event);
  }

  const omnistore_host &host_;
  Budget budget_;
  const unsigned bits_;
  const uint64_t seed_ = secret();
  const std::unique_ptr<Heap[]> heaps_;
  std::unique_ptr<Shard[]> shards_;
  std::atomic<size_t> next_evicting_{0}; // the shard that evicts next for the others
};

} // namespace memory
