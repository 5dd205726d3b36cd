// SPDX-License-Identifier: Apache-2.0
// The entries in the order of their keys, for listings. A sorted map leads to leaves of up to 64 entries; inside a leaf
// they stand in any order until a listing wants them sorted. So a new key costs a walk through the map, which is small
// enough to stay in the cache, and no look at other entries.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "entry.hpp"

namespace memory {

/// Owns no entry. Not safe for threads: the shard's lock is held.
class Index {
  struct Leaf {
    uint32_t count = 0;
    bool sorted = true;
    std::array<Entry *, 64> entries;
  };
  /// By the least key that may stand in the leaf; the first leaf's is empty.
  using Leaves = std::map<std::string, Leaf, std::less<>>;

public:
  /// A place in the order; good until the index is changed.
  class Position {
  public:
    /// The entry here, or null behind the last.
    Entry *get() const { return leaf_ == leaves_->end() ? nullptr : leaf_->second.entries[place_]; }
    void next() {
      ++place_;
      step();
    }

  private:
    friend Index;
    Position(Leaves &leaves, Leaves::iterator leaf, std::string_view from) : leaves_(&leaves), leaf_(leaf) {
      if (leaf_ == leaves_->end()) return;
      Leaf &here = sort(leaf_->second);
      const auto begin = here.entries.begin();
      const auto found = std::lower_bound(begin, begin + here.count, from,
                                          [](const Entry *entry, std::string_view key) { return entry->key() < key; });
      place_ = static_cast<uint32_t>(found - begin);
      step();
    }
    void step() {
      for (; leaf_ != leaves_->end() && place_ == leaf_->second.count; place_ = 0)
        if (++leaf_ != leaves_->end()) sort(leaf_->second);
    }

    Leaves *leaves_;
    Leaves::iterator leaf_;
    uint32_t place_ = 0;
  };

  /// The first entry whose key is not less than `from`.
  Position seek(std::string_view from) { return Position(leaves_, leaf_of(from), from); }

  /// Puts in an entry whose key is not there. Throws std::bad_alloc and has changed nothing then.
  void insert(Entry *entry) {
    auto leaf = leaf_of(entry->key());
    if (leaf == leaves_.end()) leaf = leaves_.try_emplace(std::string()).first;
    if (leaf->second.count == leaf->second.entries.size()) leaf = split(leaf, entry->key());
    Leaf &into = leaf->second;
    into.sorted = into.count == 0;
    into.entries[into.count++] = entry;
  }

  void remove(const Entry *entry) noexcept {
    const auto leaf = leaf_of(entry->key());
    Leaf &from = leaf->second;
    const auto end = from.entries.begin() + from.count;
    const auto place = std::find(from.entries.begin(), end, entry);
    std::copy(place + 1, end, place);
    --from.count;
    if (from.count < from.entries.size() / 4) merge(leaf);
  }

  void replace(const Entry *old, Entry *entry) noexcept {
    Leaf &leaf = leaf_of(entry->key())->second;
    *std::find(leaf.entries.begin(), leaf.entries.begin() + leaf.count, old) = entry;
  }

private:
  static bool less(const Entry *a, const Entry *b) { return a->key() < b->key(); }

  static Leaf &sort(Leaf &leaf) {
    if (!leaf.sorted) {
      fetch(leaf);
      std::sort(leaf.entries.begin(), leaf.entries.begin() + leaf.count, less);
      leaf.sorted = true;
    }
    return leaf;
  }

  /// Asks for the keys of the leaf's entries all at once rather than one after the other.
  static void fetch(const Leaf &leaf) {
    for (uint32_t i = 0; i < leaf.count; ++i) __builtin_prefetch(leaf.entries[i]->key_data());
  }

  Leaves::iterator leaf_of(std::string_view key) {
    const auto behind = leaves_.upper_bound(key);
    return behind == leaves_.begin() ? leaves_.end() : std::prev(behind);
  }

  /// The shortest key that is greater than `low` and not greater than `high`.
  static std::string between(std::string_view low, std::string_view high) {
    const auto differ = std::mismatch(high.begin(), high.end(), low.begin(), low.end()).first;
    return std::string(high.begin(), differ + 1);
  }

  /// Makes room in a full leaf for the key, and returns the leaf that takes it. Keys that come in ascending order
  /// leave full leaves behind them.
  Leaves::iterator split(Leaves::iterator full, std::string_view key) {
    auto &entries = full->second.entries;
    fetch(full->second);
    const Entry *greatest = *std::max_element(entries.begin(), entries.end(), less);
    if (greatest->key() < key) return leaves_.try_emplace(std::next(full), between(greatest->key(), key));

    const auto middle = entries.begin() + entries.size() / 2;
    std::nth_element(entries.begin(), middle, entries.end(), less);
    const Entry *low = *std::max_element(entries.begin(), middle, less);
    full->second.sorted = false;
    const auto fresh = leaves_.try_emplace(std::next(full), between(low->key(), (*middle)->key()));
    std::copy(middle, entries.end(), fresh->second.entries.begin());
    fresh->second.count = static_cast<uint32_t>(entries.end() - middle);
    fresh->second.sorted = false;
    full->second.count -= fresh->second.count;
    return key < fresh->first ? full : fresh;
  }

  /// A leaf that has become small takes in the next one where that leaves it room; an empty one goes, but for the
  /// first.
  void merge(Leaves::iterator leaf) noexcept {
    Leaf &into = leaf->second;
    if (into.count == 0 && (leaf != leaves_.begin() || leaves_.size() == 1)) {
      leaves_.erase(leaf);
      return;
    }
    const auto next = std::next(leaf);
    if (next == leaves_.end() || into.count + next->second.count > into.entries.size() * 3 / 4) return;
    const Leaf &from = next->second;
    std::copy(from.entries.begin(), from.entries.begin() + from.count, into.entries.begin() + into.count);
    into.sorted = into.sorted && from.sorted;
    into.count += from.count;
    leaves_.erase(next);
  }

  Leaves leaves_;
};

} // namespace memory
