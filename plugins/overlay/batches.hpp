// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "layer/layer.hpp"
#include "records/keys.hpp"

namespace overlay {

/// The remaining items of a batch, in the form that a layer takes.
struct PendingItems {
  std::vector<std::uint32_t> items; ///< their places in the batch
  std::vector<omnistore_bytes> keys;
  std::vector<omnistore_status> statuses;

  PendingItems() = default;
  explicit PendingItems(std::span<const std::string_view> all) {
    for (std::uint32_t i = 0; i < all.size(); ++i) add(i, as_bytes(all[i]));
  }
  void add(std::uint32_t item, omnistore_bytes key) {
    items.push_back(item);
    keys.push_back(key);
  }
  void add(const PendingItems &others) {
    for (std::size_t i = 0; i < others.size(); ++i) add(others.items[i], others.keys[i]);
  }
  std::size_t size() const { return items.size(); }
  /// Prepares the statuses for a layer's batch.
  omnistore_status *open() {
    statuses.assign(items.size(), OMNISTORE_INTERNAL);
    return statuses.data();
  }
  /// Sets the status of all items, if the whole batch failed.
  void close(omnistore_status whole) {
    if (whole != OMNISTORE_OK) statuses.assign(items.size(), whole);
  }
  /// Writes the status of each finished item to `all`. Items for which `goes_on(status)` is true remain.
  template <typename GoesOn>
  void settle(omnistore_status *all, GoesOn goes_on) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (!goes_on(statuses[i])) {
        all[items[i]] = statuses[i];
        continue;
      }
      items[kept] = items[i];
      keys[kept++] = keys[i];
    }
    items.resize(kept);
    keys.resize(kept);
  }
};

/// The keys of a batch in the layers' form.
class StoredKeys {
public:
  explicit StoredKeys(std::span<const omnistore_bytes> keys) {
    std::string moved;
    for (const omnistore_bytes key : keys) {
      const std::string_view name = layer_key(as_view(key), moved);
      views_.push_back(name.data() == moved.data() ? moved_.emplace_back(moved) : name);
    }
  }
  std::span<const std::string_view> views() const { return views_; }

private:
  std::vector<std::string_view> views_;
  std::deque<std::string> moved_;
};

} // namespace overlay
