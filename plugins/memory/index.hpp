// SPDX-License-Identifier: Apache-2.0
// The entries in the order of their keys, for listings. They stand in leaves of up to 64; inside a leaf in any order
// until a listing wants them sorted. A sorted list of fences leads to the leaves. So a new key costs a search among the
// fences, which are small enough to stay in the cache, and no look at other entries.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "entry.hpp"

namespace memory {

/// Owns no entry. Not safe for threads: the shard's lock is held.
class Index {
  struct Leaf {
    std::string low; // the least key that may stand here; the first leaf's is empty
    uint32_t count = 0;
    bool sorted = true;
    std::array<Entry *, 64> entries;
  };

  /// The first 16 bytes of a key behind the prefix that all fences share: they nearly always tell keys apart.
  struct Head {
    uint64_t first = 0, second = 0;
    auto operator<=>(const Head &) const = default;
  };
  struct Fence {
    Head head;
    std::unique_ptr<Leaf> leaf;
  };

public:
  /// A place in the order; good until the index is changed.
  class Position {
  public:
    /// The entry here, or null behind the last.
    Entry *get() const { return leaf_ == index_->fences_.size() ? nullptr : here().entries[place_]; }
    void next() {
      ++place_;
      step();
    }
    /// Goes on to the first entry whose key is not less than `from`; there is an entry here, and its key is less.
    void skip(std::string_view from) {
      for (int near = 0; near < 4; ++near) {
        next();
        if (!get() || get()->key() >= from) return;
      }
      if (here().entries[here().count - 1]->key() < from)
        *this = Position(*index_, from);
      else
        search(from);
    }

  private:
    friend Index;
    Position(Index &index, std::string_view from) : index_(&index), leaf_(index.find(from)) {
      if (leaf_ == index.fences_.size()) return;
      sort(here());
      search(from);
    }
    /// From here on in this leaf.
    void search(std::string_view from) {
      const auto begin = here().entries.begin();
      const auto found = std::lower_bound(begin + place_, begin + here().count, from,
                                          [](const Entry *entry, std::string_view key) { return entry->key() < key; });
      place_ = static_cast<uint32_t>(found - begin);
      step();
    }
    Leaf &here() const { return *index_->fences_[leaf_].leaf; }
    void step() {
      for (; leaf_ != index_->fences_.size() && place_ == here().count; place_ = 0)
        if (++leaf_ != index_->fences_.size()) sort(here());
    }

    Index *index_;
    size_t leaf_;
    uint32_t place_ = 0;
  };

  /// The first entry whose key is not less than `from`.
  Position seek(std::string_view from) { return Position(*this, from); }

  /// Puts in an entry whose key is not there. Throws std::bad_alloc and has changed nothing then.
  void insert(Entry *entry) {
    if (fences_.empty()) fences_.push_back({Head(), std::make_unique<Leaf>()});
    Leaf *into = fences_[find(entry->key())].leaf.get();
    if (into->count == into->entries.size()) into = split(find(entry->key()), entry->key());
    into->sorted = into->count == 0;
    into->entries[into->count++] = entry;
  }

  void remove(const Entry *entry) noexcept {
    const size_t at = find(entry->key());
    Leaf &from = *fences_[at].leaf;
    const auto end = from.entries.begin() + from.count;
    const auto place = std::find(from.entries.begin(), end, entry);
    std::copy(place + 1, end, place);
    --from.count;
    if (from.count < from.entries.size() / 4) merge(at);
  }

  void replace(const Entry *old, Entry *entry) noexcept {
    Leaf &leaf = *fences_[find(entry->key())].leaf;
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

  /// Of a key that starts with the shared prefix.
  Head head_of(std::string_view key) const {
    char bytes[16] = {};
    std::memcpy(bytes, key.data() + prefix_.size(), std::min(sizeof bytes, key.size() - prefix_.size()));
    return {as_bytes_compare(read64(bytes)), as_bytes_compare(read64(bytes + 8))};
  }

  /// The leaf for a key, as a place among the fences; 0 where there is none yet.
  size_t find(std::string_view key) const {
    if (fences_.size() < 2) return 0;
    if (!key.starts_with(prefix_)) return key < prefix_ ? 0 : fences_.size() - 1;
    const Head head = head_of(key);
    const auto before = [&](const Fence &fence) {
      return fence.head != head ? fence.head < head : fence.leaf->low <= key;
    };
    return static_cast<size_t>(std::partition_point(fences_.begin() + 1, fences_.end(), before) - fences_.begin()) - 1;
  }

  /// The shortest key that is greater than `low` and not greater than `high`.
  static std::string between(std::string_view low, std::string_view high) {
    const auto differ = std::mismatch(high.begin(), high.end(), low.begin(), low.end()).first;
    return std::string(high.begin(), differ + 1);
  }

  /// Makes room in a full leaf for the key, and returns the leaf that takes it. Keys that come in ascending order
  /// leave full leaves behind them.
  Leaf *split(size_t at, std::string_view key) {
    Leaf &full = *fences_[at].leaf;
    auto &entries = full.entries;
    auto fresh = std::make_unique<Leaf>();
    fetch(full);
    const Entry *greatest = *std::max_element(entries.begin(), entries.end(), less);
    if (greatest->key() < key) {
      fresh->low = between(greatest->key(), key);
      return add(at + 1, std::move(fresh));
    }
    const auto middle = entries.begin() + entries.size() / 2;
    std::nth_element(entries.begin(), middle, entries.end(), less);
    full.sorted = false;
    const Entry *low = *std::max_element(entries.begin(), middle, less);
    fresh->low = between(low->key(), (*middle)->key());
    std::copy(middle, entries.end(), fresh->entries.begin());
    fresh->count = static_cast<uint32_t>(entries.end() - middle);
    fresh->sorted = false;
    Leaf *high = add(at + 1, std::move(fresh));
    full.count -= high->count;
    return key < high->low ? &full : high;
  }

  Leaf *add(size_t at, std::unique_ptr<Leaf> leaf) {
    const std::string_view low = leaf->low;
    if (fences_.size() == fences_.capacity()) fences_.reserve(fences_.size() * 2);
    if (fences_.size() == 1) prefix_ = low;
    if (!low.starts_with(prefix_)) {
      prefix_.erase(std::mismatch(prefix_.begin(), prefix_.end(), low.begin(), low.end()).first, prefix_.end());
      for (size_t i = 1; i < fences_.size(); ++i) fences_[i].head = head_of(fences_[i].leaf->low);
    }
    return fences_.insert(fences_.begin() + static_cast<long>(at), {head_of(low), std::move(leaf)})->leaf.get();
  }

  /// A leaf that has become small takes in the next one where that leaves it room; an empty one goes, but for the
  /// first.
  void merge(size_t at) noexcept {
    Leaf &into = *fences_[at].leaf;
    if (into.count == 0 && (at != 0 || fences_.size() == 1)) return drop(at);
    if (at + 1 == fences_.size()) return;
    const Leaf &from = *fences_[at + 1].leaf;
    if (into.count + from.count > into.entries.size() * 3 / 4) return;
    std::copy(from.entries.begin(), from.entries.begin() + from.count, into.entries.begin() + into.count);
    into.sorted = into.sorted && from.sorted;
    into.count += from.count;
    drop(at + 1);
  }
  void drop(size_t at) noexcept { fences_.erase(fences_.begin() + static_cast<long>(at)); }

  std::vector<Fence> fences_; // by their leaves' least keys; the first one's head is not used
  std::string prefix_;        // what all but the first leaf's least keys begin with
};

} // namespace memory
