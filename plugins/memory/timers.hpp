// SPDX-License-Identifier: Apache-2.0
// The entries that expire, the next one first: a heap with four children a node, in which each entry knows its place.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "entry.hpp"

namespace memory {

/// Owns no entry. Not safe for threads: the shard's lock is held.
class Timers {
public:
  static constexpr int64_t NEVER = std::numeric_limits<int64_t>::max();

  /// When the next entry expires, or NEVER.
  int64_t next() const { return heap_.empty() ? NEVER : heap_.front().expiry; }
  Entry *first() const { return heap_.front().entry; }

  /// Makes room for one more. Throws std::bad_alloc and has changed nothing then.
  void reserve() {
    if (heap_.size() == heap_.capacity()) heap_.reserve(std::max<size_t>(16, heap_.size() * 3 / 2));
  }

  /// Brings the entry to the place that its expiry asks for; after reserve where it had none.
  void update(Entry *entry) noexcept {
    if (entry->expiry() == 0) return remove(entry);
    if (entry->timer() == NOWHERE) {
      entry->set_timer(static_cast<uint32_t>(heap_.size()));
      heap_.push_back({entry->expiry(), entry});
    }
    settle(entry->timer(), {entry->expiry(), entry});
  }

  void remove(Entry *entry) noexcept {
    const uint32_t place = entry->timer();
    if (place == NOWHERE) return;
    const Timer last = heap_.back();
    heap_.pop_back();
    entry->set_timer(NOWHERE);
    if (last.entry != entry) settle(place, last);
    if (heap_.capacity() > 1024 && heap_.size() < heap_.capacity() / 4) shrink();
  }

  /// Another entry stands in for the old one; update comes next.
  void replace(Entry *old, Entry *entry) noexcept {
    const uint32_t place = old->timer();
    if (place == NOWHERE) return;
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
      // It stays as large as it is.
    }
  }

  std::vector<Timer> heap_;
};

} // namespace memory
