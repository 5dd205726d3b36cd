// SPDX-License-Identifier: Apache-2.0
// Batches of writes. Each layer of `writeTo` gets one batch.
#include "writing/batch_writer.hpp"

#include <algorithm>
#include <deque>
#include <string>

#include <omnistore/forward.hpp>

#include "batches.hpp"

namespace overlay {

/// Returns true if all items are plain sets: no condition, no stream, no expiry that has passed.
bool BatchWriter::plain(std::span<const omnistore_bytes> keys, const omnistore_set_request *const *requests) const {
  const std::int64_t moment = layers_.now();
  return layers_.written.front() == 0 && !layers_.has_lasting_copies() &&
         std::all_of(requests, requests + keys.size(), [&](const omnistore_set_request *one) {
           return !one->source && one->condition == OMNISTORE_ALWAYS && (one->expiry == 0 || one->expiry > moment) &&
                  as_view(one->value) != removed_marker;
         });
}

/// Gives the remaining items to each layer of `writeTo`, in the order of write_layers(). `step(layer, call)` puts the
/// statuses into `left`. Items whose status is OK pass to the next layer.
template <typename Step>
void BatchWriter::batch_write_layers(Call call, PendingItems &left, omnistore_status *statuses, Step step) {
  const std::vector<std::uint32_t> order(layers_.written.rbegin(), layers_.written.rend());
  for (std::size_t place = 0; place < order.size() && left.size() > 0; ++place) {
    Layer &layer = layers_.all[order[place]];
    omnistore::FailureBuffer kept(call);
    LayerCall on(kept, layer, left.items.data());
    left.close(step(layer, Call(on)));
    for (std::size_t i = 0; i < left.size(); ++i) {
      if (left.statuses[i] == OMNISTORE_OK) continue;
      const omnistore::FailureBuffer::Said failure = kept.of(left.items[i]);
      layers_.doubt_copies(call, as_view(left.keys[i]), omnistore::may_have_changed(left.statuses[i], failure.details));
      // The layers that were written before stay changed.
      const FailureDetails details{failure.details.nothing_done && place == 0, failure.details.retry_after};
      call.fail(left.items[i], left.statuses[i], failure.message + layers_.how_far(order, place), details);
    }
    left.settle(statuses, [](omnistore_status status) { return status == OMNISTORE_OK; });
  }
}

/// The same as Layers::drop_copies() for a batch that was written. Sets the statuses of its items.
void BatchWriter::drop_copies(Call call, PendingItems &left, omnistore_status *statuses) {
  for (Layer &layer : layers_.all) {
    if (!layer.dropped || left.size() == 0) continue;
    LayerCall on(call, layer, left.items.data());
    left.close(layer.store.remove_many(on, left.keys, left.open()));
    for (std::size_t i = 0; i < left.size(); ++i)
      if (is_failure(left.statuses[i])) layers_.copies.doubt(as_view(left.keys[i]));
    left.settle(statuses,
                [](omnistore_status status) { return status == OMNISTORE_OK || status == OMNISTORE_NOT_FOUND; });
  }
  for (std::size_t i = 0; i < left.size(); ++i) {
    statuses[left.items[i]] = OMNISTORE_OK;
    layers_.copies.trust(as_view(left.keys[i]));
  }
}

omnistore_status BatchWriter::set_many(Call call, std::span<const omnistore_bytes> keys,
                                       omnistore::Requests<omnistore_set_request> requests,
                                       omnistore_sink *const *results, omnistore_status *statuses) {
  if (!plain(keys, requests.raw())) {
    for (std::uint32_t i = 0; i < keys.size(); ++i) {
      ItemCall one(call, i);
      statuses[i] = writer_.set(one, as_view(keys[i]), requests[i], results ? results[i] : nullptr);
    }
    return OMNISTORE_OK;
  }
  const StoredKeys names(keys);
  const auto held = layers_.writing(names.views());
  PendingItems left(names.views());
  batch_write_layers(call, left, statuses, [&](Layer &layer, Call on) {
    std::vector<const omnistore_set_request *> wanted;
    std::deque<LayerResultSink> gates;
    std::vector<omnistore_sink *> shown;
    const bool shows = results && layer.index == layers_.written.front(); // a read finds the value of this layer
    for (const std::uint32_t item : left.items) {
      wanted.push_back(&requests[item]);
      if (shows) shown.push_back(results[item] ? &gates.emplace_back(*results[item], layer.index) : nullptr);
    }
    return layer.store.set_many(on, left.keys, wanted.data(), shows ? shown.data() : nullptr, left.open());
  });
  drop_copies(call, left, statuses);
  for (const std::uint32_t item : left.items) {
    ItemCall one(call, item);
    statuses[item] = writer_.forget_removal(one, names.views()[item]);
  }
  return OMNISTORE_OK;
}

omnistore_status BatchWriter::remove_many(Call call, std::span<const omnistore_bytes> keys,
                                          omnistore::Requests<omnistore_remove_request> requests,
                                          omnistore_status *statuses) {
  bool matches = false;
  for (std::size_t i = 0; i < keys.size(); ++i) matches |= requests[i].condition == OMNISTORE_IF_MATCH;
  if (layers_.written.front() != 0 || layers_.has_lasting_copies() || matches) {
    for (std::uint32_t i = 0; i < keys.size(); ++i) {
      ItemCall one(call, i);
      statuses[i] = writer_.remove(one, as_view(keys[i]), requests[i]);
    }
    return OMNISTORE_OK;
  }
  const StoredKeys names(keys);
  const auto held = layers_.writing(names.views());
  PendingItems left(names.views());
  DiscardingSink sink;
  const std::vector<omnistore_sink *> sinks(keys.size(), &sink);
  const omnistore_get_request little{sizeof little, 0, 0, removed_marker.size() + 1};
  const auto looks = omnistore::repeated(little, keys.size());
  left.close(reader_.get_many(call, names.views(), omnistore::Requests(looks.data()), sinks.data(), left.open(),
                              OnError::fail, nullptr));
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (left.statuses[i] != OMNISTORE_OK) continue;
    ItemCall one(call, left.items[i]);
    std::vector<std::uint32_t> recorded;
    left.statuses[i] = writer_.record_removal(one, as_view(left.keys[i]), recorded);
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
