// SPDX-License-Identifier: Apache-2.0
// The class of the layer `overlay`. Its members are in several files: overlay.cpp (opening and reading), batches.cpp,
// writing/, listing/ and watching/.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/driver.hpp>

#include "layer/layer.hpp"
#include "layer/sinks.hpp"
#include "listing/merge.hpp"
#include "watching/watches.hpp"
#include "writing/copies.hpp"

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

/// How a condition is guarded against other programs: one layer that others may write decides it.
struct LayerCondition {
  std::uint32_t layer =
      VisibleValue::nowhere; ///< the layer that decides, and is therefore written first; nowhere: none
  std::uint32_t condition = OMNISTORE_ALWAYS;
  std::string etag;                           ///< without the layer's digit
  std::uint32_t seen = VisibleValue::nowhere; ///< the layer that has the value
};

struct PendingItems; // batches.cpp

/// The store. Thread-safe: a read holds no lock, a write holds the stripe of its key, and a clear holds all stripes.
class Overlay {
public:
  Overlay(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits,
          std::span<const omnistore_store *const> children);

  // overlay.cpp
  static void validate(const omnistore::Options &options, std::uint32_t layers, omnistore::Problems &problems);
  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink);
  omnistore_status stat(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink);

  // listing/listing.cpp
  omnistore_status list(Call call, const omnistore_list_request &request, omnistore_page &page);

  // writing/writes.cpp
  omnistore_status set(Call call, std::string_view key, const omnistore_set_request &request, omnistore_sink *result);
  omnistore_status remove(Call call, std::string_view key, const omnistore_remove_request &request);
  omnistore_status touch(Call call, std::string_view key, const omnistore_touch_request &request);
  omnistore_status clear(Call call, const omnistore_clear_request &request, omnistore_page *removed);

  // watching/watching.cpp
  omnistore_status watch(Call call, const omnistore_watch_request &request, omnistore_watcher &watcher, void **watch);
  void unwatch(void *watch);

  // batches.cpp
  omnistore_status get_many(Call call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                            omnistore_status *statuses);
  omnistore_status stat_many(Call call, std::span<const omnistore_bytes> keys,
                             omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                             omnistore_status *statuses);
  omnistore_status set_many(Call call, std::span<const omnistore_bytes> keys,
                            omnistore::Requests<omnistore_set_request> requests, omnistore_sink *const *results,
                            omnistore_status *statuses);
  omnistore_status remove_many(Call call, std::span<const omnistore_bytes> keys,
                               omnistore::Requests<omnistore_remove_request> requests, omnistore_status *statuses);

