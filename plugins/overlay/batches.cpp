// SPDX-License-Identifier: Apache-2.0
// Batches. Each layer gets one batch with all keys that the layers above it do not have.
#include "overlay.hpp"

#include <algorithm>

#include <omnistore/forward.hpp>

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

namespace {

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

} // namespace

// --------------------------------------------------------------------------------------------------------------- get

omnistore_status Overlay::get_many(Call call, std::span<const omnistore_bytes> keys,
                                   omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                                   omnistore_status *statuses) {
  const StoredKeys names(keys);
  for (const std::string_view key : names.views())
    if (copies_.is_doubtful(key)) resolve_doubt(call, key);
  bool promoting = promotes_;
  for (std::size_t i = 0; i < keys.size(); ++i)
    promoting = promoting && requests[i].offset == 0 && requests[i].length == UINT64_MAX;
  std::vector<Expected> expected;
  if (promoting)
    for (const std::string_view key : names.views())
      expected.push_back(stripe(key).writes.load(std::memory_order_acquire));
  return get_many(call, names.views(), requests, sinks, statuses, on_error_, promoting ? &expected : nullptr);
}

/// `expected`, unless null: promote the values that are found in lower layers.
omnistore_status Overlay::get_many(Call call, std::span<const std::string_view> keys,
                                   omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                                   omnistore_status *statuses, OnError on_error,
                                   const std::vector<Expected> *expected) {
  PendingItems left(keys);
  std::vector<omnistore_status> skipped(keys.size(), OMNISTORE_NOT_FOUND);
  std::uint32_t failed = 0;
  for (Layer &layer : layers_) {
    if (left.size() == 0) break;
    const bool copies = expected && layer.index > 0;
    std::deque<omnistore_get_request> wanted;
    std::vector<const omnistore_get_request *> wants;
    std::deque<ValueFilter> gates;
    std::vector<omnistore_sink *> pointers;
    for (const std::uint32_t item : left.items) {
      omnistore_get_request &want = wanted.emplace_back(requests[item]);
      if (copies) want.flags |= OMNISTORE_GET_META | OMNISTORE_GET_USER;
      wants.push_back(&want);
      pointers.push_back(
          &gates.emplace_back(*sinks[item], layer, keys[item], copies_, requests[item], layer.holds || copies));
    }
    LayerCall on(call, layer, left.items.data());
    left.close(layer.store.child.get_many(on, left.keys, wants.data(), pointers.data(), left.open()));

    PendingItems missed;
    bool fell = false;
    for (std::size_t i = 0; i < left.size(); ++i) {
      const std::uint32_t &item = left.items[i];
      LayerCall one(call, layer, &item);
      LayerOutcome outcome;
      const omnistore_status status = settle(left.statuses[i], one, layer, keys[item], gates[i], outcome);
      if (status == OMNISTORE_OK && copies && !keys[item].ends_with('$'))
        promote(call, keys[item], gates[i], layer.index, (*expected)[item], failed);
      const bool misses = status == OMNISTORE_NOT_FOUND && !outcome.removed;
      const bool skips = is_failure(status) && !outcome.last && on_error != OnError::fail && call.remaining() != 0;
      if (skips) skipped[item] = status, fell = true;
      if (misses || skips)
        missed.add(item, left.keys[i]);
      else
        statuses[item] = status;
    }
    if (fell) failed |= 1u << layer.index;
    left = std::move(missed);
    drop_hidden(call, layer, left, statuses, skipped, on_error);
  }
  for (const std::uint32_t item : left.items)
    statuses[item] = on_error == OnError::stale ? skipped[item] : OMNISTORE_NOT_FOUND;
  return OMNISTORE_OK;
}

omnistore_status Overlay::stat_many(Call call, std::span<const omnistore_bytes> keys,
                                    omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                                    omnistore_status *statuses) {
  const StoredKeys names(keys);
  for (const std::string_view key : names.views())
    if (copies_.is_doubtful(key)) resolve_doubt(call, key);
  PendingItems left(names.views());
  std::vector<omnistore_status> skipped(keys.size(), OMNISTORE_NOT_FOUND);
  for (Layer &layer : layers_) {
    if (left.size() == 0) break;
    std::deque<MetaCopy> metas;
    std::deque<LayerMetaSink> gates;
    std::vector<omnistore_sink *> pointers;
    std::vector<const omnistore_get_request *> wants;
    for (const std::uint32_t item : left.items) {
      wants.push_back(&requests[item]);
      pointers.push_back(&gates.emplace_back(metas.emplace_back(), layer.index));
    }
    LayerCall on(call, layer, left.items.data());
    left.close(layer.store.child.stat_many(on, left.keys, wants.data(), pointers.data(), left.open()));

    PendingItems missed;
    for (std::size_t i = 0; i < left.size(); ++i) {
      const std::uint32_t &item = left.items[i];
      const std::string_view key = names.views()[item];
      LayerCall one(call, layer, &item);
      bool removed = false;
      const omnistore_status status =
          one.with_reason(settle_stat(left.statuses[i], one, layer, key, metas[i], removed));
      const bool skips = is_failure(status) && on_error_ != OnError::fail && call.remaining() != 0;
      if (skips) skipped[item] = status;
      if (skips || (status == OMNISTORE_NOT_FOUND && !removed)) {
        missed.add(item, left.keys[i]);
        continue;
      }
      statuses[item] = status;
      if (status != OMNISTORE_OK) continue;
      copies_.show_source_etag(key, layer.index, metas[i].etag);
      statuses[item] = omnistore::give(*sinks[item], metas[i].view());
    }
    left = std::move(missed);
    drop_hidden(call, layer, left, statuses, skipped, on_error_);
  }
  for (const std::uint32_t item : left.items)
    statuses[item] = on_error_ == OnError::stale ? skipped[item] : OMNISTORE_NOT_FOUND;
  return OMNISTORE_OK;
}

