// SPDX-License-Identifier: Apache-2.0
// An entry is a key and its value in one piece of memory, after a short header. Fields that most entries do not need
// exist only in the entries that need them. The hash of a key is here too.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

#include "entry/heap.hpp"
#include "entry/pages.hpp"

namespace memory {

constexpr uint32_t no_place = std::numeric_limits<uint32_t>::max();

/// A value of this size or more is long: it has a piece of memory of its own, which its readers share.
constexpr uint64_t long_value = 16 * 1024;

/// The bytes of a long value. They never change. The entry owns the block, and so does each reader that copies it while
/// no lock is held, and each loan; the last owner frees it. Thread-safe.
class Block {
public:
  /// Throws std::bad_alloc.
  static Block *make(std::string_view value) {
    auto *block = new (allocate_piece(sizeof(Block) + value.size())) Block(value.size());
    std::memcpy(reinterpret_cast<char *>(block + 1), value.data(), value.size());
    return block;
  }
  static uint64_t cost(uint64_t size) { return size_of_piece(sizeof(Block) + size); }

  std::string_view value() const { return {reinterpret_cast<const char *>(this + 1), size_}; }
  void share() { owners_.fetch_add(1, std::memory_order_relaxed); }
  void release() noexcept {
    if (owners_.fetch_sub(1, std::memory_order_acq_rel) == 1) release_piece(this, sizeof(Block) + size_);
  }

private:
  explicit Block(uint64_t size) : size_(size) {}

  std::atomic<uint64_t> owners_{1};
  uint64_t size_;
};

struct ReleaseBlock {
  void operator()(Block *block) const noexcept { block->release(); }
};
using SharedBlock = std::unique_ptr<Block, ReleaseBlock>;

/// The properties that decide how much memory an entry takes.
struct Shape {
  uint64_t key_size, value_size, user_size;
  bool framed, timed; // has a place in the clock; has room for an expiry
};

/// After the header lie, in this order: the place in the clock, if the entry is framed; the place among the timers and
/// the expiry, if it is timed; the key; the size and the bytes of the user meta, if there is any; the value, or the
/// address of its block if the value is long. The lock of the entry's shard guards all of it.
#pragma pack(push, 4)
class Entry {
public:
  static constexpr unsigned clock_bits = 14; // of a version: they count the writes of a shard within one millisecond

  /// The etag: it differs for each write of the key and is never 0. Its upper part is the time of the write.
  uint64_t version() const { return version_; }
  void set_version(uint64_t version) { version_ = version & ((uint64_t{1} << 56) - 1); }
  /// Returns the lowest version of a write at a time in Unix milliseconds.
  static uint64_t version_at(int64_t time) {
    return static_cast<uint64_t>(std::clamp<int64_t>(time, 1, (int64_t{1} << 42) - 1)) << clock_bits;
  }
  static int64_t time_of(uint64_t version) { return static_cast<int64_t>(version >> clock_bits); }
  /// The time of the last set, in Unix milliseconds.
  int64_t mtime() const { return time_of(version_); }

  bool touched() const { return touched_; } // it was used since the clock's hand last passed it
  void touch(bool touched) { touched_ = touched; }
  bool framed() const { return framed_; }
  bool timed() const { return timed_; }
  bool is_long() const { return long_; }

  /// Its place in the shard's clock, or no_place.
  uint32_t frame() const { return framed_ ? load<uint32_t>(sizeof(Entry)) : no_place; }
  /// Its place among the shard's timers, or no_place.
  uint32_t timer() const { return timed_ ? load<uint32_t>(timer_at()) : no_place; }
  /// The time at which it expires, in Unix milliseconds; 0: never.
  int64_t expiry() const { return timed_ ? load<int64_t>(timer_at() + 4) : 0; }
  bool expired(int64_t now) const { return timed_ && expiry() != 0 && expiry() <= now; }
  void set_frame(uint32_t frame) { store(sizeof(Entry), frame); }    // only if it is framed
  void set_timer(uint32_t timer) { store(timer_at(), timer); }       // only if it is timed
  void set_expiry(int64_t expiry) { store(timer_at() + 4, expiry); } // only if it is timed

  std::string_view key() const { return {bytes() + key_at(), key_size_}; }
  /// The user meta; empty: there is none.
  std::string_view user() const {
    if (!has_user_) return {};
    const size_t at = key_at() + key_size_;
    return {bytes() + at + 4, load<uint32_t>(at)};
  }
  std::string_view value() const {
    return long_ ? block()->value() : std::string_view(bytes() + value_at(), value_size_);
  }
  uint64_t value_size() const { return long_ ? block()->value().size() : value_size_; }
  /// The value must be long.
  Block *block() const { return load<Block *>(value_at()); }

