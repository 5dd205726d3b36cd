// SPDX-License-Identifier: Apache-2.0
// The table of the memory driver's shards over a library's hash table, for bench_engine alone. It has the interface of
// plugins/memory/shard/table.hpp, in whose place the compiler finds it.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <boost/unordered/unordered_flat_set.hpp>

#include "entry/entry.hpp"
#include "entry/ref.hpp"

namespace memory {

/// A slot is the address of an element, which stays good until the table grows.
class Table {
public:
  static constexpr size_t no_slot = 0;

  explicit Table(uint64_t seed = 0) : set_(0, Hash{seed}) {}

  size_t count() const { return set_.size(); }
  size_t buckets() const { return 1; }

  size_t find(uint64_t hash, std::string_view key) const {
    const auto found = set_.find(Wanted{hash, key});
    return found == set_.end() ? no_slot : reinterpret_cast<size_t>(&*found);
  }
  /// The library does not show the place where a look-up begins, so nothing can be prefetched.
  const Entry *likely(uint64_t) const { return nullptr; }
  const void *home(uint64_t) const { return nullptr; }

  Entry *at(size_t slot) const { return *reinterpret_cast<Entry *const *>(slot); }
  void reserve() {}
  void insert(uint64_t, Entry *entry) { set_.insert(entry); }
  void replace(size_t slot, Entry *entry) noexcept { *reinterpret_cast<Entry **>(slot) = entry; }
  void erase(size_t slot) noexcept {
    const Entry *entry = at(slot);
    set_.erase(set_.find(Wanted{hash_of(entry->key(), set_.hash_function().seed), entry->key()}));
  }

  /// Slabs are never tidied in this benchmark.
  template <typename Visit>
  void each(size_t, size_t, Visit) const {}
  template <typename Visit>
  void each(Visit visit) const {
    for (Entry *entry : set_) visit(entry);
  }
  void swap(Table &other) noexcept { std::swap(set_, other.set_); }

private:
  struct Wanted {
    uint64_t hash;
    std::string_view key;
  };
  struct Hash {
    using is_transparent = void;
    using is_avalanching = void;
    uint64_t seed;
    size_t operator()(const Entry *entry) const { return turned(hash_of(entry->key(), seed)); }
    size_t operator()(const Wanted &wanted) const { return turned(wanted.hash); }
    /// The library places an element by the upper bits, which all hashes of a shard have in common.
    static size_t turned(uint64_t hash) { return std::rotl(hash, 32); }
  };
  struct Equal {
    using is_transparent = void;
    bool operator()(const Entry *a, const Entry *b) const { return a->key() == b->key(); }
    bool operator()(const Wanted &wanted, const Entry *entry) const { return wanted.key == entry->key(); }
    bool operator()(const Entry *entry, const Wanted &wanted) const { return wanted.key == entry->key(); }
  };

  boost::unordered_flat_set<Entry *, Hash, Equal> set_;
};

} // namespace memory