/// Finishes the items that the layer records as removed.
void Overlay::drop_hidden(Call call, Layer &layer, PendingItems &left, omnistore_status *statuses,
                          std::vector<omnistore_status> &skipped, OnError on_error) {
  std::vector<std::string_view> keys;
  for (const omnistore_bytes key : left.keys) keys.push_back(as_view(key));
  std::vector<bool> hidden(left.size(), false);
  CapturingCall kept(call);
  LayerCall on(kept, layer);
  const omnistore_status status = on.with_reason(layer.records.hides(on, keys, hidden));
  if (status == OMNISTORE_OK) {
    left.statuses.assign(left.size(), OMNISTORE_OK);
    for (std::size_t i = 0; i < left.size(); ++i)
      if (hidden[i]) left.statuses[i] = OMNISTORE_NOT_FOUND;
    return left.settle(statuses, [](omnistore_status one) { return one == OMNISTORE_OK; });
  }
  for (const std::uint32_t item : left.items) {
    if (!kept.message().empty()) call.fail(item, status, kept.message());
    skipped[item] = status;
  }
  if (on_error != OnError::fail && is_failure(status) && call.remaining() != 0) return;
  left.statuses.assign(left.size(), status);
  left.settle(statuses, [](omnistore_status) { return false; });
}

// --------------------------------------------------------------------------------------------------------------- set

/// Locks the stripes of several keys, each once, always in the same order.
std::deque<Overlay::WriteLock> Overlay::writing(std::span<const std::string_view> keys) {
  std::vector<Stripe *> lanes;
  for (const std::string_view key : keys) lanes.push_back(&stripe(key));
  std::sort(lanes.begin(), lanes.end());
  lanes.erase(std::unique(lanes.begin(), lanes.end()), lanes.end());
  std::deque<WriteLock> held;
  for (Stripe *lane : lanes) held.emplace_back(*lane);
  return held;
}

/// Returns true if a layer outlives the host, so that its copies could hide for ever the values that a batch has
/// written below them, if the host were killed in between. Then each item is written by itself (write_and_drop_copies).
bool Overlay::has_lasting_copies() const {
  return std::any_of(layers_.begin(), layers_.end(),
                     [](const Layer &layer) { return layer.dropped && layer.may_mark; });
}

/// Returns true if all items are plain sets: no condition, no stream, no expiry that has passed.
bool Overlay::plain(std::span<const omnistore_bytes> keys, const omnistore_set_request *const *requests) const {
  const std::int64_t moment = now();
  return written_.front() == 0 && !has_lasting_copies() &&
         std::all_of(requests, requests + keys.size(), [&](const omnistore_set_request *one) {
           return !one->source && one->condition == OMNISTORE_ALWAYS && (one->expiry == 0 || one->expiry > moment) &&
                  as_view(one->value) != removed_marker;
         });
}

/// Gives the remaining items to each layer of `writeTo`, in the order of write_layers(). `step(layer, call)` puts the
/// statuses into `left`. Items whose status is OK pass to the next layer.
template <typename Step>
void Overlay::batch_write_layers(Call call, PendingItems &left, omnistore_status *statuses, Step step) {
  const std::vector<std::uint32_t> order(written_.rbegin(), written_.rend());
  for (std::size_t place = 0; place < order.size() && left.size() > 0; ++place) {
    Layer &layer = layers_[order[place]];
    omnistore::FailureBuffer kept(call);
    LayerCall on(kept, layer, left.items.data());
    left.close(step(layer, Call(on)));
    for (std::size_t i = 0; i < left.size(); ++i) {
      if (left.statuses[i] == OMNISTORE_OK) continue;
      const omnistore::FailureBuffer::Said failure = kept.of(left.items[i]);
      doubt_copies(call, as_view(left.keys[i]), omnistore::may_have_changed(left.statuses[i], failure.details));
      // The layers that were written before stay changed.
      const FailureDetails details{failure.details.nothing_done && place == 0, failure.details.retry_after};
      call.fail(left.items[i], left.statuses[i], failure.message + how_far(order, place), details);
    }
    left.settle(statuses, [](omnistore_status status) { return status == OMNISTORE_OK; });
  }
}

