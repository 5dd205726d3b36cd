// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "layer/layers.hpp"
#include "layer/sinks.hpp"

namespace overlay {

/// The value that a reader of the overlay sees: that of the highest layer that has the key, unless a layer above that
/// one records the key as removed.
struct VisibleValue {
  static constexpr std::uint32_t nowhere = UINT32_MAX;
  std::uint32_t layer = nowhere;
  std::uint32_t last = 0; ///< the last layer that was read
  bool marked = false;    ///< that layer has unstorage's marker
  MetaCopy meta;          ///< of the value, if there is one

  bool is() const { return layer != nowhere; }
};

/// The outcome of reading a key in one layer, besides the status.
struct LayerOutcome {
  bool removed = false; ///< the layer says that the key is removed
  bool last = false;    ///< no other layer is read, whatever the status is
};

struct PendingItems; // batches.hpp

/// Reads values through the layers, and promotes them. Thread-safe.
class Reader {
public:
  explicit Reader(Layers &layers) : layers_(layers) {}

  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink);
  omnistore_status stat(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink);
  omnistore_status get_many(Call call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                            omnistore_status *statuses);
  omnistore_status stat_many(Call call, std::span<const omnistore_bytes> keys,
                             omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                             omnistore_status *statuses);

  // The keys of the functions below are in the layers' form.
  /// The state of a key when a read began. The value that was read is promoted only if the state is still the same.
  struct Expected {
    std::uint64_t writes = 0; ///< of the key's stripe
    omnistore::Coherence::Ticket ticket;
  };
  Expected expected(std::string_view key);
  /// `expected`, unless null: promote the values that are found in lower layers.
  omnistore_status get_many(Call call, std::span<const std::string_view> keys,
                            omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                            omnistore_status *statuses, OnError on_error, const std::vector<Expected> *expected);
  template <typename Try>
  omnistore_status first_hit(Call call, std::string_view key, OnError on_error, std::uint32_t &failed, Try try_layer);
  omnistore_status stat_in(Call call, const Layer &layer, std::string_view key, std::uint32_t flags, MetaCopy &meta,
                           bool &removed) const;
  /// With `copies` false it leaves out the layers whose copies a write removes.
  omnistore_status find_visible(Call call, std::string_view key, std::uint32_t flags, OnError on_error,
                                VisibleValue &seen, bool copies = true);

  std::uint64_t promotions() const { return promotions_; } ///< the copies that were made

private:
  omnistore_status settle(omnistore_status status, Call call, const Layer &layer, std::string_view key,
                          ValueFilter &gate, LayerOutcome &outcome) const;
  omnistore_status settle_stat(omnistore_status status, Call call, const Layer &layer, std::string_view key,
                               const MetaCopy &meta, bool &removed) const;
  void resolve_doubt(Call call, std::string_view key);
  void promote(Call call, std::string_view key, const ValueFilter &value, std::uint32_t from, const Expected &expected,
               std::uint32_t failed);
  PendingItems hold_back(const Layer &layer, PendingItems &left) const;
  void drop_hidden(Call call, Layer &layer, PendingItems &left, omnistore_status *statuses,
                   std::vector<omnistore_status> &skipped, OnError on_error);

  Layers &layers_;
  std::atomic<std::uint64_t> promotions_{0};
  std::atomic<std::uint32_t> failing_{0}; ///< a bit for each layer whose last promotion failed
};

/// Reads the layers in their order until one has the key. `try_layer(layer, call, outcome)` reads one layer and returns
/// OK, NOT_FOUND or a failure. Every operation on a single key uses this function, so that all see the same value.
/// `failed` gets a bit for each layer that was skipped.
template <typename Try>
omnistore_status Reader::first_hit(Call call, std::string_view key, OnError on_error, std::uint32_t &failed,
                                   Try try_layer) {
  omnistore_status skipped = OMNISTORE_OK;
  for (Layer &layer : layers_.all) {
    if (!layers_.may_read(layer, key)) continue;
    LayerCall on(call, layer);
    LayerOutcome outcome;
    omnistore_status status = try_layer(layer, on, outcome);
    if (status == OMNISTORE_OK || outcome.last) return status;
    if (status == OMNISTORE_NOT_FOUND) {
      status = outcome.removed ? OMNISTORE_OK : layer.records.hides(on, key, outcome.removed);
      if (status == OMNISTORE_OK && outcome.removed) return OMNISTORE_NOT_FOUND;
      if (status == OMNISTORE_OK) continue;
    }
    on.with_reason(status);
    if (on_error == OnError::fail || !is_failure(status) || call.remaining() == 0) return status;
    failed |= 1u << layer.index;
    skipped = status;
  }
  return on_error == OnError::stale && skipped != OMNISTORE_OK ? skipped : OMNISTORE_NOT_FOUND;
}

} // namespace overlay