  /// Returns the memory that it takes, with its value and its share of table, index, clock and timers.
  uint64_t cost() const;
  /// Returns true if its slab is being emptied.
  bool is_leaving() const { return Heap::is_leaving(this, capacity()); }

  /// Prefetches the first lines of the entry.
  void fetch() const {
    for (size_t line = 0; line < 4; ++line) __builtin_prefetch(bytes() + line * 64);
  }

private:
  friend class EntryMaker;
  friend class RetiredEntries;
  friend struct FreeEntry;

  template <typename T>
  T load(size_t at) const {
    T value;
    std::memcpy(&value, bytes() + at, sizeof value);
    return value;
  }
  template <typename T>
  void store(size_t at, T value) {
    std::memcpy(bytes() + at, &value, sizeof value);
  }
  const char *bytes() const { return reinterpret_cast<const char *>(this); }
  char *bytes() { return reinterpret_cast<char *>(this); }
  size_t timer_at() const { return sizeof(Entry) + (framed_ ? 4 : 0); }
  size_t key_at() const { return timer_at() + (timed_ ? 12 : 0); }
  size_t value_at() const { return key_at() + key_size_ + (has_user_ ? 4 + user().size() : 0); }
  size_t size() const { return value_at() + (long_ ? sizeof(Block *) : value_size_); }
  size_t capacity() const { return (size() + 7) / 8 * 8 + spare_ * 8; }

  // 12 bytes in all.
  uint64_t version_ : 56;
  uint64_t spare_ : 8; // unused bytes of its slot, in steps of 8
  uint32_t key_size_ : 13;
  uint32_t value_size_ : 14;
  uint32_t touched_ : 1;
  uint32_t framed_ : 1;
  uint32_t timed_ : 1;
  uint32_t has_user_ : 1;
  uint32_t long_ : 1;
};
#pragma pack(pop)
static_assert(sizeof(Entry) == 12);

/// The memory that the structures around an entry take for it: table and index, clock, timers.
constexpr uint64_t share_of_index = 20, share_of_clock = 12, share_of_timers = 24;

/// Returns the whole memory that an entry of such a shape takes.
inline uint64_t cost(const Shape &shape) {
  const bool is_long = shape.value_size >= long_value;
  const uint64_t size = sizeof(Entry) + (shape.framed ? 4 : 0) + (shape.timed ? 12 : 0) + shape.key_size +
                        (shape.user_size != 0 ? 4 + shape.user_size : 0) +
                        (is_long ? sizeof(Block *) : shape.value_size);
  return Heap::taken(size) + (is_long ? Block::cost(shape.value_size) : 0) + share_of_index +
         (shape.framed ? share_of_clock : 0) + (shape.timed ? share_of_timers : 0);
}
inline uint64_t Entry::cost() const {
  return Heap::taken(capacity()) + (long_ ? Block::cost(value_size()) : 0) + share_of_index +
         (framed_ ? share_of_clock : 0) + (timed_ ? share_of_timers : 0);
}

struct FreeEntry {
  void operator()(Entry *entry) const noexcept {
    if (entry->long_) entry->block()->release();
    Heap::release(entry, entry->capacity());
  }
};
using OwnedEntry = std::unique_ptr<Entry, FreeEntry>;

/// The new content of an entry. A long value is in `block`.
struct Content {
  std::string_view value, user;
  int64_t expiry = 0;
  SharedBlock block = nullptr;

  static Content of(std::string_view value, std::string_view user, int64_t expiry) {
    return {value, user, expiry, SharedBlock(value.size() >= long_value ? Block::make(value) : nullptr)};
  }
  uint64_t value_room() const { return block ? sizeof(Block *) : value.size(); }
};

class EntryMaker {
public:
  /// Makes a new entry, without a version. Throws std::bad_alloc.
  static OwnedEntry make(Heap &heap, std::string_view key, Content &content, bool framed) {
    const bool timed = content.expiry != 0;
    const size_t size = sizeof(Entry) + (framed ? 4 : 0) + (timed ? 12 : 0) + key.size() + tail_of(content);
    auto *entry = new (heap.allocate(size)) Entry{};
    entry->key_size_ = static_cast<uint32_t>(key.size());
    entry->framed_ = framed;
    entry->timed_ = timed;
    if (framed) entry->set_frame(no_place);
    if (timed) entry->set_timer(no_place);
    std::memcpy(entry->bytes() + entry->key_at(), key.data(), key.size());
    fill(*entry, content, Heap::capacity(size));
    return OwnedEntry(entry);
  }

