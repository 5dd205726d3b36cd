// SPDX-License-Identifier: Apache-2.0
// Who goes when the store is full: the clock algorithm (first in, first out, with a second chance). A read only sets
// the entry's `touched`; nothing is moved.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "entry.hpp"

namespace memory {

/// Owns no entry. Not safe for threads: the shard's lock is held.
class Clock {
public:
  /// Makes room for one more. Throws std::bad_alloc and has changed nothing then.
  void reserve() {
    if (frames_.size() == frames_.capacity()) frames_.reserve(std::max<size_t>(16, frames_.size() * 3 / 2));
  }

  /// After reserve.
  void add(Entry *entry) noexcept {
    entry->set_frame(static_cast<uint32_t>(frames_.size()));
    frames_.push_back(entry);
  }

  /// The last entry takes the frame. As that is the newest when another was evicted for it, it comes to stand right
  /// behind the hand, and is the last that the hand reaches.
  void remove(Entry *entry) noexcept {
    const uint32_t frame = entry->frame();
    if (frame == NOWHERE) return;
    Entry *last = frames_.back();
    frames_[frame] = last;
    last->set_frame(frame);
    frames_.pop_back();
    entry->set_frame(NOWHERE);
    if (frames_.capacity() > 1024 && frames_.size() < frames_.capacity() / 4) shrink();
  }

  /// Both are framed, or neither is.
  void replace(const Entry *old, Entry *entry) noexcept {
    const uint32_t frame = old->frame();
    if (frame == NOWHERE) return;
    entry->set_frame(frame);
    frames_[frame] = entry;
  }

  /// The entry to go, or null where there is none but the one of version `spared`. The hand has moved past it.
  Entry *victim(uint64_t spared) noexcept {
    // Where everything was touched, the hand would go round all of it at once: rather the next one goes.
    constexpr size_t FARTHEST = 256;
    const size_t others = std::min(frames_.size() * 2, FARTHEST);
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
      // It stays as large as it is.
    }
  }

  std::vector<Entry *> frames_;
  size_t hand_ = 0;
};

} // namespace memory
