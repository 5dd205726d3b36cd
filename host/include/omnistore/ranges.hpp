// SPDX-License-Identifier: Apache-2.0
// Ranges of keys and entries, which are read as you walk them. view.hpp includes this file.
#pragma once

#include <cstddef>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/operations.hpp>

namespace omnistore {

/// The keys under a base, read a page at a time as you walk them, so that memory use does not grow with their number:
///
///     for (const std::string &key : storage.keys("archive:wayback")) ...
///
/// It can be walked once. A walk while others write gives every key that is there throughout, none twice. begin() and
/// ++ read, and throw the Error of a page that cannot be read. If a store left out a part that it cannot read
/// (Page::skipped), that is thrown instead of the end. For one thread at a time. The Storage must outlive it.
class KeyRange {
public:
  class iterator {
  public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = std::string;
    using difference_type = std::ptrdiff_t;
    const std::string &operator*() const { return *range_->key(); }
    const std::string *operator->() const { return range_->key(); }
    iterator &operator++() { return range_->step(), *this; }
    void operator++(int) { range_->step(); }
    bool operator==(std::default_sentinel_t) const { return !range_->key(); }

  private:
    friend class KeyRange;
    explicit iterator(KeyRange *range) : range_(range) {}
    KeyRange *range_;
  };

  KeyRange(KeyRange &&) noexcept;
  ~KeyRange();
  iterator begin();
  std::default_sentinel_t end() const { return {}; }
  /// Returns all keys that were not walked yet.
  std::vector<std::string> all();

private:
  friend class View;
  friend class EntryRange;
  class Pages;
  explicit KeyRange(std::unique_ptr<Pages> pages);
  const std::string *key() const;
  void step();
  std::unique_ptr<Pages> pages_;
};

/// The entries under a base: keys with their values and meta, read in batches. If a store may wait for a disk or a
/// network, another thread reads the next batch while you walk this one:
///
///     for (const auto &[key, entry] : storage.entries("archive:wayback")) use(key, entry.value);
///
/// At most two batches are in memory. A value that was removed during the walk is left out; one that cannot be read
/// ends the walk with its Error. Everything else is as in KeyRange.
class EntryRange {
public:
  struct Item {
    std::string key;
    Entry entry;
  };
  class iterator {
  public:
    using iterator_concept = std::input_iterator_tag;
    using value_type = Item;
    using difference_type = std::ptrdiff_t;
    const Item &operator*() const { return *range_->item(); }
    const Item *operator->() const { return range_->item(); }
    iterator &operator++() { return range_->step(), *this; }
    void operator++(int) { range_->step(); }
    bool operator==(std::default_sentinel_t) const { return !range_->item(); }

  private:
    friend class EntryRange;
    explicit iterator(EntryRange *range) : range_(range) {}
    EntryRange *range_;
  };

  EntryRange(EntryRange &&) noexcept;
  ~EntryRange();
  iterator begin();
  std::default_sentinel_t end() const { return {}; }

private:
  friend class View;
  class Batches;
  explicit EntryRange(std::unique_ptr<Batches> batches);
  const Item *item() const;
  void step();
  std::unique_ptr<Batches> batches_;
};

} // namespace omnistore
