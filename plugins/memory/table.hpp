// SPDX-License-Identifier: Apache-2.0
// The table that finds an entry by its key: buckets of nine entries, each one line of the processor's cache. A byte of
// each key's hash stands in the bucket, so a look-up reads one line of the table and then, nearly always, only the
// entry that it wants. A bucket counts the entries that passed it because it was full, and a look-up goes on to the
// next bucket only if there are any.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "entry.hpp"
#include "ref.hpp"

namespace memory {

/// Owns no entry. Not safe for threads: the shard's lock is held.
class Table {
public:
  static constexpr size_t NONE = ~size_t{0};

  explicit Table(uint64_t seed = 0) : seed_(seed) {}
  Table(const Table &) = delete;
  Table &operator=(const Table &) = delete;
  ~Table() { release(buckets_, buckets()); }

  size_t count() const { return count_; }
  size_t buckets() const { return buckets_count_; }

  /// The slot of the key's entry, or NONE.
  size_t find(uint64_t hash, std::string_view key) const {
    return search(hash, [&](const Entry *entry) { return entry->key() == key; });
  }

  /// The entry that is most likely the key's, without a look at it; null where there is none. For prefetching.
  const Entry *guess(uint64_t hash) const {
    const size_t slot = search(hash, [](const Entry *) { return true; });
    return slot == NONE ? nullptr : at(slot);
  }

  Entry *at(size_t slot) const { return buckets_[slot / 16].refs[slot % 16].get(); }

  /// Makes room for one more. Throws std::bad_alloc and has changed nothing then.
  void reserve() {
    if ((count_ + 1) * 8 > buckets() * MOST_IN_8) rehash(buckets() + buckets() / 2 + 1);
  }

  /// Puts in an entry whose key is not there; after reserve.
  void insert(uint64_t hash, Entry *entry) noexcept {
    place(buckets_, buckets(), hash, Ref(entry));
    ++count_;
  }

  /// Another entry for the same key.
  void replace(size_t slot, Entry *entry) noexcept { buckets_[slot / 16].refs[slot % 16] = Ref(entry); }

  void erase(size_t slot) noexcept {
    const size_t last = slot / 16;
    for (size_t i = home(hash_of(at(slot)->key(), seed_), buckets()); i != last; i = next(i, buckets()))
      if (buckets_[i].passed != MANY) --buckets_[i].passed;
    buckets_[last].tags[slot % 16] = 0;
    --count_;
    if (buckets() >= 128 && count_ * 4 < buckets() * BUCKET) shrink();
  }

  /// Calls visit(entry) for the entries of the buckets from `begin` to `end`.
  template <typename Visit>
  void each(size_t begin, size_t end, Visit visit) const {
    for (size_t i = begin; i < std::min(end, buckets()); ++i)
      for (uint32_t taken = buckets_[i].taken(); taken != 0; taken &= taken - 1)
        visit(buckets_[i].refs[static_cast<size_t>(std::countr_zero(taken))].get());
  }
  template <typename Visit>
  void each(Visit visit) const {
    each(0, buckets(), visit);
  }

  /// Where a look-up of the hash begins: for prefetching.
  const void *home(uint64_t hash) const { return buckets() == 0 ? nullptr : &buckets_[home(hash, buckets())]; }

  void swap(Table &other) noexcept {
    std::swap(buckets_, other.buckets_);
    std::swap(buckets_count_, other.buckets_count_);
    std::swap(count_, other.count_);
    std::swap(seed_, other.seed_);
  }

private:
  static constexpr size_t BUCKET = 9;     // entries in a bucket
  static constexpr size_t MOST_IN_8 = 60; // entries in eight buckets, on average, before there are more buckets
  static constexpr uint8_t MANY = 255;    // the count of those that passed is lost

  struct alignas(64) Bucket {
    std::array<uint8_t, BUCKET> tags; // 0: the place is free
    uint8_t passed;                   // entries whose look-ups begin here or before, and that stand behind
    std::array<Ref, BUCKET> refs;

