// SPDX-License-Identifier: Apache-2.0
// Batches of reads. Each layer gets one batch with all keys that the layers above it do not have.
#include <deque>

#include "batches.hpp"
#include "reading/reader.hpp"

namespace overlay {

omnistore_status Reader::get_many(Call call, std::span<const omnistore_bytes> keys,
                                  omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                                  omnistore_status *statuses) {
  const StoredKeys names(keys);
  for (const std::string_view key : names.views())
    if (layers_.copies.is_doubtful(key)) resolve_doubt(call, key);
  bool promoting = layers_.promotes;
  for (std::size_t i = 0; i < keys.size(); ++i)
    promoting = promoting && requests[i].offset == 0 && requests[i].length == UINT64_MAX;
  std::vector<Expected> before;
  if (promoting)
    for (const std::string_view key : names.views()) before.push_back(expected(key));
  return get_many(call, names.views(), requests, sinks, statuses, layers_.on_error, promoting ? &before : nullptr);
}

omnistore_status Reader::get_many(Call call, std::span<const std::string_view> keys,
                                  omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                                  omnistore_status *statuses, OnError on_error, const std::vector<Expected> *expected) {
  PendingItems left(keys);
  std::vector<omnistore_status> skipped(keys.size(), OMNISTORE_NOT_FOUND);
  std::uint32_t failed = 0;
  for (Layer &layer : layers_.all) {
    const PendingItems held = hold_back(layer, left);
    if (left.size() == 0) {
      left = held;
      continue;
    }
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
          &gates.emplace_back(*sinks[item], layer, keys[item], layers_.copies, requests[item], layer.holds || copies));
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
    left.add(held);
  }
  for (const std::uint32_t item : left.items)
    statuses[item] = on_error == OnError::stale ? skipped[item] : OMNISTORE_NOT_FOUND;
  return OMNISTORE_OK;
}

omnistore_status Reader::stat_many(Call call, std::span<const omnistore_bytes> keys,
                                   omnistore::Requests<omnistore_get_request> requests, omnistore_sink *const *sinks,
                                   omnistore_status *statuses) {
  const StoredKeys names(keys);
  for (const std::string_view key : names.views())
    if (layers_.copies.is_doubtful(key)) resolve_doubt(call, key);
  PendingItems left(names.views());
  std::vector<omnistore_status> skipped(keys.size(), OMNISTORE_NOT_FOUND);
  for (Layer &layer : layers_.all) {
    const PendingItems held = hold_back(layer, left);
    if (left.size() == 0) {
      left = held;
      continue;
    }
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
      const bool skips = is_failure(status) && layers_.on_error != OnError::fail && call.remaining() != 0;
      if (skips) skipped[item] = status;
      if (skips || (status == OMNISTORE_NOT_FOUND && !removed)) {
        missed.add(item, left.keys[i]);
        continue;
      }
      statuses[item] = status;
      if (status != OMNISTORE_OK) continue;
      layers_.copies.show_source_etag(key, layer.index, metas[i].etag);
      statuses[item] = omnistore::give(*sinks[item], metas[i].view());
    }
    left = std::move(missed);
    drop_hidden(call, layer, left, statuses, skipped, layers_.on_error);
    left.add(held);
  }
  for (const std::uint32_t item : left.items)
    statuses[item] = layers_.on_error == OnError::stale ? skipped[item] : OMNISTORE_NOT_FOUND;
  return OMNISTORE_OK;
}

/// Takes the items out of which the layer must not be read (Layers::may_read).
PendingItems Reader::hold_back(const Layer &layer, PendingItems &left) const {
  PendingItems held;
  if (!layer.proven) return held;
  PendingItems rest;
  for (std::size_t i = 0; i < left.size(); ++i)
    (layers_.may_read(layer, as_view(left.keys[i])) ? rest : held).add(left.items[i], left.keys[i]);
  left = std::move(rest);
  return held;
}

/// Finishes the items that the layer records as removed.
void Reader::drop_hidden(Call call, Layer &layer, PendingItems &left, omnistore_status *statuses,
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

} // namespace overlay
