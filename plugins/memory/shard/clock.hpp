// SPDX-License-Identifier: Apache-2.0
// Chooses the entry to evict when the store is full, by the clock algorithm: first in, first out, with a second chance
// for entries that were used. The entries stand in a ring of frames, and a hand goes round it. A read only sets the
// entry's bit `touched`; nothing is moved.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "entry/entry.hpp"

namespace memory {

/// Owns no entry. Not thread-safe: the caller holds the shard's lock.
class Clock {
public:
  /// Makes room for one more entry. If it throws std::bad_alloc, nothing has changed.
  void reserve() {
    if (frames_.size() == frames_.capacity()) frames_.reserve(std::max<size_t>(16, frames_.size() * 3 / 2));
  }

  /// reserve() must have made room.
  void add(Entry *entry) noexcept {
    entry->set_frame(static_cast<uint32_t>(frames_.size()));
    frames_.push_back(entry);
  }

  /// Moves the last entry into the frame that becomes free. If an entry is evicted, the last one is the newest: it then
  /// stands just before the hand, which reaches it after all others.
  void remove(Entry *entry) noexcept {
    const uint32_t frame = entry->frame();
    if (frame == no_place) return;
    Entry *last = frames_.back();
    frames_[frame] = last;
    last->set_frame(frame);
    frames_.pop_back();
    entry->set_frame(no_place);
    if (frames_.capacity() > 1024 && frames_.size() < frames_.capacity() / 4) shrink();
  }

  /// Either both entries have a frame, or neither has.
  void replace(const Entry *old, Entry *entry) noexcept {
    const uint32_t frame = old->frame();
    if (frame == no_place) return;
    entry->set_frame(frame);
    frames_[frame] = entry;
  }

  /// Returns the entry to evict and moves the hand past it. Returns null if there is no entry except the one of version
  /// `spared`.
  Entry *victim(uint64_t spared) noexcept {
    // If everything was used, the hand would have to go all the way round. Instead, the next entry is evicted.
    constexpr size_t max_steps = 256;
    const size_t others = std::min(frames_.size() * 2, max_steps);
    Entry *next = nullptr;
    for (size_t passed = 0; passed < others; ++passed) {
      Entry *entry = frames_[hand_ = hand_ < frames_.size() ? hand_ : 0];
      ++hand_;
      if (entry->version() == spared) continue;
      if (!entry->touched()) return entry;
      entry->touch(false);
      next = entry;
    }
    return next;
  }

private:
  void shrink() noexcept {
    try {
      std::vector<Entry *> smaller;
      smaller.reserve(frames_.size() * 2);
      smaller.assign(frames_.begin(), frames_.end());
      frames_.swap(smaller);
    } catch (const std::bad_alloc &) {
      // The ring stays as large as it is.
    }
  }

  std::vector<Entry *> frames_;
  size_t hand_ = 0;
};

} // namespace memory
