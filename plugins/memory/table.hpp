// SPDX-License-Identifier: Apache-2.0
// The table that finds an entry by its key: open addressing with linear probing. A slot is one word, an entry's
// address with 16 bits of its key's hash in the bits that addresses leave free, so a look-up reads one line of the
// table and then, nearly always, only the entry that it wants.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string_view>

#include "entry.hpp"

namespace memory {

/// Owns no entry. Not safe for threads: the shard's lock is held.
class Table {
public:
  static constexpr size_t NONE = ~size_t{0};

  size_t count() const { return count_; }

  /// The slot of the key's entry, or NONE.
  size_t find(uint64_t hash, std::string_view key) const {
    if (count_ == 0) return NONE;
    const uint64_t tag = tag_of(hash);
    for (size_t slot = hash & mask_; slots_[slot] != 0; slot = (slot + 1) & mask_)
      if (slots_[slot] >> 48 == tag && at(slot)->key() == key) return slot;
    return NONE;
  }

  /// The entry that is most likely the key's, without a look at it; null where there is none. For prefetching.
  const Entry *guess(uint64_t hash) const {
    if (count_ == 0) return nullptr;
    const uint64_t tag = tag_of(hash);
    for (size_t slot = hash & mask_; slots_[slot] != 0; slot = (slot + 1) & mask_)
      if (slots_[slot] >> 48 == tag) return at(slot);
    return nullptr;
  }

  Entry *at(size_t slot) const { return reinterpret_cast<Entry *>(slots_[slot] & ADDRESS); }

  /// Makes room for one more. Throws std::bad_alloc and has changed nothing then.
  void reserve() {
    if (!slots_) rehash(16);
    if ((count_ + 1) * 16 > (mask_ + 1) * MOST_OF_16) rehash((mask_ + 1) * 2);
  }

  /// Puts in an entry whose key is not there; after reserve. Throws std::bad_alloc where the slots near by are all
  /// taken and the table cannot grow, and has changed nothing then.
  void insert(uint64_t hash, Entry *entry) {
    while (!place(slots_.get(), mask_, hash, word(hash, entry))) rehash((mask_ + 1) * 2);
    ++count_;
  }

  /// Another entry for the same key.
  void replace(size_t slot, Entry *entry) noexcept {
    slots_[slot] = (slots_[slot] & ~ADDRESS) | reinterpret_cast<uintptr_t>(entry);
  }

  void erase(size_t slot) noexcept {
    size_t hole = slot;
    for (size_t next = (slot + 1) & mask_; slots_[next] != 0; next = (next + 1) & mask_) {
      const size_t moved = (next - (slots_[next] >> 48)) & std::min(mask_, HOME_MASK);
      if (moved >= ((next - hole) & mask_)) slots_[hole] = slots_[next], hole = next;
    }
    slots_[hole] = 0;
    --count_;
    if (mask_ >= 1024 && count_ * 8 < mask_) shrink();
  }

  template <typename Visit>
  void each(Visit visit) const {
    for (size_t slot = 0; slots_ && slot <= mask_; ++slot)
      if (slots_[slot] != 0) visit(at(slot));
  }

  /// Where a look-up of the hash begins: for prefetching.
  const uint64_t *home(uint64_t hash) const { return slots_ ? &slots_[hash & mask_] : nullptr; }

private:
  // How full it may be. A look-up of a key that is not there then reads some two lines of it at the most on average,
  // and the whole is the more likely to lie in a processor's own cache, where look-ups spend their time.
  static constexpr size_t MOST_OF_16 = 13;

  // A tag is ten bits of the entry's home slot, from which erase tells how far it was moved, and six bits of another
  // part of the hash, which tell keys of one home apart.
  static constexpr size_t HOME_MASK = 1023;
  static constexpr uint64_t ADDRESS = (uint64_t{1} << 48) - 1;

  static uint64_t tag_of(uint64_t hash) { return (hash & HOME_MASK) | ((hash >> 40 & 63) << 10); }
  static uint64_t word(uint64_t hash, const Entry *entry) {
    return tag_of(hash) << 48 | reinterpret_cast<uintptr_t>(entry);
  }

  static bool place(uint64_t *slots, size_t mask, uint64_t home, uint64_t word) {
    for (size_t moved = 0; moved <= HOME_MASK; ++moved) {
      uint64_t &slot = slots[(home + moved) & mask];
      if (slot == 0) return slot = word, true;
    }
    return false;
  }

  void rehash(size_t size) {
    std::unique_ptr<uint64_t[]> slots;
    do {
      slots = std::make_unique<uint64_t[]>(size);
    } while (!move_into(slots.get(), size - 1) && (size *= 2));
    slots_ = std::move(slots);
    mask_ = size - 1;
  }

  bool move_into(uint64_t *slots, size_t mask) const {
    constexpr size_t AHEAD = 8;
    for (size_t slot = 0; slots_ && slot <= mask_; ++slot) {
      if (slot + AHEAD <= mask_) __builtin_prefetch(at(slot + AHEAD));
      if (slots_[slot] != 0 && !place(slots, mask, at(slot)->hash, slots_[slot])) return false;
    }
    return true;
  }

  void shrink() noexcept {
    try {
      rehash((mask_ + 1) / 4);
    } catch (const std::bad_alloc &) {
      // It stays as large as it is.
    }
  }

  std::unique_ptr<uint64_t[]> slots_;
  size_t mask_ = 0;
  size_t count_ = 0;
};

} // namespace memory
