// SPDX-License-Identifier: Apache-2.0
// Gives memory back that removed entries left idle. A task of the host does so about a second after a write found that
// enough of it is idle: it moves the entries out of slabs that are mostly empty, gives empty slabs back to the system,
// and has the process's allocator return its free pages.
#pragma once

#include <array>
#include <atomic>
#include <mutex>
#include <new>
#include <span>

#include <omnistore/driver.hpp>

#include "store/shards.hpp"

namespace memory {

/// Thread-safe. The caller holds no lock.
class Tidier {
public:
  Tidier(const omnistore_host &host, Shards &shards) : host_(host), shards_(shards) {}

  /// Submits the task if a shard has enough idle memory.
  void tidy_if_idle() {
    bool idle = false;
    for (Shard &shard : shards_.all()) {
      const std::lock_guard guard(shard.lock);
      idle |= shard.idle(shards_.least_worth_returning());
    }
    if (idle) tidy_later();
  }

  /// Makes the host run the task in a second. Removals within that second then cost one task together.
  void tidy_later() {
    constexpr uint64_t delay = 1000; // ms
    if (submitted_.exchange(true)) return;
    const auto run = [](void *self, omnistore_call *call) { static_cast<Tidier *>(self)->tidy(*call); };
    if (host_.submit(&host_, run, this, delay, 0) != OMNISTORE_OK) submitted_ = false; // the next removal submits again
  }

private:
  void tidy(omnistore_call &call) {
    for (size_t i = 0; i < shards_.heap_count(); ++i) {
      Heap &heap = shards_.heap(i);
      if (!heap.wasteful()) continue;
      try {
        heap.choose();
        for (Shard &shard : shards_.of_heap(i)) move_entries(shard, call);
      } catch (const std::bad_alloc &) {
        // The entries that were not moved stay in their slabs.
      }
      heap.settle();
      heap.give_back();
    }
    for (Shard &shard : shards_.all()) {
      const std::lock_guard guard(shard.lock);
      shard.freed = 0;
    }
    trim_allocator();
    submitted_ = false;
    tidy_if_idle(); // there was not enough time, or more was removed meanwhile
  }

  /// Moves the shard's entries out of the chosen slabs, some buckets at a time.
  void move_entries(Shard &shard, omnistore_call &call) {
    constexpr size_t slice_size = 8; // buckets
    bool more = true;
    for (size_t begin = 0; more && call.remaining(&call) != 0; begin += slice_size) {
      RetiredEntries retired;
      const std::lock_guard guard(shard.lock);
      std::array<Entry *, slice_size * 16> leaving;
      size_t count = 0;
      shard.table().each(begin, begin + slice_size, [&](Entry *entry) {
        if (entry->is_leaving()) leaving[count++] = entry;
      });
      for (Entry *entry : std::span(leaving.data(), count))
        shards_.replace_with_copy(shard, shards_.slot_of(shard, *entry), entry->user(), entry->expiry(), retired);
      more = begin + slice_size < shard.table().buckets();
    }
  }

  const omnistore_host &host_;
  Shards &shards_;
  std::atomic<bool> submitted_{false}; // the host has a task that tidies
};

} // namespace memory
