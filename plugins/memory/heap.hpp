// SPDX-License-Identifier: Apache-2.0
// Memory for entries. Slots of one size stand side by side in a slab of 32 KiB, so that an entry costs its own bytes
// rounded up to 8, and no word of an allocator's. A slab that is empty goes back to the system. Slabs that are mostly
// empty can be chosen to leave: nothing new comes into them, and the store moves what is left in them elsewhere.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "lock.hpp"
#include "pages.hpp"

namespace memory {

/// Safe for threads.
class alignas(64) Heap {
public:
#if defined(__SANITIZE_ADDRESS__)
  static constexpr size_t LARGEST = 0; // the sanitizer sees what is done with every entry
#else
  static constexpr size_t LARGEST = 2040; // bytes of a slot; a larger entry comes from the allocator
#endif

private:
  static constexpr size_t SLAB = size_t{32} * 1024, HEADER = 64, ROOM = SLAB - HEADER;
  static constexpr size_t CHUNK = size_t{1024} * 1024; // mapped at a time
  static constexpr size_t FINE = 512; // up to here there is a size for each multiple of 8; then those that fill a slab
  static constexpr size_t FINE_KINDS = FINE / 8, KINDS = 128;
  static constexpr size_t KEPT = 4; // empty slabs that do not go back: they are wanted again at once, most often

  struct Size {
    uint16_t capacity, taken; // bytes of a slot; with its share of the slab
  };
  /// By eighths of the bytes that are asked for.
  static constexpr std::array<Size, 256> SIZES = [] {
    std::array<Size, 256> sizes{};
    for (size_t i = 1; i < sizes.size(); ++i) {
      const size_t bytes = i * 8, size = bytes <= FINE ? bytes : ROOM / (ROOM / bytes) / 8 * 8, slots = ROOM / size;
      sizes[i] = {static_cast<uint16_t>(size), static_cast<uint16_t>((SLAB + slots - 1) / slots)};
    }
    return sizes;
  }();

public:
  Heap() = default;
  Heap(const Heap &) = delete;
  Heap &operator=(const Heap &) = delete;
  /// Everything was released.
  ~Heap() {
    for (char *chunk : chunks_) ::munmap(chunk, CHUNK);
  }

  /// The bytes that are at hand where `bytes` are asked for.
  static constexpr size_t capacity(size_t bytes) {
    return bytes > LARGEST ? (bytes + 8 + 15) / 16 * 16 - 8 : SIZES[(bytes + 7) / 8].capacity;
  }
  /// The memory that these bytes take, all told.
  static size_t taken(size_t bytes) {
    return bytes > LARGEST ? taken_piece(capacity(bytes)) : SIZES[(bytes + 7) / 8].taken;
  }

  /// Returns a place of capacity(bytes), aligned to 8. Throws std::bad_alloc.
  void *allocate(size_t bytes) {
    const size_t size = capacity(bytes);
    if (bytes > LARGEST) return in_reach(take_piece(size), size);
    const std::lock_guard guard(lock_);
    Slab *slab = open_[kind_of(size)];
    if (!slab) slab = add(size);
    char *place;
    if (slab->free != 0) {
      place = slab->slot(slab->free - 1u);
      slab->free = next_of(place);
    } else {
      place = slab->slot(slab->fresh++);
    }
    if (++slab->used == slab->slots) unlink(slab);
    live_ += size;
    return place;
  }

  /// Releases a place that some heap returned for as many bytes.
  static void release(void *place, size_t bytes) noexcept {
    if (bytes > LARGEST) return give_piece(place, capacity(bytes));
    Slab *slab = slab_of(place);
    slab->heap->release(slab, static_cast<char *>(place));
  }

  /// Whether a place of as many bytes lies in a slab that was chosen to leave.
  static bool leaves(const void *place, size_t bytes) {
    return bytes <= LARGEST && slab_of(place)->leaving.load(std::memory_order_relaxed);
  }

