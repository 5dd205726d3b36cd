// SPDX-License-Identifier: Apache-2.0
// Memory for entries. A slab of 32 KiB is divided into slots of one size, so that an entry costs its own bytes, rounded
// up to 8, and no header of an allocator. An empty slab can go back to the system. To empty slabs that are mostly
// unused, the store calls choose(): the heap puts nothing new into the chosen slabs, and the store moves their entries
// elsewhere.
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

#include "entry/pages.hpp"
#include "shard/lock.hpp"

namespace memory {

/// Thread-safe.
class alignas(64) Heap {
public:
#if defined(__SANITIZE_ADDRESS__)
  static constexpr size_t max_slot = 0; // every entry comes from the allocator, so that the sanitizer sees its use
#else
  static constexpr size_t max_slot = 2040; // bytes of the largest slot; a larger entry comes from the allocator
#endif

private:
  static constexpr size_t slab_size = size_t{32} * 1024, slab_header = 64, slab_room = slab_size - slab_header;
  static constexpr size_t chunk_size = size_t{1024} * 1024; // bytes that are mapped at a time
  static constexpr size_t fine_limit =
      512; // slots up to here have every multiple of 8; larger ones divide a slab evenly
  static constexpr size_t fine_kinds = fine_limit / 8, kind_count = 128;
  static constexpr size_t kept_slabs = 4; // empty slabs that stay: most often they are needed again soon

  struct Size {
    uint16_t capacity, taken; // bytes of a slot; and with its share of the slab's header
  };
  /// Indexed by the requested bytes, divided by 8.
  static constexpr std::array<Size, 256> size_classes = [] {
    std::array<Size, 256> sizes{};
    for (size_t i = 1; i < sizes.size(); ++i) {
      const size_t bytes = i * 8, size = bytes <= fine_limit ? bytes : slab_room / (slab_room / bytes) / 8 * 8,
                   slots = slab_room / size;
      sizes[i] = {static_cast<uint16_t>(size), static_cast<uint16_t>((slab_size + slots - 1) / slots)};
    }
    return sizes;
  }();

public:
  Heap() = default;
  Heap(const Heap &) = delete;
  Heap &operator=(const Heap &) = delete;
  /// All slots must have been released.
  ~Heap() {
    for (char *chunk : chunks_) ::munmap(chunk, chunk_size);
  }

  /// Returns the usable bytes of a place for `bytes`.
  static constexpr size_t capacity(size_t bytes) {
    return bytes > max_slot ? (bytes + 8 + 15) / 16 * 16 - 8 : size_classes[(bytes + 7) / 8].capacity;
  }
  /// Returns the whole memory that a place for `bytes` takes.
  static size_t taken(size_t bytes) {
    return bytes > max_slot ? size_of_piece(capacity(bytes)) : size_classes[(bytes + 7) / 8].taken;
  }