  /// Overwrites the entry in its slot and returns true. If the slot is too small, or much too large, it changes nothing
  /// and returns false. Afterwards `content` holds the block that the entry had.
  static bool rewrite(Entry &entry, Content &content) {
    if (content.expiry != 0 && !entry.timed_) return false;
    const size_t size = entry.key_at() + entry.key_size_ + tail_of(content), capacity = entry.capacity();
    if (size > capacity || capacity - size > 32 + size / 4) return false;
    fill(entry, content, capacity);
    return true;
  }

  /// Copies an entry, with its version but another user meta and expiry. Throws std::bad_alloc.
  static OwnedEntry copy(Heap &heap, const Entry &entry, std::string_view user, int64_t expiry) {
    Content content{entry.long_ ? std::string_view() : entry.value(), user, expiry};
    if (entry.long_) entry.block()->share(), content.block.reset(entry.block());
    OwnedEntry made = make(heap, entry.key(), content, entry.framed_);
    made->version_ = entry.version_;
    made->touched_ = entry.touched_;
    return made;
  }

private:
  /// The bytes that follow the key.
  static size_t tail_of(const Content &content) {
    return (content.user.empty() ? 0 : 4 + content.user.size()) + content.value_room();
  }

  static void fill(Entry &entry, Content &content, size_t capacity) {
    Block *old = entry.long_ ? entry.block() : nullptr;
    if (entry.timed_) entry.set_expiry(content.expiry);
    entry.has_user_ = !content.user.empty();
    if (entry.has_user_) {
      const size_t at = entry.key_at() + entry.key_size_;
      entry.store(at, static_cast<uint32_t>(content.user.size()));
      std::memcpy(entry.bytes() + at + 4, content.user.data(), content.user.size());
    }
    entry.long_ = content.block != nullptr;
    if (entry.long_) {
      entry.value_size_ = 0;
      entry.store(entry.value_at(), content.block.release());
    } else {
      entry.value_size_ = static_cast<uint32_t>(content.value.size());
      if (!content.value.empty())
        std::memcpy(entry.bytes() + entry.value_at(), content.value.data(), content.value.size());
    }
    content.block.reset(old);
    entry.spare_ = (capacity - (entry.size() + 7) / 8 * 8) / 8;
  }
};

/// Collects entries that are removed while a lock is held, and frees them in its destructor. Declare it before the lock
/// guard, so that the memory is freed after the lock is released.
class RetiredEntries {
public:
  RetiredEntries() = default;
  RetiredEntries(const RetiredEntries &) = delete;
  RetiredEntries &operator=(const RetiredEntries &) = delete;
  ~RetiredEntries() {
    while (last_) FreeEntry()(std::exchange(last_, reinterpret_cast<Entry *>(uintptr_t{last_->version_})));
  }

  /// The caller holds the lock of the entry's shard.
  void add(Entry *entry) noexcept {
    entry->version_ = reinterpret_cast<uintptr_t>(last_) & ((uint64_t{1} << 56) - 1);
    last_ = entry;
  }

private:
  Entry *last_ = nullptr;
};

inline uint64_t read64(const char *at) {
  uint64_t word;
  std::memcpy(&word, at, 8);
  return word;
}
/// Turns a word that was read from memory into one that compares as its eight bytes do.
template <std::endian order = std::endian::native>
constexpr uint64_t as_bytes_compare(uint64_t word) {
  static_assert(order == std::endian::little || order == std::endian::big);
  return order == std::endian::little ? __builtin_bswap64(word) : word;
}
inline uint32_t read32(const char *at) {
  uint32_t word;
  std::memcpy(&word, at, 4);
  return word;
}
/// Multiplies two words and folds both halves of the product together: the step of wyhash.
inline uint64_t fold(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

/// A hash in the manner of wyhash. The seed is secret, so that nobody can send keys that all collide.
inline uint64_t hash_of(std::string_view key, uint64_t seed) {
  constexpr uint64_t prime_a = 0xa0761d6478bd642full, prime_b = 0xe7037ed1a0b428dbull;
  const char *at = key.data();
  size_t left = key.size();
  uint64_t state = seed;
  for (; left > 16; at += 16, left -= 16) state = fold(read64(at) ^ prime_a, read64(at + 8) ^ state);
  uint64_t first, second;
  if (left >= 8) {
    first = read64(at), second = read64(at + left - 8);
  } else if (left >= 4) {
    first = read32(at), second = read32(at + left - 4);
  } else if (left > 0) {
    first = static_cast<uint64_t>(static_cast<unsigned char>(at[0])) << 16 |
            static_cast<uint64_t>(static_cast<unsigned char>(at[left / 2])) << 8 |
            static_cast<unsigned char>(at[left - 1]);
    second = 0;
  } else {
    first = second = 0;
  }
  return fold(prime_b ^ key.size(), fold(first ^ prime_b, second ^ state));
}

} // namespace memory