  /// Whether more than a ninth of the slabs' memory lies idle, and giving it back is possible.
  bool wasteful() const { return wasteful_.load(std::memory_order_relaxed); }

  /// Chooses the emptiest slabs of each size to leave, as many as fit into the others.
  void choose() {
    const std::lock_guard guard(lock_);
    std::vector<Slab *> slabs;
    for (Slab *first : open_) {
      slabs.clear();
      size_t room = 0;
      for (Slab *slab = first; slab; slab = slab->next) slabs.push_back(slab), room += slab->slots - slab->used;
      std::sort(slabs.begin(), slabs.end(), [](const Slab *a, const Slab *b) { return a->used < b->used; });
      size_t moving = 0;
      for (Slab *slab : slabs) {
        room -= slab->slots - slab->used;
        if ((moving += slab->used) > room) break;
        leaving_.push_back(slab);
        unlink(slab);
        slab->leaving.store(true, std::memory_order_relaxed);
      }
    }
  }

  /// Gives the memory of empty slabs back to the system, but for a few.
  void give_back() noexcept {
    std::array<char *, 256> slabs;
    for (size_t count = slabs.size(); count == slabs.size();) {
      {
        const std::lock_guard guard(lock_);
        for (count = 0; count != slabs.size() && empty_.size() > KEPT; empty_.pop_back())
          slabs[count++] = empty_.back();
      }
      std::sort(slabs.begin(), slabs.begin() + count);
      for (size_t begin = 0, end = 0; begin != count; begin = end) { // slabs that stand side by side go at once
        while (++end != count && slabs[end] == slabs[end - 1] + SLAB) continue;
        ::madvise(slabs[begin], (end - begin) * SLAB, MADV_DONTNEED);
      }
      const std::lock_guard guard(lock_);
      cold_.insert(cold_.end(), slabs.begin(), slabs.begin() + count); // there is room for all slabs
      judge();
    }
  }

  /// Ends what choose began: slabs that are not empty yet stay.
  void settle() noexcept {
    const std::lock_guard guard(lock_);
    for (Slab *slab : std::exchange(leaving_, {})) {
      if (!slab->leaving.load(std::memory_order_relaxed)) continue; // it is empty, or in use again
      slab->leaving.store(false, std::memory_order_relaxed);
      link(slab);
    }
    judge();
  }

private:
  struct Slab {
    Heap *heap;
    Slab *next, *previous; // among those of its size that have room
    uint32_t size, slots;
    uint16_t used, fresh; // slots that are taken; that were ever taken
    uint16_t free;        // the first of the free ones among the latter, counted from 1; 0: none
    std::atomic<bool> leaving;

    char *slot(size_t number) { return reinterpret_cast<char *>(this) + HEADER + number * size; }
    uint16_t number(const char *place) { return static_cast<uint16_t>((place - slot(0)) / static_cast<long>(size)); }
  };
  static_assert(sizeof(Slab) <= HEADER);

  static size_t kind_of(size_t size) { return size <= FINE ? size / 8 - 1 : FINE_KINDS + (64 - ROOM / size); }
  static Slab *slab_of(const void *place) {
    return reinterpret_cast<Slab *>(reinterpret_cast<uintptr_t>(place) & ~(SLAB - 1));
  }
  static uint16_t next_of(const char *slot) { return *reinterpret_cast<const uint16_t *>(slot); }

  /// The tables keep addresses in six bytes, and Linux uses no more unless asked to.
  static void *in_reach(void *place, size_t bytes) {
    if (reinterpret_cast<uintptr_t>(place) >> 48 == 0) return place;
    give_piece(place, bytes);
    throw std::bad_alloc();
  }

  void release(Slab *slab, char *place) noexcept {
    const std::lock_guard guard(lock_);
    *reinterpret_cast<uint16_t *>(place) = slab->free;
    slab->free = static_cast<uint16_t>(slab->number(place) + 1);
    live_ -= slab->size;
    if (slab->used-- == slab->slots) link(slab);
    if (slab->used == 0) retire(slab);
    judge();
  }

