// SPDX-License-Identifier: Apache-2.0
// A part of the store behind one lock: the entries whose keys' hashes fall to it, and all that leads to them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "clock.hpp"
#include "entry.hpp"
#include "index.hpp"
#include "lock.hpp"
#include "table.hpp"
#include "timers.hpp"

namespace memory {

/// What the lock guards. Owns its entries.
struct Parts {
  Table table;
  Index index;
  Timers timers;
  Clock clock;

  explicit Parts(uint64_t seed = 0) : table(seed) {}
  Parts(const Parts &) = delete;
  Parts &operator=(const Parts &) = delete;
  ~Parts() { table.each(FreeEntry()); }
};

/// Every member function is called with the lock held. Each keeps the parts in step.
class alignas(64) Shard {
public:
  Lock lock;
  uint64_t version = 0; // that of the last write
  uint64_t bytes = 0;   // the cost of all entries
  uint64_t loose = 0;   // what removed entries gave back to the process's allocator since it was last trimmed
  Heap *heap = nullptr; // that its entries come from

  /// Before anything else: the seed of the keys' hashes.
  void seed(uint64_t seed) { Table(seed).swap(parts_.table); }

  Table &table() { return parts_.table; }
  Index &index() { return parts_.index; }
  Timers &timers() { return parts_.timers; }
  Clock &clock() { return parts_.clock; }

  /// Takes in an entry whose key is not there. Throws std::bad_alloc and has changed nothing then.
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

  /// Puts an entry in the place of the one in the slot, whose key it shares. Throws as insert.
  void replace(size_t slot, OwnedEntry &entry, Graveyard &dead) {
    Entry *old = table().at(slot);
    if (entry->expiry() != 0) timers().reserve();
    index().replace(old, entry.get());
    timers().replace(old, entry.get());
    clock().replace(old, entry.get());
    timers().update(entry.get());
    count_loose(*old);
    bytes += entry->cost() - old->cost();
    table().replace(slot, entry.release());
    dead.bury(old);
  }

  void remove(size_t slot, Graveyard &dead) noexcept {
    Entry *old = table().at(slot);
    index().remove(old);
    timers().remove(old);
    clock().remove(old);
    table().erase(slot);
    count_loose(*old);
    bytes -= old->cost();
    dead.bury(old);
  }

  /// Gives away everything, in no time.
  void surrender(Parts &to) noexcept {
    bytes = 0;
    to.table.swap(parts_.table);
    std::swap(to.index, parts_.index);
    std::swap(to.timers, parts_.timers);
    std::swap(to.clock, parts_.clock);
  }

  /// Whether memory lies idle that tidying would give back: more than a fifth, and more than `least` bytes.
  bool idle(uint64_t least) const { return heap->wasteful() || loose > std::max(least, bytes / 4); }

private:
  void count_loose(const Entry &entry) {
    constexpr uint64_t SHORT = 2048; // such entries lie in slabs
    if (const uint64_t taken = entry.cost(); taken > SHORT && taken < MAPPED) loose += taken;
  }

  Parts parts_;
};

} // namespace memory