private:
  static constexpr std::size_t stripe_count =
      32; ///< a clear holds all of them, and the thread sanitizer supports at most 63
  struct Stripe {
    std::mutex mutex;
    std::atomic<std::uint64_t> writes{0}; ///< counts the writes that ended
  };
  /// Held by a write. A value that was read before the write ended is not promoted after it.
  class WriteLock {
  public:
    explicit WriteLock(Stripe &stripe) : stripe_(stripe), lock_(stripe.mutex) {}
    ~WriteLock() { stripe_.writes.fetch_add(1, std::memory_order_release); }

  private:
    Stripe &stripe_;
    std::lock_guard<std::mutex> lock_;
  };
  using Expected = std::uint64_t; ///< the `writes` of a stripe when a read began

  void state_traits(omnistore_traits &traits);
  std::uint64_t conditions() const;

  Stripe &stripe(std::string_view key) { return stripes_[std::hash<std::string_view>()(key) % stripe_count]; }
  std::uint32_t count() const { return static_cast<std::uint32_t>(layers_.size()); }
  Layer &top() { return layers_[written_.front()]; }
  std::int64_t now() const { return host_.now(&host_); }

  template <typename Try>
  omnistore_status first_hit(Call call, std::string_view key, OnError on_error, std::uint32_t &failed, Try try_layer);
  omnistore_status settle(omnistore_status status, Call call, const Layer &layer, std::string_view key,
                          ValueFilter &gate, LayerOutcome &outcome) const;
  omnistore_status settle_stat(omnistore_status status, Call call, const Layer &layer, std::string_view key,
                               const MetaCopy &meta, bool &removed) const;
  omnistore_status stat_in(Call call, const Layer &layer, std::string_view key, std::uint32_t flags, MetaCopy &meta,
                           bool &removed) const;
  /// With `copies` false it leaves out the layers whose copies a write removes.
  omnistore_status find_visible(Call call, std::string_view key, std::uint32_t flags, OnError on_error,
                                VisibleValue &seen, bool copies = true);
  void resolve_doubt(Call call, std::string_view key);
  void promote(Call call, std::string_view key, const ValueFilter &value, std::uint32_t from, Expected expected,
               std::uint32_t failed);

  // batches.cpp
  omnistore_status get_many(Call call, std::span<const std::string_view> keys,
                            omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                            omnistore_status *statuses, OnError on_error, const std::vector<Expected> *expected);
  void drop_hidden(Call call, Layer &layer, PendingItems &left, omnistore_status *statuses,
                   std::vector<omnistore_status> &skipped, OnError on_error);
  std::deque<WriteLock> writing(std::span<const std::string_view> keys);
  bool has_lasting_copies() const;
  bool plain(std::span<const omnistore_bytes> keys, const omnistore_set_request *const *requests) const;
  void drop_copies(Call call, PendingItems &left, omnistore_status *statuses);
  template <typename Step>
  void batch_write_layers(Call call, PendingItems &left, omnistore_status *statuses, Step step);

  // writing/conditions.cpp: decides if a write may proceed, and how. The caller holds the key's stripe.
  omnistore_status check_layers_above(Call call, std::string_view key);
  omnistore_status check_condition(Call call, std::string_view key, std::uint32_t condition, std::string_view etag,
                                   LayerCondition &guarded);
  bool is_etag_of(Call call, std::string_view key, std::string_view etag, const VisibleValue &seen);
  void drop_outdated(Call call, std::string_view key, const VisibleValue &seen);
  omnistore_status guard(Call call, const Layer &layer, std::uint32_t condition, const VisibleValue &seen, bool marked,
                         const MetaCopy &meta, LayerCondition &guarded) const;

  // writing/writes.cpp. The caller holds the key's stripe; a clear holds all of them.
  template <typename Step>
  omnistore_status write_layers(Call call, std::uint32_t first, Step step);
  std::string how_far(std::span<const std::uint32_t> order, std::size_t place) const;
  omnistore_status set_locked(Call call, std::string_view key, const omnistore_set_request &request,
                              omnistore_sink *result);
  omnistore_status set_in_layers(Call call, std::string_view key, const omnistore_set_request &request,
                                 const LayerCondition &guarded, omnistore_sink *result);
  omnistore_status stream(Call call, std::string_view key, const omnistore_set_request &request,
                          omnistore_sink *result);
  omnistore_status remove_locked(Call call, std::string_view key, std::uint32_t condition, std::string_view etag);
  omnistore_status drop_copies(Call call, std::string_view key);
  omnistore_status forget_removal(Call call, std::string_view key);
  omnistore_status record_removal(Call call, std::string_view key, std::vector<std::uint32_t> &recorded);
  void undo_records(Call call, std::string_view key, std::span<const std::uint32_t> recorded);
  omnistore_status copy_up(Call call, std::string_view key, const Layer &from, const omnistore_touch_request &touch,
                           const LayerCondition &guarded = {});
  template <typename Write>
  omnistore_status write_and_drop_copies(omnistore::RecordingCall &call, std::string_view key, Write write);
  bool doubt_copies(Call call, std::string_view key, bool changed);

  omnistore_status clear_copies(Call call, std::string_view base);
  omnistore_status clear_locked(Call call, std::string_view base);
  omnistore_status clear_layer(Call call, Layer &layer, std::string_view base);
  omnistore_status any_below(Call call, const Layer &layer, std::string_view base, bool &any);
  bool is_gone(Call call, std::string_view key);

  // watching/watching.cpp
  static void OMNISTORE_CALL look(void *self, omnistore_call *call) noexcept;
  void look_at(Call call, const LayerChange &change);
  std::uint32_t type_of_value(const LayerChange &change, const VisibleValue &seen) const;
  std::uint32_t type_of_record(const LayerChange &change, const VisibleValue &seen) const;

  const omnistore_host &host_;
  std::deque<Layer> layers_;
  std::vector<std::uint32_t> written_; ///< ascending
  bool promotes_;
  OnError on_error_;
  bool never_blocks_;
  std::array<Stripe, stripe_count> stripes_;
  Copies copies_;
  std::atomic<std::uint32_t> failing_{0}; ///< a bit for each layer whose last promotion failed
  PausedListings paused_;
  Watches watches_{host_, &look, this};
};

/// Reads the layers in their order until one has the key. `try_layer(layer, call, outcome)` reads one layer and returns
/// OK, NOT_FOUND or a failure. Every operation on a single key uses this function, so that all see the same value.
/// `failed` gets a bit for each layer that was skipped.
template <typename Try>
omnistore_status Overlay::first_hit(Call call, std::string_view key, OnError on_error, std::uint32_t &failed,
                                    Try try_layer) {
  omnistore_status skipped = OMNISTORE_OK;
  for (Layer &layer : layers_) {
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
