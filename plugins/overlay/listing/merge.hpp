// SPDX-License-Identifier: Apache-2.0
// A listing of an overlay: the listings of its layers are merged in the order of the keys.
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

/// The request of a listing.
struct Query {
  std::string base; ///< in the user's form
  std::uint32_t depth;
  bool meta;
  OnError on_error;
  bool folders = false;
  std::string start{}, end{}; ///< in the user's form; empty: no bound

  bool operator==(const Query &) const = default;
};

/// The keys of one layer in ascending order and in the user's form, read a page at a time. If the layer lists in the
/// order of keys, each page continues after the last one. If it lists in another order, the whole listing is read, and
/// a window of its smallest keys is stored.
class LayerKeys {
public:
  struct Item {
    std::string key;
    bool may_be_marker;
    std::unique_ptr<MetaCopy> meta; ///< if it was requested and is known
  };

  /// Keys up to `after` are left out. `cursor` is the layer's cursor for the first page.
  LayerKeys(const Layer &layer, const Query &query, std::string after, std::string cursor, bool ended);

  /// Reads until there is a key, or the end. `ahead` is the size of a page.
  omnistore_status fill(Call call, std::uint32_t ahead);
  const Item *head() const { return at_ < items_.size() ? &items_[at_] : nullptr; }
  Item take() {
    if (at_ + 1 == items_.size()) after_ = items_[at_].key;
    return std::move(items_[at_++]);
  }
  bool ended() const { return ended_ && !head(); }
  void end();
  /// Returns what the layer has skipped since the last call, in the user's form.
  std::vector<omnistore::Skip> take_skipped() { return std::exchange(skipped_, {}); }

  /// Returns the cursor of the page that has the next key.
  const std::string &cursor() const { return head() ? page_cursor_ : next_cursor_; }

private:
  omnistore_status read_page(Call call, std::uint32_t limit);
  omnistore_status read_window(Call call);
  void keep(std::string_view key, const omnistore_meta *meta);
  void cut_window();

  const Layer &layer_;
  const std::string base_, start_, end_; ///< in the layer's form
  const std::uint32_t depth_;
  const bool wants_meta_, wants_sizes_, wants_folders_;
  const bool from_start_; ///< the listing begins at the start, and has no depth and no bounds
  std::string after_;
  std::string page_cursor_, next_cursor_;
  bool ended_;
  bool whole_ = true; ///< nothing was skipped
  std::vector<omnistore::Skip> skipped_;
  std::vector<Item> items_;
  std::size_t at_ = 0;
};

/// The visible keys of all layers in ascending order, each once.
class Merge {
public:
  struct Item {
    std::string key;
    std::uint32_t layer; ///< the highest layer that has it
    std::unique_ptr<MetaCopy> meta;
  };

  /// `cursor` is the text of cursor(); empty: from the start. Throws a Failure for any other text.
  Merge(std::deque<Layer> &layers, Query query, std::string_view cursor);

  /// Sets `item` to the next key, or to null at the end. `ahead` is the size of a layer's page.
  omnistore_status next(Call call, std::uint32_t ahead, const Item *&item);
  bool ended() const;
  /// Returns the last key, with the position of each layer's listing.
  std::string cursor() const;
  const Query &query() const { return query_; }
  /// Returns what was skipped since the last call, with the number of the layer.
  std::vector<std::pair<std::uint32_t, omnistore::Skip>> take_skipped() { return std::exchange(skipped_, {}); }

private:
  omnistore_status fill(Call call, std::uint32_t ahead);
  omnistore_status hidden(Call call, std::string_view key, const LayerKeys::Item &item, std::uint32_t layer, bool &is);
  omnistore_status hidden_folder(Call call, const std::string &folder, std::uint32_t layer, bool &is);
  omnistore_status failed(std::uint32_t layer, omnistore_status status);

  std::deque<Layer> &layers_;
  const Query query_;
  std::deque<LayerKeys> streams_;                   ///< one for each layer
  std::vector<std::unique_ptr<RecordSet>> records_; ///< of the layers whose records are looked up
  Item item_;
  std::vector<std::pair<std::uint32_t, omnistore::Skip>> skipped_;
};

/// Listings that pause between two pages. A page's cursor names the listing that continues, so that no layer is read
/// twice. A cursor is valid without its listing. If there are too many, the oldest are dropped. Thread-safe.
class PausedListings {
public:
  static constexpr std::size_t longest_cursor = OMNISTORE_MAX_CURSOR_SIZE;

  /// Removes and returns the listing. Returns null if it is gone, too old, or has another query.
  std::unique_ptr<Merge> resume(std::string_view cursor, const Query &query);
  /// Stores the listing and returns the cursor for its next page.
  std::string keep(std::unique_ptr<Merge> merge);
  /// Returns the part of a cursor that is valid without its listing. Throws a Failure if keep() did not make the
  /// cursor.
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
  /// It starts at the time, so that a number of another store, or of an earlier opening, is never taken for a listing
  /// here.
  std::uint64_t next_ = static_cast<std::uint64_t>(std::chrono::system_clock::now().time_since_epoch().count());
};

} // namespace overlay
