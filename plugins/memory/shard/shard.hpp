// SPDX-License-Identifier: Apache-2.0
// A shard is a part of the store with a lock of its own: the entries whose hashes fall to it, and the structures that
// find them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "entry/entry.hpp"
#include "shard/clock.hpp"
#include "shard/index.hpp"
#include "shard/lock.hpp"
#include "shard/table.hpp"
#include "shard/timers.hpp"

namespace memory {

/// The data that the lock guards. It owns the entries.
struct ShardContents {
  Table table;
  Index index;
  Timers timers;
  Clock clock;

  explicit ShardContents(uint64_t seed = 0) : table(seed) {}
  ShardContents(const ShardContents &) = delete;
  ShardContents &operator=(const ShardContents &) = delete;
  ~ShardContents() { table.each(FreeEntry()); }
};

/// The caller of every member function holds the lock. Each function keeps table, index, timers and clock in step.
class alignas(64) Shard {
public:
  Lock lock;
  uint64_t version = 0; // of the last write
  uint64_t bytes = 0;   // the cost of all entries
  uint64_t freed = 0;   // bytes that removed entries gave back to the allocator since the last trim
  Heap *heap = nullptr; // its entries come from it

  /// Sets the seed of the keys' hashes. Call it before anything else.
  void seed(uint64_t seed) { Table(seed).swap(contents_.table); }

  Table &table() { return contents_.table; }
  Index &index() { return contents_.index; }
  Timers &timers() { return contents_.timers; }
  Clock &clock() { return contents_.clock; }

  /// Adds an entry whose key is not in the shard. If it throws std::bad_alloc, nothing has changed.
  void insert(uint64_t hash, OwnedEntry &entry) {
    if (entry->expiry() != 0) timers().reserve();
    if (entry->framed()) clock().reserve();
    table().reserve();
    table().insert(hash, entry.get());
    try {
      index().insert(entry.get());
    } catch (...) {
      table().erase(table().find(hash, entry->key()));
      throw;
    }
    timers().update(entry.get());
    if (entry->framed()) clock().add(entry.get());
    bytes += entry->cost();
    entry.release();
  }

  /// Replaces the entry of the slot by another one with the same key. Throws as insert() does.
  void replace(size_t slot, OwnedEntry &entry, RetiredEntries &retired) {
    Entry *old = table().at(slot);
    if (entry->expiry() != 0) timers().reserve();
    index().replace(old, entry.get());
    timers().replace(old, entry.get());
    clock().replace(old, entry.get());
    timers().update(entry.get());
    count_freed(*old);
    bytes += entry->cost() - old->cost();
    table().replace(slot, entry.release());
    retired.add(old);
  }

  void remove(size_t slot, RetiredEntries &retired) noexcept {
    Entry *old = table().at(slot);
    index().remove(old);
    timers().remove(old);
    clock().remove(old);
    table().erase(slot);
    count_freed(*old);
    bytes -= old->cost();
    retired.add(old);
  }

  /// Moves everything into `to`, in constant time.
  void move_to(ShardContents &to) noexcept {
    bytes = 0;
    to.table.swap(contents_.table);
    std::swap(to.index, contents_.index);
    std::swap(to.timers, contents_.timers);
    std::swap(to.clock, contents_.clock);
  }

  /// Returns true if tidying would give memory back: more than a fifth lies idle, and more than `least` bytes.
  bool idle(uint64_t least) const { return heap->wasteful() || freed > std::max(least, bytes / 4); }

private:
  void count_freed(const Entry &entry) {
    constexpr uint64_t slab_limit = 2048; // entries up to this size lie in slabs
    if (const uint64_t taken = entry.cost(); taken > slab_limit && taken < mapped_size) freed += taken;
  }

  ShardContents contents_;
};

} // namespace memory
