// SPDX-License-Identifier: Apache-2.0
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

#include "copies.hpp"
#include "layer.hpp"
#include "merge.hpp"
#include "sinks.hpp"
#include "watches.hpp"

namespace overlay {

/// A key as it is seen: in the highest layer that has it, unless a layer above records it as removed.
struct Seen {
  static constexpr std::uint32_t NOWHERE = UINT32_MAX;
  std::uint32_t layer = NOWHERE;
  std::uint32_t last = 0; ///< the last layer that was asked
  bool marked = false;    ///< that one has unstorage's marker
  HeldMeta meta;          ///< where it is somewhere

  bool is() const { return layer != NOWHERE; }
};

/// What one layer says of a key beside the status.
struct Answer {
  bool removed = false; ///< it says that the key is none
  bool last = false;    ///< whatever the status, no other layer is asked
};

/// What is left to do to a write's layers for its condition to hold against everybody.
struct Guarded {
  std::uint32_t layer = Seen::NOWHERE; ///< the one that decides, and is therefore written first; NOWHERE: none has to
  std::uint32_t condition = OMNISTORE_ALWAYS;
  std::string etag;                   ///< the layer's own
  std::uint32_t seen = Seen::NOWHERE; ///< where the value is
};

struct Pending; // batches.cpp

/// The store. Thread-safe: reads hold nothing; a write holds its key's stripe, a clear all of them.
class Overlay {
public:
  Overlay(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits,
          std::span<const omnistore_store *const> children);

  // overlay.cpp
  static void validate(const omnistore::Options &options, std::uint32_t layers, omnistore::Problems &problems);
  omnistore_status get(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink);
  omnistore_status stat(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink);

  // listing.cpp
  omnistore_status list(Call call, const omnistore_list_request &request, omnistore_page &page);

  // writes.cpp
  omnistore_status set(Call call, std::string_view key, const omnistore_set_request &request, omnistore_sink *result);
  omnistore_status remove(Call call, std::string_view key, const omnistore_remove_request &request);
  omnistore_status touch(Call call, std::string_view key, const omnistore_touch_request &request);
  omnistore_status clear(Call call, const omnistore_clear_request &request, omnistore_page *removed);

  // watching.cpp
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
  static constexpr std::size_t STRIPES = 32; ///< a clear holds all; the thread sanitizer knows 63 held locks at most
  struct Stripe {
    std::mutex mutex;
    std::atomic<std::uint64_t> writes{0}; ///< rises when one is done
  };
  /// Held by a write. What was read before it ended is not promoted after it.
  class Writing {
  public:
    explicit Writing(Stripe &stripe) : stripe_(stripe), lock_(stripe.mutex) {}
    ~Writing() { stripe_.writes.fetch_add(1, std::memory_order_release); }

  private:
    Stripe &stripe_;
    std::lock_guard<std::mutex> lock_;
  };
  using Expected = std::uint64_t; ///< a stripe's writes when a read began

  void state_traits(omnistore_traits &traits);
  std::uint64_t conditions() const;

  Stripe &stripe(std::string_view key) { return stripes_[std::hash<std::string_view>()(key) % STRIPES]; }
  std::uint32_t count() const { return static_cast<std::uint32_t>(layers_.size()); }
  Layer &top() { return layers_[written_.front()]; }
  std::int64_t now() const { return host_.now(&host_); }

  template <typename Try>
  omnistore_status first_hit(Call call, std::string_view key, OnError on_error, std::uint32_t &failed, Try try_layer);
  omnistore_status settle(omnistore_status status, Call call, const Layer &layer, std::string_view key, ValueGate &gate,
                          Answer &answer) const;
  omnistore_status settle_stat(omnistore_status status, Call call, const Layer &layer, std::string_view key,
                               const HeldMeta &meta, bool &removed) const;
  omnistore_status stat_in(Call call, const Layer &layer, std::string_view key, std::uint32_t flags, HeldMeta &meta,
                           bool &removed) const;
  /// `copies`: false leaves out the layers whose copies a write removes.
  omnistore_status see(Call call, std::string_view key, std::uint32_t flags, OnError on_error, Seen &seen,
                       bool copies = true);
  void settle_doubt(Call call, std::string_view key);
  void promote(Call call, std::string_view key, const ValueGate &value, std::uint32_t from, Expected expected,
               std::uint32_t failed);

  // batches.cpp
  omnistore_status get_many(Call call, std::span<const std::string_view> keys,
                            omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                            omnistore_status *statuses, OnError on_error, const std::vector<Expected> *expected);
  void drop_hidden(Call call, Layer &layer, Pending &left, omnistore_status *statuses,
                   std::vector<omnistore_status> &skipped, OnError on_error);
  std::deque<Writing> writing(std::span<const std::string_view> keys);
  bool has_lasting_copies() const;
  bool plain(std::span<const omnistore_bytes> keys, const omnistore_set_request *const *requests) const;
  void drop_copies(Call call, Pending &left, omnistore_status *statuses);
  template <typename Step>
  void batch_to_written(Call call, Pending &left, omnistore_status *statuses, Step step);

