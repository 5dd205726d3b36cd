// SPDX-License-Identifier: Apache-2.0
// An entry: a key and its value in one piece of memory behind a fixed header, and the hash that keys are found by.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <string_view>
#include <utility>

namespace memory {

constexpr uint32_t NOWHERE = std::numeric_limits<uint32_t>::max();

/// The bytes of the key, then the room for the value, follow the header; then, if it has any, the size and the bytes of
/// the user's own meta. All of it belongs to the shard whose lock is held.
struct Entry {
  uint64_t version;    // another one at each write of the key, never 0: the etag
  int64_t mtime;       // when it was last set, Unix milliseconds
  int64_t expiry;      // when it ends; 0: never
  uint32_t value_size; // bytes
  uint32_t capacity;   // bytes that a value in this place may take
  uint32_t hash;       // the low half of the key's hash
  uint32_t timer;      // its place among the shard's timers, or NOWHERE
  uint32_t frame;      // its place in the shard's clock, or NOWHERE
  uint16_t key_size;   // bytes
  bool touched : 1;    // used since the clock's hand last passed
  bool has_user : 1;   // user meta lies behind the room for the value
  uint8_t pins;        // readers of its value without the lock: it is not changed, moved or freed until 0

  char *key_data() { return reinterpret_cast<char *>(this + 1); }
  char *value() { return key_data() + key_size; }
  std::string_view key() const { return {reinterpret_cast<const char *>(this + 1), key_size}; }
  /// The user's own meta; empty: none.
  std::string_view user() const {
    if (!has_user) return {};
    const char *at = reinterpret_cast<const char *>(this + 1) + key_size + capacity;
    uint32_t size;
    std::memcpy(&size, at, sizeof size);
    return {at + sizeof size, size};
  }
  /// Only for an entry that was made with room for as much.
  void put_user(std::string_view user) {
    char *at = value() + capacity;
    const auto size = static_cast<uint32_t>(user.size());
    std::memcpy(at, &size, sizeof size);
    std::memcpy(at + sizeof size, user.data(), user.size());
    has_user = true;
  }
  bool expired(int64_t now) const { return expiry != 0 && expiry <= now; }
};
static_assert(sizeof(Entry) == 48);

struct FreeEntry {
  void operator()(Entry *entry) const noexcept { std::free(entry); }
};
using OwnedEntry = std::unique_ptr<Entry, FreeEntry>;

/// Takes entries that were removed while a lock is held, and frees them when it goes: declare it before the lock.
class Graveyard {
public:
  Graveyard() = default;
  Graveyard(const Graveyard &) = delete;
  Graveyard &operator=(const Graveyard &) = delete;
  ~Graveyard() {
    while (last_) FreeEntry()(std::exchange(last_, earlier(last_)));
  }

  /// The lock of the entry's shard is held. One that is still being read is left to its last reader, which knows it by
  /// its version of 0.
  void bury(Entry *entry) noexcept {
    if (entry->pins != 0) {
      entry->version = 0;
      return;
    }
    entry->version = reinterpret_cast<uintptr_t>(last_);
    last_ = entry;
  }

private:
  static Entry *earlier(const Entry *entry) { return reinterpret_cast<Entry *>(entry->version); }

  Entry *last_ = nullptr;
};

/// What an allocator takes for `bytes`: its own word, and all in steps of 16.
constexpr uint64_t allocated(uint64_t bytes) { return (bytes + 8 + 15) / 16 * 16; }

/// What an entry costs beside its own memory: its share of the table, the index, the clock and the timers.
constexpr uint64_t SHARES = 48;

/// The memory that an entry with such a key and room for such a value takes.
constexpr uint64_t cost(uint64_t key_size, uint64_t capacity) {
  return allocated(sizeof(Entry) + key_size + capacity) + SHARES;
}
/// The room that user meta takes in an entry.
constexpr uint64_t room_of_user(uint64_t user_size) { return user_size == 0 ? 0 : sizeof(uint32_t) + user_size; }
inline uint64_t cost(const Entry &entry) {
  return cost(entry.key_size, uint64_t{entry.capacity} + room_of_user(entry.user().size()));
}

/// A new entry for a key with room for a value, its value not yet written, and with the user meta. Throws
/// std::bad_alloc.
inline OwnedEntry make_entry(std::string_view key, uint64_t value_size, std::string_view user = {}) {
  const uint64_t user_room = room_of_user(user.size());
  const uint64_t whole = allocated(sizeof(Entry) + key.size() + value_size + user_room) - 8;
  void *place = std::malloc(whole);
  // The table keeps a tag in the 16 upper bits of a pointer, which Linux leaves zero unless asked for more.
  if (place && reinterpret_cast<uintptr_t>(place) >> 48 != 0) std::free(place), place = nullptr;
  if (!place) throw std::bad_alloc();
  OwnedEntry entry(new (place) Entry{});
  entry->value_size = static_cast<uint32_t>(value_size);
  entry->capacity = static_cast<uint32_t>(std::min<uint64_t>(whole - sizeof(Entry) - key.size() - user_room, NOWHERE));
  entry->timer = entry->frame = NOWHERE;
  entry->key_size = static_cast<uint16_t>(key.size());
  std::memcpy(entry->key_data(), key.data(), key.size());
  if (!user.empty()) entry->put_user(user);
  return entry;
}

inline uint64_t read64(const char *at) {
  uint64_t word;
  std::memcpy(&word, at, 8);
  return word;
}
/// A word of eight bytes that lie in memory one after the other, so that words compare as the bytes do.
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
/// Both halves of a product folded together: the step of wyhash.
inline uint64_t fold(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

/// A hash after the manner of wyhash. The seed is secret, so that nobody can send keys that all collide.
inline uint64_t hash_of(std::string_view key, uint64_t seed) {
  constexpr uint64_t A = 0xa0761d6478bd642full, B = 0xe7037ed1a0b428dbull;
  const char *at = key.data();
  size_t left = key.size();
  uint64_t state = seed;
  for (; left > 16; at += 16, left -= 16) state = fold(read64(at) ^ A, read64(at + 8) ^ state);
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
  return fold(B ^ key.size(), fold(first ^ B, second ^ state));
}

} // namespace memory
