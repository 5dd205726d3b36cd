// SPDX-License-Identifier: Apache-2.0
// The entries that expire: a heap with four children a node and the next expiry at its top. Each entry knows its place
// in the heap, so that it can be removed or moved without a search.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "entry/entry.hpp"

namespace memory {

/// Owns no entry. Not thread-safe: the caller holds the shard's lock.
class Timers {
public:
  static constexpr int64_t never = std::numeric_limits<int64_t>::max();

  /// Returns the time at which the next entry expires, or `never`.
  int64_t next() const { return heap_.empty() ? never : heap_.front().expiry; }
  Entry *first() const { return heap_.front().entry; }

  /// Makes room for one more entry. If it throws std::bad_alloc, nothing has changed.
  void reserve() {
    if (heap_.size() == heap_.capacity()) heap_.reserve(std::max<size_t>(16, heap_.size() * 3 / 2));
  }

  /// Moves the entry to the place of its expiry. If the entry is new here, reserve() must have made room.
  void update(Entry *entry) noexcept {
    if (entry->expiry() == 0) return remove(entry);
    if (entry->timer() == no_place) {
      entry->set_timer(static_cast<uint32_t>(heap_.size()));
      heap_.push_back({entry->expiry(), entry});
    }
    settle(entry->timer(), {entry->expiry(), entry});
  }

  void remove(Entry *entry) noexcept {
    const uint32_t place = entry->timer();
    if (place == no_place) return;
    const Timer last = heap_.back();
    heap_.pop_back();
    entry->set_timer(no_place);
    if (last.entry != entry) settle(place, last);
    if (heap_.capacity() > 1024 && heap_.size() < heap_.capacity() / 4) shrink();
  }

  /// Lets `entry` take the place of `old`. The caller calls update(entry) next.
  void replace(Entry *old, Entry *entry) noexcept {
    const uint32_t place = old->timer();
    if (place == no_place) return;
    if (!entry->timed()) return remove(old);
    entry->set_timer(place);
    heap_[place].entry = entry;
  }

private:
  struct Timer {
    int64_t expiry;
    Entry *entry;
  };

  void put(uint32_t place, Timer timer) noexcept {
    heap_[place] = timer;
    timer.entry->set_timer(place);
  }

  void settle(uint32_t place, Timer timer) noexcept {
    while (place > 0 && timer.expiry < heap_[(place - 1) / 4].expiry) {
      put(place, heap_[(place - 1) / 4]);
      place = (place - 1) / 4;
    }
    for (;;) {
      const size_t begin = size_t{place} * 4 + 1, end = std::min(begin + 4, heap_.size());
      size_t least = begin;
      for (size_t child = begin; child < end; ++child)
        if (heap_[child].expiry < heap_[least].expiry) least = child;
      if (begin >= end || heap_[least].expiry >= timer.expiry) break;
      put(place, heap_[least]);
      place = static_cast<uint32_t>(least);
    }
    put(place, timer);
  }

  void shrink() noexcept {
    try {
      std::vector<Timer> smaller;
      smaller.reserve(heap_.size() * 2);
      smaller.assign(heap_.begin(), heap_.end());
      heap_.swap(smaller);
    } catch (const std::bad_alloc &) {
      // The heap stays as large as it is.
    }
  }

  std::vector<Timer> heap_;
};

} // namespace memory
