// SPDX-License-Identifier: Apache-2.0
#include "reading/reader.hpp"

#include <array>

#include "records/keys.hpp"

namespace overlay {

namespace {

/// A value of up to this size is buffered on the stack.
constexpr std::size_t stack_room = 4096;

} // namespace

/// Decides on a get after a layer has finished: passes the value on, or finds that the key is removed.
omnistore_status Reader::settle(omnistore_status status, Call call, const Layer &layer, std::string_view key,
                                ValueFilter &gate, LayerOutcome &outcome) const {
  if (status != OMNISTORE_OK) {
    outcome.last = gate.begun() || gate.refused();
    return status;
  }
  if (gate.passing()) return OMNISTORE_OK;
  outcome.removed = gate.is_marker();
  if (gate.may_be_marker()) {
    status = has_marker(call, layer, key, outcome.removed);
    if (status != OMNISTORE_OK) return status;
  }
  if (outcome.removed) {
    if (layer.lowest) layer.marks.put(key, true);
    return OMNISTORE_NOT_FOUND;
  }
  status = gate.finish();
  outcome.last = true;
  return status;
}

Reader::Expected Reader::expected(std::string_view key) {
  return {layers_.stripe(key).writes.load(std::memory_order_acquire),
          layers_.coherence ? layers_.coherence->begin(key) : omnistore::Coherence::Ticket()};
}

omnistore_status Reader::get(Call call, std::string_view key, const omnistore_get_request &request,
                             omnistore_sink &sink) {
  std::string moved;
  key = layer_key(key, moved);
  if (layers_.copies.is_doubtful(key)) resolve_doubt(call, key);
  const bool promoting = layers_.promotes && request.offset == 0 && request.length == UINT64_MAX && !key.ends_with('$');
  const Expected before = promoting ? expected(key) : Expected();
  std::uint32_t failed = 0;
  alignas(64) std::array<char, stack_room> room;
  return first_hit(call, key, layers_.on_error, failed, [&](Layer &layer, Call on, LayerOutcome &outcome) {
    const bool copies = promoting && layer.index > 0;
    ValueFilter gate(sink, layer, key, layers_.copies, request, layer.holds || copies, room);
    omnistore_status status;
    if (!copies) {
      status = layer.store.child.get(on, key, request, gate);
    } else {
      omnistore_get_request wanted = request;
      wanted.flags |= OMNISTORE_GET_META | OMNISTORE_GET_USER; // the copy needs both
      status = layer.store.child.get(on, key, wanted, gate);
    }
    status = settle(status, on, layer, key, gate, outcome);
    if (copies && status == OMNISTORE_OK) promote(call, key, gate, layer.index, before, failed);
    return status;
  });
}

omnistore_status Reader::stat_in(Call call, const Layer &layer, std::string_view key, std::uint32_t flags,
                                 MetaCopy &meta, bool &removed) const {
  LayerMetaSink gate(meta, layer.index);
  const omnistore_get_request request{sizeof request, flags, 0, UINT64_MAX};
  return settle_stat(layer.store.child.stat(call, key, request, gate), call, layer, key, meta, removed);
}

/// Decides on a stat after a layer has finished: unstorage's marker is no value.
omnistore_status Reader::settle_stat(omnistore_status status, Call call, const Layer &layer, std::string_view key,
                                     const MetaCopy &meta, bool &removed) const {
  const bool may_be =
      layer.may_mark && (meta.value_size == removed_marker.size() || meta.value_size == OMNISTORE_UNKNOWN_SIZE);
  if (status != OMNISTORE_OK || !may_be) return status;
  if (const omnistore_status read = has_marker(call, layer, key, removed); read != OMNISTORE_OK) return read;
  if (!removed) return OMNISTORE_OK;
  if (layer.lowest) layer.marks.put(key, true);
  return OMNISTORE_NOT_FOUND;
}

omnistore_status Reader::find_visible(Call call, std::string_view key, std::uint32_t flags, OnError on_error,
                                      VisibleValue &seen, bool copies) {
  std::uint32_t failed = 0;
  return first_hit(call, key, on_error, failed, [&](Layer &layer, Call on, LayerOutcome &outcome) {
    if (layer.dropped && !copies) return OMNISTORE_NOT_FOUND;
    const omnistore_status status = stat_in(on, layer, key, flags, seen.meta, outcome.removed);
    seen.last = layer.index;
    seen.marked = outcome.removed;
    if (status == OMNISTORE_OK) seen.layer = layer.index;
    return status;
  });
}

omnistore_status Reader::stat(Call call, std::string_view key, const omnistore_get_request &request,
                              omnistore_sink &sink) {
  std::string moved;
  key = layer_key(key, moved);
  if (layers_.copies.is_doubtful(key)) resolve_doubt(call, key);
  VisibleValue seen;
  const omnistore_status status = find_visible(call, key, request.flags, layers_.on_error, seen);
  if (status != OMNISTORE_OK) return status;
  layers_.copies.show_source_etag(key, seen.layer, seen.meta.etag);
  return omnistore::give(sink, seen.meta.view());
}

/// Copies a value that was found in layer `from` into the layers above. If that fails, the read succeeds all the same:
/// the failure is logged once, until a promotion succeeds again.
void Reader::promote(Call outer, std::string_view key, const ValueFilter &value, std::uint32_t from,
                     const Expected &expected, std::uint32_t failed) {
  if (value.meta().expiry != 0 && value.meta().expiry <= layers_.now()) return;
  Stripe &lane = layers_.stripe(key);
  const std::lock_guard lock(lane.mutex);
  if (lane.writes.load(std::memory_order_acquire) != expected.writes) return;
  if (layers_.coherence && !layers_.coherence->trusts(key, expected.ticket)) return; // it may be outdated already
  omnistore_set_request request{};
  request.size = sizeof request;
  request.value = as_bytes(value.bytes());
  request.expiry = value.meta().expiry;
  omnistore::ValueSink source;
  request.user = value.meta().user;
  if (!(value.meta().flags & OMNISTORE_META_USER)) { // the layer did not give it with the value
    CapturingCall on(outer);
    const omnistore_get_request user{sizeof user, OMNISTORE_GET_USER, 0, UINT64_MAX};
    if (layers_.all[from].store.child.stat(on, key, user, source) != OMNISTORE_OK) return;
    request.user = as_bytes(source.user);
  }
  for (std::uint32_t i = from; i-- > 0;) {
    Layer &layer = layers_.all[i];
    if (!layer.takes_writes() || failed & 1u << i) continue;
    const bool keeps = layers_.may_read(layer, key); // a copy that is not trusted is replaced
    request.condition =
        keeps && layer.store.child.can(OMNISTORE_CAN_IF_ABSENT) ? OMNISTORE_IF_ABSENT : OMNISTORE_ALWAYS;
    CapturingCall call(outer);
    MetaCopy copy;
    LayerMetaSink result(copy, i);
    const omnistore_status status = layer.store.set(call, key, request, &result);
    if (status == OMNISTORE_OK) {
      layers_.copies.note(key, i, copy.etag.own(), as_view(value.meta().etag), expected.ticket);
      promotions_.fetch_add(1, std::memory_order_relaxed);
      failing_.fetch_and(~(1u << i));
    } else if (is_failure(status) && !(failing_.fetch_or(1u << i) & 1u << i)) {
      omnistore::log_line(layers_.host, OMNISTORE_LOG_WARN,
                          "promote: " + layer.name() + " takes no copies: " + call.reason());
    }
  }
}

/// Drops the doubtful copies of a key if the layers below can be read again.
void Reader::resolve_doubt(Call outer, std::string_view key) {
  const std::unique_lock lock(layers_.stripe(key).mutex, std::try_to_lock);
  if (!lock) return; // a write is under way
  CapturingCall call(outer);
  VisibleValue seen;
  if (is_failure(find_visible(call, key, 0, OnError::fail, seen, false))) return;
  if (layers_.drop_copies(call, key) == OMNISTORE_OK) layers_.copies.trust(key);
}

} // namespace overlay
