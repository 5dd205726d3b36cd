// SPDX-License-Identifier: Apache-2.0
// A part of the store behind one lock: the entries whose keys' hashes fall to it, and all that leads to them.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>

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

  Parts() = default;
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
  uint32_t pinned = 0;  // pins of all entries
  // Entries that are lent, and how often. Each has one pin for all of its loans.
  std::unordered_map<Entry *, uint64_t> loans;

  Table &table() { return parts_.table; }
  Index &index() { return parts_.index; }
  Timers &timers() { return parts_.timers; }
  Clock &clock() { return parts_.clock; }

  /// Takes in an entry whose key is not there; with `clocked` also into the clock. Throws std::bad_alloc and has
  /// changed nothing then.
  void insert(uint64_t hash, OwnedEntry &entry, bool clocked) {
    if (entry->expiry != 0) timers().reserve();
    if (clocked) clock().reserve();
    table().reserve();
    table().insert(hash, entry.get());
    try {
      index().insert(entry.get());
    } catch (...) {
      table().erase(table().find(hash, entry->key()));
      throw;
    }
    timers().update(entry.get());
    if (clocked) clock().add(entry.get());
    bytes += cost(*entry);
    entry.release();
  }

  /// Puts an entry in the place of the one in the slot, whose key it shares. Throws as insert.
  void replace(size_t slot, OwnedEntry &entry, Graveyard &dead) {
    Entry *old = table().at(slot);
    if (entry->expiry != 0) timers().reserve();
    index().replace(old, entry.get());
    timers().replace(old, entry.get());
    clock().replace(old, entry.get());
    timers().update(entry.get());
    bytes += cost(*entry) - cost(*old);
    table().replace(slot, entry.release());
    dead.bury(old);
  }

  void remove(size_t slot, Graveyard &dead) noexcept {
    Entry *old = table().at(slot);
    index().remove(old);
    timers().remove(old);
    clock().remove(old);
    table().erase(slot);
    bytes -= cost(*old);
    dead.bury(old);
  }

  /// Gives away everything, in no time; nothing is pinned.
  void surrender(Parts &to) noexcept {
    bytes = 0;
    std::swap(to.table, parts_.table);
    std::swap(to.index, parts_.index);
    std::swap(to.timers, parts_.timers);
    std::swap(to.clock, parts_.clock);
  }

private:
  Parts parts_;
};

} // namespace memory