  // conditions.cpp: whether a write may go on, and how. With the key's stripe.
  omnistore_status check_above(Call call, std::string_view key);
  omnistore_status check_condition(Call call, std::string_view key, std::uint32_t condition, std::string_view etag,
                                   Guarded &guarded);
  bool is_etag_of(Call call, std::string_view key, std::string_view etag, const Seen &seen);
  void drop_outdated(Call call, std::string_view key, const Seen &seen);
  omnistore_status guard(Call call, const Layer &layer, std::uint32_t condition, const Seen &seen, bool marked,
                         const HeldMeta &meta, Guarded &guarded) const;

  // writes.cpp, with the key's stripe; a clear with all of them.
  template <typename Step>
  omnistore_status to_written(Call call, std::uint32_t first, Step step);
  std::string how_far(std::span<const std::uint32_t> order, std::size_t place) const;
  omnistore_status set_locked(Call call, std::string_view key, const omnistore_set_request &request,
                              omnistore_sink *result);
  omnistore_status set_in_layers(Call call, std::string_view key, const omnistore_set_request &request,
                                 const Guarded &guarded, omnistore_sink *result);
  omnistore_status stream(Call call, std::string_view key, const omnistore_set_request &request,
                          omnistore_sink *result);
  omnistore_status remove_locked(Call call, std::string_view key, std::uint32_t condition, std::string_view etag);
  omnistore_status drop_copies(Call call, std::string_view key);
  omnistore_status forget_removal(Call call, std::string_view key);
  omnistore_status record_removal(Call call, std::string_view key, std::vector<std::uint32_t> &recorded);
  void take_back(Call call, std::string_view key, std::span<const std::uint32_t> recorded);
  omnistore_status copy_up(Call call, std::string_view key, const Layer &from, const omnistore_touch_request &touch,
                           const Guarded &guarded = {});
  template <typename Write>
  omnistore_status past_copies(omnistore::RecordingCall &call, std::string_view key, Write write);
  bool doubt_copies(Call call, std::string_view key, bool changed);
  omnistore_status clear_copies(Call call, std::string_view base);
  omnistore_status clear_locked(Call call, std::string_view base);
  omnistore_status clear_layer(Call call, Layer &layer, std::string_view base);
  omnistore_status any_below(Call call, const Layer &layer, std::string_view base, bool &any);
  bool is_gone(Call call, std::string_view key);

  // watching.cpp
  static void OMNISTORE_CALL look(void *self, omnistore_call *call) noexcept;
  void look_at(Call call, const Change &change);
  std::uint32_t type_of_value(const Change &change, const Seen &seen) const;
  std::uint32_t type_of_record(const Change &change, const Seen &seen) const;

  const omnistore_host &host_;
  std::deque<Layer> layers_;
  std::vector<std::uint32_t> written_; ///< ascending
  bool promotes_;
  OnError on_error_;
  bool never_blocks_;
  std::array<Stripe, STRIPES> stripes_;
  Copies copies_;
  std::atomic<std::uint32_t> failing_{0}; ///< layers whose last promotion failed, a bit each
  Runs runs_;
  Watches watches_{host_, &look, this};
};

/// Asks the layers in their order. `try_layer(layer, call, answer)` gives one's: OK, NOT_FOUND, or a failure. This
/// decides what is seen of a key, for all that ask about one. `failed` gets a bit for each layer that was skipped.
template <typename Try>
omnistore_status Overlay::first_hit(Call call, std::string_view key, OnError on_error, std::uint32_t &failed,
                                    Try try_layer) {
  omnistore_status skipped = OMNISTORE_OK;
  for (Layer &layer : layers_) {
    LayerCall on(call, layer);
    Answer answer;
    omnistore_status status = try_layer(layer, on, answer);
    if (status == OMNISTORE_OK || answer.last) return status;
    if (status == OMNISTORE_NOT_FOUND) {
      status = answer.removed ? OMNISTORE_OK : layer.records.hides(on, key, answer.removed);
      if (status == OMNISTORE_OK && answer.removed) return OMNISTORE_NOT_FOUND;
      if (status == OMNISTORE_OK) continue;
    }
    on.told(status);
    if (on_error == OnError::fail || !is_failure(status) || call.remaining() == 0) return status;
    failed |= 1u << layer.index;
    skipped = status;
  }
  return on_error == OnError::stale && skipped != OMNISTORE_OK ? skipped : OMNISTORE_NOT_FOUND;
}

} // namespace overlay
