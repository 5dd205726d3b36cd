// SPDX-License-Identifier: Apache-2.0
// The entries in the order of their keys, for listings. They stand in leaves of up to 64; inside a leaf in any order
// until a listing wants them sorted. A sorted list of fences leads to the leaves. So a new key costs a search among the
// fences, which are small enough to stay in the cache, and no look at other entries.
#pragma once

#include <algorithm>
#include <compare>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "entry.hpp"
#include "ref.hpp"

namespace memory {

/// Owns no entry. Not safe for threads: the shard's lock is held.
class Index {
  static constexpr uint16_t FULL = 64, STEP = 8; // entries of a leaf at the most; by which its room grows

  /// The entries, as many as there is room for, and the least key that may stand here follow; the first leaf's is
  /// empty.
  struct Leaf {
    uint16_t count, room, low_size;
    bool sorted;

    Ref *entries() { return reinterpret_cast<Ref *>(this + 1); }
    Ref *end() { return entries() + count; }
    std::string_view low() const { return {reinterpret_cast<const char *>(this + 1) + room * sizeof(Ref), low_size}; }
    static size_t bytes(size_t room, size_t low_size) { return sizeof(Leaf) + room * sizeof(Ref) + low_size; }
  };
  struct FreeLeaf {
    void operator()(Leaf *leaf) const noexcept { std::free(leaf); }
  };
  using OwnedLeaf = std::unique_ptr<Leaf, FreeLeaf>;

  /// The first 16 bytes of a key behind the prefix that all fences share: they nearly always tell keys apart.
  struct Head {
    uint64_t first = 0, second = 0;
    auto operator<=>(const Head &) const = default;
  };
  struct Fence {
    Head head;
    OwnedLeaf leaf;
  };

public:
  /// A place in the order; good until the index is changed.
  class Position {
  public:
    /// The entry here, or null behind the last.
    Entry *get() const { return leaf_ == index_->fences_.size() ? nullptr : here().entries()[place_].get(); }
    void next() {
      constexpr uint32_t AHEAD = 12;
      if (place_ + AHEAD < here().count) __builtin_prefetch(here().entries()[place_ + AHEAD].get());
      ++place_;
      step();
    }
    /// Goes on to the first entry whose key is not less than `from`; there is an entry here, and its key is less.
    void skip(std::string_view from) {
      for (int near = 0; near < 4; ++near) {
        next();
        if (!get() || get()->key() >= from) return;
      }
      if (here().entries()[here().count - 1].get()->key() < from)
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
      const auto found = std::lower_bound(here().entries() + place_, here().end(), from,
                                          [](Ref entry, std::string_view key) { return entry.get()->key() < key; });
      place_ = static_cast<uint32_t>(found - here().entries());
      step();
    }
    Leaf &here() const { return *index_->fences_[leaf_].leaf; }
    void step() {
      for (; leaf_ != index_->fences_.size() && place_ == here().count; place_ = 0) {
        if (++leaf_ == index_->fences_.size()) continue;
        sort(here());
        fetch(here());
      }
    }

    Index *index_;
    size_t leaf_;
    uint32_t place_ = 0;
  };

  /// The first entry whose key is not less than `from`.
  Position seek(std::string_view from) { return Position(*this, from); }

  /// Puts in an entry whose key is not there. Throws std::bad_alloc and has changed nothing then.
  void insert(Entry *entry) {
    if (fences_.empty()) fences_.push_back({Head(), make_leaf(STEP, {})});
    const std::string_view key = entry->key();
    size_t at = find(key);
    if (fences_[at].leaf->count == FULL) at = split(at, key);
    OwnedLeaf &into = fences_[at].leaf;
    if (into->count == into->room) resize(into, into->room + STEP);
    into->sorted = into->count == 0;
    into->entries()[into->count++] = Ref(entry);
  }

  void remove(const Entry *entry) noexcept {
    const size_t at = find(entry->key());
    OwnedLeaf &from = fences_[at].leaf;
    Ref *place = std::find(from->entries(), from->end(), Ref(entry));
    std::copy(place + 1, from->end(), place);
    --from->count;
    if (from->count < FULL / 4 && merge(at)) return;
    if (from->room - from->count >= 2 * STEP) shrink(from);
  }

  void replace(const Entry *old, Entry *entry) noexcept {
    Leaf &leaf = *fences_[find(entry->key())].leaf;
    *std::find(leaf.entries(), leaf.end(), Ref(old)) = Ref(entry);
  }

private:
  static bool less(Ref a, Ref b) { return a.get()->key() < b.get()->key(); }

  static Leaf &sort(Leaf &leaf) {
    if (!leaf.sorted) {
      fetch(leaf);
      std::sort(leaf.entries(), leaf.end(), less);
      leaf.sorted = true;
    }
    return leaf;
  }