/// The same as drop_copies() for a batch that was written. Sets the statuses of its items.
void Overlay::drop_copies(Call call, PendingItems &left, omnistore_status *statuses) {
  for (Layer &layer : layers_) {
    if (!layer.dropped || left.size() == 0) continue;
    LayerCall on(call, layer, left.items.data());
    left.close(layer.store.remove_many(on, left.keys, left.open()));
    for (std::size_t i = 0; i < left.size(); ++i)
      if (is_failure(left.statuses[i])) copies_.doubt(as_view(left.keys[i]));
    left.settle(statuses,
                [](omnistore_status status) { return status == OMNISTORE_OK || status == OMNISTORE_NOT_FOUND; });
  }
  for (std::size_t i = 0; i < left.size(); ++i) {
    statuses[left.items[i]] = OMNISTORE_OK;
    copies_.trust(as_view(left.keys[i]));
  }
}

omnistore_status Overlay::set_many(Call call, std::span<const omnistore_bytes> keys,
                                   omnistore::Requests<omnistore_set_request> requests, omnistore_sink *const *results,
                                   omnistore_status *statuses) {
  if (!plain(keys, requests.raw())) {
    for (std::uint32_t i = 0; i < keys.size(); ++i) {
      ItemCall one(call, i);
      statuses[i] = set(one, as_view(keys[i]), requests[i], results ? results[i] : nullptr);
    }
    return OMNISTORE_OK;
  }
  const StoredKeys names(keys);
  const auto held = writing(names.views());
  PendingItems left(names.views());
  batch_write_layers(call, left, statuses, [&](Layer &layer, Call on) {
    std::vector<const omnistore_set_request *> wanted;
    std::deque<LayerResultSink> gates;
    std::vector<omnistore_sink *> shown;
    const bool shows = results && layer.index == written_.front(); // a read finds the value of this layer
    for (const std::uint32_t item : left.items) {
      wanted.push_back(&requests[item]);
      if (shows) shown.push_back(results[item] ? &gates.emplace_back(*results[item], layer.index) : nullptr);
    }
    return layer.store.set_many(on, left.keys, wanted.data(), shows ? shown.data() : nullptr, left.open());
  });
  drop_copies(call, left, statuses);
  for (const std::uint32_t item : left.items) {
    ItemCall one(call, item);
    statuses[item] = forget_removal(one, names.views()[item]);
  }
  return OMNISTORE_OK;
}

// ------------------------------------------------------------------------------------------------------------ remove

omnistore_status Overlay::remove_many(Call call, std::span<const omnistore_bytes> keys,
                                      omnistore::Requests<omnistore_remove_request> requests,
                                      omnistore_status *statuses) {
  bool matches = false;
  for (std::size_t i = 0; i < keys.size(); ++i) matches |= requests[i].condition == OMNISTORE_IF_MATCH;
  if (written_.front() != 0 || has_lasting_copies() || matches) {
    for (std::uint32_t i = 0; i < keys.size(); ++i) {
      ItemCall one(call, i);
      statuses[i] = remove(one, as_view(keys[i]), requests[i]);
    }
    return OMNISTORE_OK;
  }
  const StoredKeys names(keys);
  const auto held = writing(names.views());
  PendingItems left(names.views());
  DiscardingSink sink;
  const std::vector<omnistore_sink *> sinks(keys.size(), &sink);
  const omnistore_get_request little{sizeof little, 0, 0, removed_marker.size() + 1};
  const auto looks = omnistore::repeated(little, keys.size());
  left.close(get_many(call, names.views(), omnistore::Requests(looks.data()), sinks.data(), left.open(), OnError::fail,
                      nullptr));
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (left.statuses[i] != OMNISTORE_OK) continue;
    ItemCall one(call, left.items[i]);
    std::vector<std::uint32_t> recorded;
    left.statuses[i] = record_removal(one, as_view(left.keys[i]), recorded);
  }
  left.settle(statuses, [](omnistore_status status) { return status == OMNISTORE_OK; });
  batch_write_layers(call, left, statuses, [&](Layer &layer, Call on) {
    const omnistore_status whole = layer.store.remove_many(on, left.keys, left.open());
    for (omnistore_status &status : left.statuses)
      if (status == OMNISTORE_NOT_FOUND) status = OMNISTORE_OK;
    return whole;
  });
  drop_copies(call, left, statuses);
  return OMNISTORE_OK;
}

} // namespace overlay
