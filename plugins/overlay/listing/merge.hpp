// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <omnistore/value.hpp>

#include "layer/layer.hpp"
#include "layer/sinks.hpp"

namespace overlay {

/// What a listing asks for.
struct Query {
  std::string base; ///< the user's
  std::uint32_t depth;
  bool meta;
  OnError on_error;

  bool operator==(const Query &) const = default;
};

/// One layer's keys in ascending order, as the user knows them, read a page ahead. A layer that lists in the order of
/// keys is read on where it was left; one that lists in another order is read through, a window of its smallest keys
/// being kept.
class LayerKeys {
public:
  struct Item {
    std::string key;
    bool may_be_marker;
    std::unique_ptr<MetaCopy> meta; ///< where it was asked for and is known
  };

  /// Keys up to `after` are left out. `cursor`: the layer's own for the page to begin with.
  LayerKeys(const Layer &layer, const Query &query, std::string after, std::string cursor, bool ended);

  /// Reads on until there is a key, or the end. `ahead`: how many keys are wanted.
  omnistore_status fill(Call call, std::uint32_t ahead);
  const Item *head() const { return at_ < items_.size() ? &items_[at_] : nullptr; }
  Item take() {
    if (at_ + 1 == items_.size()) after_ = items_[at_].key;
    return std::move(items_[at_++]);
  }
  bool ended() const { return ended_ && !head(); }
  void end();
  /// What the layer could not read since this was last asked, as the user knows it.
  std::vector<omnistore::Skip> take_skipped() { return std::exchange(skipped_, {}); }

  /// Where the page of the head begins, for a stream that is to go on there later.
  const std::string &cursor() const { return head() ? page_cursor_ : next_cursor_; }

private:
  omnistore_status read_page(Call call, std::uint32_t limit);
  omnistore_status read_window(Call call);
  void keep(std::string_view key, const omnistore_meta *meta);
  void cut_window();

  const Layer &layer_;
  const std::string base_; ///< the layer's
  const std::uint32_t depth_;
  const bool wants_meta_, wants_sizes_;
  const bool from_start_; ///< and all of the base
  std::string after_;
  std::string page_cursor_, next_cursor_;
  bool ended_;
  bool whole_ = true; ///< nothing was skipped
  std::vector<omnistore::Skip> skipped_;
  std::vector<Item> items_;
  std::size_t at_ = 0;
};

/// The keys of all layers, each once, in ascending order, without those that are hidden.
class Merge {
public:
  struct Item {
    std::string key;
    std::uint32_t layer; ///< the highest that has it
    std::unique_ptr<MetaCopy> meta;
  };

  /// `cursor`: what cursor() gave, without a run's number; empty: from the start. Throws a Failure for another text.
  Merge(std::deque<Layer> &layers, Query query, std::string_view cursor);

  /// The next key; null at the end. `ahead`: how many are wanted of each layer at once.
  omnistore_status next(Call call, std::uint32_t ahead, const Item *&item);
  bool ended() const;
  /// The last key that was given, and where each layer's listing goes on from it.
  std::string cursor() const;
  const Query &query() const { return query_; }
  /// What could not be read since this was last asked; each with the layer's number.
  std::vector<std::pair<std::uint32_t, omnistore::Skip>> take_skipped() { return std::exchange(skipped_, {}); }

private:
  omnistore_status fill(Call call, std::uint32_t ahead);
  omnistore_status hidden(Call call, std::string_view key, const LayerKeys::Item &item, std::uint32_t layer, bool &is);
  omnistore_status failed(std::uint32_t layer, omnistore_status status);

  std::deque<Layer> &layers_;
  const Query query_;
  std::deque<LayerKeys> streams_;                   ///< one a layer
  std::vector<std::unique_ptr<RecordSet>> records_; ///< of layers whose records are looked up
  Item item_;
  std::vector<std::pair<std::uint32_t, omnistore::Skip>> skipped_;
};

/// Listings under way: a page's cursor names the one that goes on with the next, so that no layer is read twice. A
/// cursor is good without it. Thread-safe. The oldest go.
class PausedListings {
public:
  static constexpr std::size_t longest_cursor = OMNISTORE_MAX_CURSOR_SIZE;

  /// The listing, taken out; null where it is gone, too old, or another.
  std::unique_ptr<Merge> resume(std::string_view cursor, const Query &query);
  /// Keeps it; the cursor for its next page.
  std::string keep(std::unique_ptr<Merge> merge);
  /// The part of a cursor that is good without its run. Throws a Failure for what keep() has not given.
  static std::string_view rest(std::string_view cursor);

private:
  using Clock = std::chrono::steady_clock;
  struct PausedListing {
    std::string cursor;
    Clock::time_point kept;
    std::unique_ptr<Merge> merge;
  };

  std::mutex mutex_;
  std::list<PausedListing> paused_; ///< the oldest first
  /// Numbers of another store's runs, or of this one before it was opened again, are not taken for its own.
  std::uint64_t next_ = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
};

} // namespace overlay