  /// Throws std::bad_alloc.
  static OwnedLeaf make_leaf(size_t room, std::string_view low) {
    void *place = std::malloc(Leaf::bytes(room, low.size()));
    if (!place) throw std::bad_alloc();
    auto *leaf = new (place) Leaf{0, static_cast<uint16_t>(room), static_cast<uint16_t>(low.size()), true};
    std::copy(low.begin(), low.end(), reinterpret_cast<char *>(leaf->entries() + room));
    return OwnedLeaf(leaf);
  }

  /// Gives a leaf other room, at least for its entries. Throws std::bad_alloc and has changed nothing then.
  static void resize(OwnedLeaf &leaf, size_t room) {
    OwnedLeaf other = make_leaf(room, leaf->low());
    std::copy(leaf->entries(), leaf->end(), other->entries());
    other->count = leaf->count;
    other->sorted = leaf->sorted;
    leaf = std::move(other);
  }
  static size_t room_for(size_t count) { return std::max<size_t>(1, (count + STEP - 1) / STEP) * STEP; }
  static void shrink(OwnedLeaf &leaf) noexcept {
    try {
      resize(leaf, room_for(leaf->count));
    } catch (const std::bad_alloc &) {
      // It stays as large as it is.
    }
  }

  /// Asks for the keys of the leaf's entries all at once rather than one after the other.
  static void fetch(Leaf &leaf) {
    for (const Ref *entry = leaf.entries(); entry != leaf.end(); ++entry) __builtin_prefetch(entry->get());
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
      return fence.head != head ? fence.head < head : fence.leaf->low() <= key;
    };
    return static_cast<size_t>(std::partition_point(fences_.begin() + 1, fences_.end(), before) - fences_.begin()) - 1;
  }

  /// The shortest key that is greater than `low` and not greater than `high`.
  static std::string between(std::string_view low, std::string_view high) {
    const auto differ = std::mismatch(high.begin(), high.end(), low.begin(), low.end()).first;
    return std::string(high.begin(), differ + 1);
  }

  /// Makes room in a full leaf for the key, and returns the place of the leaf that takes it. Keys that come in
  /// ascending order leave full leaves behind them. Throws std::bad_alloc and has changed nothing then.
  size_t split(size_t at, std::string_view key) {
    Leaf &full = *fences_[at].leaf;
    fetch(full);
    const auto greatest = std::max_element(full.entries(), full.end(), less)->get()->key();
    if (greatest < key) {
      add(at + 1, make_leaf(STEP, between(greatest, key)));
      return at + 1;
    }
    Ref *middle = full.entries() + FULL / 2;
    full.sorted = false;
    std::nth_element(full.entries(), middle, full.end(), less);
    const auto low = std::max_element(full.entries(), middle, less)->get()->key();
    const auto high = static_cast<size_t>(full.end() - middle);
    OwnedLeaf fresh = make_leaf(room_for(high + 1), between(low, middle->get()->key()));
    std::copy(middle, full.end(), fresh->entries());
    fresh->count = static_cast<uint16_t>(high);
    fresh->sorted = false;
    add(at + 1, std::move(fresh));
    full.count = static_cast<uint16_t>(full.count - high);
    shrink(fences_[at].leaf);
    return key < fences_[at + 1].leaf->low() ? at : at + 1;
  }

  void add(size_t at, OwnedLeaf leaf) {
    const std::string_view low = leaf->low();
    if (fences_.size() == fences_.capacity()) fences_.reserve(fences_.size() + fences_.size() / 2 + 1);
    if (fences_.size() == 1) prefix_ = low;
    if (!low.starts_with(prefix_)) {
      prefix_.erase(std::mismatch(prefix_.begin(), prefix_.end(), low.begin(), low.end()).first, prefix_.end());
      for (size_t i = 1; i < fences_.size(); ++i) fences_[i].head = head_of(fences_[i].leaf->low());
    }
    fences_.insert(fences_.begin() + static_cast<long>(at), {head_of(low), std::move(leaf)});
  }

  /// A leaf that has become small takes in the next one where that leaves it room; an empty one goes, but for the
  /// first. Returns whether the leaf is another one now.
  bool merge(size_t at) noexcept {
    if (fences_[at].leaf->count == 0 && (at != 0 || fences_.size() == 1)) return drop(at), true;
    if (at + 1 == fences_.size()) return false;
    Leaf &from = *fences_[at + 1].leaf;
    const size_t count = fences_[at].leaf->count + size_t{from.count};
    if (count > FULL * 3 / 4) return false;
    try {
      if (count > fences_[at].leaf->room) resize(fences_[at].leaf, room_for(count));
    } catch (const std::bad_alloc &) {
      return false; // they stay as they are
    }
    Leaf &into = *fences_[at].leaf;
    into.sorted = into.sorted && from.sorted;
    std::copy(from.entries(), from.end(), into.end());
    into.count = static_cast<uint16_t>(count);
    drop(at + 1);
    return true;
  }
  void drop(size_t at) noexcept { fences_.erase(fences_.begin() + static_cast<long>(at)); }

  std::vector<Fence> fences_; // by their leaves' least keys; the first one's head is not used
  std::string prefix_;        // what all but the first leaf's least keys begin with
};

} // namespace memory
