// SPDX-License-Identifier: Apache-2.0
// The index of the memory driver's shards over a library's B-tree, for bench_engine alone. It has the interface of
// plugins/memory/shard/index.hpp, in whose place the compiler finds it. With OMNISTORE_BENCH_HEADS each element also
// holds the first 16 bytes of its key, so that most comparisons read no entry.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string_view>
#include <utility>

#include <absl/container/btree_set.h>

#include "entry/entry.hpp"
#include "entry/ref.hpp"

namespace memory {

class Index {
  struct Element {
#if defined(OMNISTORE_BENCH_HEADS)
    uint64_t first = 0, second = 0;
#endif
    Entry *entry = nullptr;
  };
  struct Wanted {
    Element head;
    std::string_view key;
  };
  static Element element(std::string_view key, Entry *entry) {
    Element made;
    made.entry = entry;
#if defined(OMNISTORE_BENCH_HEADS)
    char bytes[16] = {};
    std::memcpy(bytes, key.data(), std::min(sizeof bytes, key.size()));
    made.first = as_bytes_compare(read64(bytes));
    made.second = as_bytes_compare(read64(bytes + 8));
#else
    static_cast<void>(key);
#endif
    return made;
  }
  // A key is read from its entry only if the heads are equal.
  struct ByKey {
    using is_transparent = void;
    bool operator()(const Element &a, const Element &b) const {
#if defined(OMNISTORE_BENCH_HEADS)
      if (a.first != b.first) return a.first < b.first;
      if (a.second != b.second) return a.second < b.second;
#endif
      return a.entry->key() < b.entry->key();
    }
    bool operator()(const Element &a, const Wanted &b) const {
#if defined(OMNISTORE_BENCH_HEADS)
      if (a.first != b.head.first) return a.first < b.head.first;
      if (a.second != b.head.second) return a.second < b.head.second;
#endif
      return a.entry->key() < b.key;
    }
    bool operator()(const Wanted &a, const Element &b) const {
#if defined(OMNISTORE_BENCH_HEADS)
      if (a.head.first != b.first) return a.head.first < b.first;
      if (a.head.second != b.second) return a.head.second < b.second;
#endif
      return a.key < b.entry->key();
    }
  };
  using Tree = absl::btree_set<Element, ByKey>;

public:
  class Position {
  public:
    Entry *get() const { return at_ == tree_->end() ? nullptr : at_->entry; }
    void next() { ++at_; }
    void previous() { at_ = at_ == tree_->begin() ? tree_->end() : std::prev(at_); }
    void skip(std::string_view from) {
      for (int near = 0; near < 4; ++near) {
        next();
        if (!get() || get()->key() >= from) return;
      }
      at_ = tree_->lower_bound(Wanted{element(from, nullptr), from});
    }

  private:
    friend Index;
    Position(const Tree &tree, std::string_view from)
        : tree_(&tree), at_(tree.lower_bound(Wanted{element(from, nullptr), from})) {}

    const Tree *tree_;
    Tree::const_iterator at_;
  };

  Position seek(std::string_view from) const { return Position(tree_, from); }
  Position seek_before(std::string_view to) const {
    Position at(tree_, to);
    if (to.empty()) at.at_ = tree_.end();
    at.previous();
    return at;
  }
  void insert(Entry *entry) { tree_.insert(element(entry->key(), entry)); }
  void remove(const Entry *entry) { tree_.erase(find(entry->key())); }
  /// The order stays, since both entries have the same key.
  void replace(const Entry *old, Entry *entry) { const_cast<Element &>(*find(old->key())).entry = entry; }

private:
  Tree::iterator find(std::string_view key) { return tree_.find(Wanted{element(key, nullptr), key}); }

  Tree tree_;
};

} // namespace memory