  void judge() noexcept {
    const size_t taken = (in_use_ + empty_.size()) * SLAB, needed = live_ + (kinds_open_ + KEPT) * SLAB;
    const bool wasteful = taken > needed + needed / 8;
    if (wasteful != wasteful_.load(std::memory_order_relaxed)) wasteful_.store(wasteful, std::memory_order_relaxed);
  }

  // Slabs that have room, and do not leave, are linked.

  void link(Slab *slab) noexcept {
    Slab *&first = open_[kind_of(slab->size)];
    if (!first) ++kinds_open_;
    slab->next = first;
    slab->previous = nullptr;
    if (first) first->previous = slab;
    first = slab;
  }
  void unlink(Slab *slab) noexcept {
    Slab *&first = open_[kind_of(slab->size)];
    (slab->previous ? slab->previous->next : first) = slab->next;
    if (slab->next) slab->next->previous = slab->previous;
    if (!first) --kinds_open_;
  }

  Slab *add(size_t size) {
    if (empty_.empty() && cold_.empty()) map_chunk();
    size_t &slabs = slabs_[kind_of(size)];
    char *place;
    if (!empty_.empty()) {
      place = empty_.back();
      empty_.pop_back();
    } else {
      place = cold_.back();
      cold_.pop_back();
      // Where there are some already this one is soon full: its pages come at once, for half of what they cost one by
      // one.
      if (slabs >= 4) populate(place);
    }
    Slab *slab = new (place) Slab{};
    slab->heap = this;
    slab->size = static_cast<uint32_t>(size);
    slab->slots = static_cast<uint32_t>(ROOM / size);
    ++slabs;
    ++in_use_;
    link(slab);
    return slab;
  }
  static void populate(char *slab) noexcept {
#if defined(MADV_POPULATE_WRITE)
    ::madvise(slab, SLAB, MADV_POPULATE_WRITE); // an older system does not know it
#else
    static_cast<void>(slab);
#endif
  }

  /// The slab stays in memory until give_back: often it is wanted again at once.
  void retire(Slab *slab) noexcept {
    if (!slab->leaving.exchange(false, std::memory_order_relaxed)) unlink(slab);
    --slabs_[kind_of(slab->size)];
    --in_use_;
    empty_.push_back(reinterpret_cast<char *>(slab));
  }

  /// Throws std::bad_alloc and has changed nothing then.
  void map_chunk() {
    const size_t slabs = (chunks_.size() + 1) * (CHUNK / SLAB);
    if (cold_.capacity() < slabs) cold_.reserve(slabs * 2);
    if (empty_.capacity() < slabs) empty_.reserve(slabs * 2);
    if (chunks_.size() == chunks_.capacity()) chunks_.reserve(chunks_.size() * 2 + 4);
    // Slabs begin at multiples of their size: what is mapped too much around them is given back.
    auto mapped = static_cast<char *>(in_reach(map_pages(CHUNK + SLAB), CHUNK + SLAB));
    const size_t before = (SLAB - reinterpret_cast<uintptr_t>(mapped) % SLAB) % SLAB;
    if (before != 0) ::munmap(mapped, before);
    mapped += before;
    ::munmap(mapped + CHUNK, SLAB - before);
    chunks_.push_back(mapped);
    for (size_t at = CHUNK; at != 0; at -= SLAB) cold_.push_back(mapped + at - SLAB);
  }

  Lock lock_;
  std::atomic<bool> wasteful_{false};
  size_t live_ = 0;   // bytes of the slots that are taken
  size_t in_use_ = 0; // slabs that are not empty
  size_t kinds_open_ = 0;
  std::array<Slab *, KINDS> open_{};  // by size: those that have room
  std::vector<Slab *> leaving_;       // between choose and settle
  std::array<size_t, KINDS> slabs_{}; // by size: those that are not empty
  std::vector<char *> empty_, cold_;  // slabs without a slot taken; the cold ones take no memory
  std::vector<char *> chunks_;
};

} // namespace memory