  /// Returns a place of capacity(bytes), aligned to 8. Throws std::bad_alloc.
  void *allocate(size_t bytes) {
    const size_t size = capacity(bytes);
    if (bytes > max_slot) return in_reach(allocate_piece(size), size);
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

  /// Releases a place that any heap returned for `bytes`.
  static void release(void *place, size_t bytes) noexcept {
    if (bytes > max_slot) return release_piece(place, capacity(bytes));
    Slab *slab = slab_of(place);
    slab->heap->release(slab, static_cast<char *>(place));
  }

  /// Returns true if a place of `bytes` lies in a chosen slab.
  static bool is_leaving(const void *place, size_t bytes) {
    return bytes <= max_slot && slab_of(place)->leaving.load(std::memory_order_relaxed);
  }

  /// Returns true if more than a ninth of the slabs' memory lies idle and could be given back.
  bool wasteful() const { return wasteful_.load(std::memory_order_relaxed); }

  /// Chooses the emptiest slabs of each size: as many as the other slabs have room for.
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

  /// Gives the memory of empty slabs back to the system, except for a few.
  void give_back() noexcept {
    std::array<char *, 256> slabs;
    for (size_t count = slabs.size(); count == slabs.size();) {
      {
        const std::lock_guard guard(lock_);
        for (count = 0; count != slabs.size() && empty_.size() > kept_slabs; empty_.pop_back())
          slabs[count++] = empty_.back();
      }
      std::sort(slabs.begin(), slabs.begin() + count);
      for (size_t begin = 0, end = 0; begin != count; begin = end) { // one call for slabs that stand side by side
        while (++end != count && slabs[end] == slabs[end - 1] + slab_size) continue;
        ::madvise(slabs[begin], (end - begin) * slab_size, MADV_DONTNEED);
      }
      const std::lock_guard guard(lock_);
      cold_.insert(cold_.end(), slabs.begin(), slabs.begin() + count); // map_chunk() has reserved the room
      update_wasteful();
    }
  }

  /// Ends what choose() began. Slabs that are not empty yet are used again.
  void settle() noexcept {
    const std::lock_guard guard(lock_);
    for (Slab *slab : std::exchange(leaving_, {})) {
      if (!slab->leaving.load(std::memory_order_relaxed)) continue; // it is empty, or was empty and is used again
      slab->leaving.store(false, std::memory_order_relaxed);
      link(slab);
    }
    update_wasteful();
  }

private:
  struct Slab {
    Heap *heap;
    Slab *next, *previous; // in the list of slabs of its size that have room
    uint32_t size, slots;
    uint16_t used, fresh; // slots in use; slots that were ever in use
    uint16_t free;        // the first free slot among the latter, counted from 1; 0: none
    std::atomic<bool> leaving;

    char *slot(size_t number) { return reinterpret_cast<char *>(this) + slab_header + number * size; }
    uint16_t number(const char *place) { return static_cast<uint16_t>((place - slot(0)) / static_cast<long>(size)); }
  };
  static_assert(sizeof(Slab) <= slab_header);

  static size_t kind_of(size_t size) {
    return size <= fine_limit ? size / 8 - 1 : fine_kinds + (64 - slab_room / size);
  }
  static Slab *slab_of(const void *place) {
    return reinterpret_cast<Slab *>(reinterpret_cast<uintptr_t>(place) & ~(slab_size - 1));
  }
  static uint16_t next_of(const char *slot) { return *reinterpret_cast<const uint16_t *>(slot); }

  /// Refuses an address that does not fit into six bytes (ref.hpp).
  static void *in_reach(void *place, size_t bytes) {
    if (reinterpret_cast<uintptr_t>(place) >> 48 == 0) return place;
    release_piece(place, bytes);
    throw std::bad_alloc();
  }

  void release(Slab *slab, char *place) noexcept {
    const std::lock_guard guard(lock_);
    *reinterpret_cast<uint16_t *>(place) = slab->free;
    slab->free = static_cast<uint16_t>(slab->number(place) + 1);
    live_ -= slab->size;
    if (slab->used-- == slab->slots) link(slab);
    if (slab->used == 0) retire(slab);
    update_wasteful();
  }

  void update_wasteful() noexcept {
    const size_t taken = (in_use_ + empty_.size()) * slab_size, needed = live_ + (kinds_open_ + kept_slabs) * slab_size;
    const bool wasteful = taken > needed + needed / 8;
    if (wasteful != wasteful_.load(std::memory_order_relaxed)) wasteful_.store(wasteful, std::memory_order_relaxed);
  }

  // The lists hold the slabs that have room and are not chosen.

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
      // If there are several slabs of this size already, this one will soon be full. All its pages at once cost half of
      // what they cost one by one.
      if (slabs >= 4) populate(place);
    }
    Slab *slab = new (place) Slab{};
    slab->heap = this;
    slab->size = static_cast<uint32_t>(size);
    slab->slots = static_cast<uint32_t>(slab_room / size);
    ++slabs;
    ++in_use_;
    link(slab);
    return slab;
  }
  static void populate(char *slab) noexcept {
#if defined(MADV_POPULATE_WRITE)
    ::madvise(slab, slab_size, MADV_POPULATE_WRITE); // a kernel before 5.14 does not know it
#else
    static_cast<void>(slab);
#endif
  }

  /// The slab stays in memory until give_back(), since it is often needed again soon.
  void retire(Slab *slab) noexcept {
    if (!slab->leaving.exchange(false, std::memory_order_relaxed)) unlink(slab);
    --slabs_[kind_of(slab->size)];
    --in_use_;
    empty_.push_back(reinterpret_cast<char *>(slab));
  }

  /// If it throws std::bad_alloc, nothing has changed.
  void map_chunk() {
    const size_t slabs = (chunks_.size() + 1) * (chunk_size / slab_size);
    if (cold_.capacity() < slabs) cold_.reserve(slabs * 2);
    if (empty_.capacity() < slabs) empty_.reserve(slabs * 2);
    if (chunks_.size() == chunks_.capacity()) chunks_.reserve(chunks_.size() * 2 + 4);
    // A slab begins at a multiple of its size. The surplus before and after the slabs is unmapped.
    auto mapped = static_cast<char *>(in_reach(map_pages(chunk_size + slab_size), chunk_size + slab_size));
    const size_t before = (slab_size - reinterpret_cast<uintptr_t>(mapped) % slab_size) % slab_size;
    if (before != 0) ::munmap(mapped, before);
    mapped += before;
    ::munmap(mapped + chunk_size, slab_size - before);
    chunks_.push_back(mapped);
    for (size_t at = chunk_size; at != 0; at -= slab_size) cold_.push_back(mapped + at - slab_size);
  }

  Lock lock_;
  std::atomic<bool> wasteful_{false};
  size_t live_ = 0;   // bytes of the slots in use
  size_t in_use_ = 0; // slabs that are not empty
  size_t kinds_open_ = 0;
  std::array<Slab *, kind_count> open_{};  // by size: the lists of slabs that have room
  std::vector<Slab *> leaving_;            // the chosen slabs, between choose() and settle()
  std::array<size_t, kind_count> slabs_{}; // by size: the number of slabs that are not empty
  std::vector<char *> empty_, cold_;       // slabs without a used slot; cold ones take no memory
  std::vector<char *> chunks_;
};

} // namespace memory