    /// A bit for each place that has the tag.
    uint32_t match(uint8_t tag) const {
      constexpr uint32_t ALL = (1u << BUCKET) - 1;
#if defined(__SSE2__)
      const __m128i bytes = _mm_load_si128(reinterpret_cast<const __m128i *>(this));
      return static_cast<uint32_t>(_mm_movemask_epi8(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(static_cast<char>(tag))))) &
             ALL;
#else
      uint32_t found = 0;
      for (size_t i = 0; i < BUCKET; ++i) found |= static_cast<uint32_t>(tags[i] == tag) << i;
      return found & ALL;
#endif
    }
    uint32_t taken() const { return match(0) ^ ((1u << BUCKET) - 1); }
  };
  static_assert(sizeof(Bucket) == 64);

  // The shard is chosen by the upper bits of a hash, the bucket by the lower half.
  static uint8_t tag_of(uint64_t hash) {
    const auto tag = static_cast<uint8_t>(hash >> 36);
    return tag == 0 ? 1 : tag;
  }
  static size_t home(uint64_t hash, size_t buckets) { return (hash & 0xffffffff) * buckets >> 32; }
  static size_t next(size_t bucket, size_t buckets) { return ++bucket == buckets ? 0 : bucket; }

  template <typename Is>
  size_t search(uint64_t hash, Is is) const {
    if (count_ == 0) return NONE;
    const uint8_t tag = tag_of(hash);
    size_t i = home(hash, buckets());
    for (size_t looked = 0; looked < buckets(); ++looked) {
      const Bucket &bucket = buckets_[i];
      for (uint32_t found = bucket.match(tag); found != 0; found &= found - 1) {
        const auto place = static_cast<size_t>(std::countr_zero(found));
        if (is(bucket.refs[place].get())) return i * 16 + place;
      }
      if (bucket.passed == 0) return NONE;
      i = next(i, buckets());
    }
    return NONE;
  }

  static void place(Bucket *buckets, size_t count, uint64_t hash, Ref ref) noexcept {
    size_t i = home(hash, count);
    uint32_t free;
    for (; (free = buckets[i].match(0)) == 0; i = next(i, count))
      if (buckets[i].passed != MANY) ++buckets[i].passed;
    const auto place = static_cast<size_t>(std::countr_zero(free));
    buckets[i].tags[place] = tag_of(hash);
    buckets[i].refs[place] = ref;
  }

  void rehash(size_t count) {
    Bucket *fresh = acquire(count);
    for (size_t i = 0; i < buckets(); ++i) {
      if (i + 1 < buckets()) each(i + 1, i + 2, [](const Entry *entry) { __builtin_prefetch(entry); });
      each(i, i + 1, [&](const Entry *entry) { place(fresh, count, hash_of(entry->key(), seed_), Ref(entry)); });
    }
    release(buckets_, buckets());
    buckets_ = fresh;
    buckets_count_ = count;
  }

  void shrink() noexcept {
    try {
      rehash(buckets() / 2);
    } catch (const std::bad_alloc &) {
      // It stays as large as it is.
    }
  }

  // Pieces of memory are aligned to 16 bytes: the address of the piece itself stands in front of the buckets.

  static Bucket *acquire(size_t count) {
    char *piece = static_cast<char *>(take_piece(bytes_of(count)));
    char *first = piece + 64 - reinterpret_cast<uintptr_t>(piece) % 64;
    std::memcpy(first - sizeof piece, &piece, sizeof piece);
    std::memset(first, 0, count * sizeof(Bucket));
    return reinterpret_cast<Bucket *>(first);
  }
  static void release(Bucket *buckets, size_t count) noexcept {
    if (!buckets) return;
    char *piece;
    std::memcpy(&piece, reinterpret_cast<char *>(buckets) - sizeof piece, sizeof piece);
    give_piece(piece, bytes_of(count));
  }
  static size_t bytes_of(size_t count) { return (count + 1) * sizeof(Bucket); }

  Bucket *buckets_ = nullptr;
  size_t buckets_count_ = 0;
  size_t count_ = 0;
  uint64_t seed_;
};

} // namespace memory
