// SPDX-License-Identifier: Apache-2.0
// The layer `overlay`: several stores as one. README.md says what it does. This file opens the layer and reads values.
#include "overlay.hpp"

#include <algorithm>

#include <omnistore_schema.h>

#include "records/keys.hpp"

namespace overlay {

using omnistore::Failure;

namespace {

/// A value of up to this size is buffered on the stack.
constexpr std::size_t stack_room = 4096;
constexpr std::uint64_t longest_key = OMNISTORE_MAX_KEY_SIZE; ///< the longest key of any store
/// The bytes by which the key of a record is longer than the user's key (records/keys.hpp), and some more.
constexpr std::uint64_t record_room = 32;

OnError on_error_of(const std::string &name) {
  if (name == "skip") return OnError::skip;
  return name == "stale" ? OnError::stale : OnError::fail;
}

std::uint32_t checked_index(std::int64_t index, std::size_t count) {
  if (index >= 0 && static_cast<std::size_t>(index) < count) return static_cast<std::uint32_t>(index);
  throw Failure(OMNISTORE_INVALID, "option writeTo: " + std::to_string(index) + " is no layer; there are " +
                                       std::to_string(count) + ", 0 to " + std::to_string(count - 1));
}

std::vector<std::uint32_t> written_layers(const omnistore::Options &options, std::size_t count) {
  std::vector<std::uint32_t> layers;
  switch (options.kind("writeTo")) {
  case omnistore::Kind::string:
    if (options.string("writeTo") != "all")
      throw Failure(OMNISTORE_INVALID, "option writeTo: expected an index, a list of indexes or \"all\", found \"" +
                                           options.string("writeTo") + "\"");
    for (std::uint32_t i = 0; i < count; ++i) layers.push_back(i);
    return layers;
  case omnistore::Kind::array:
    for (const std::int64_t index : options.integers("writeTo")) layers.push_back(checked_index(index, count));
    break;
  default:
    layers.push_back(checked_index(options.integer("writeTo", 0), count));
  }
  std::sort(layers.begin(), layers.end());
  layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
  if (layers.empty()) throw Failure(OMNISTORE_INVALID, "option writeTo: the list is empty; name at least one layer");
  return layers;
}

} // namespace

// ---------------------------------------------------------------------------------------------------------- opening

void Overlay::validate(const omnistore::Options &options, std::uint32_t layers, omnistore::Problems &problems) {
  problems.check([&] { written_layers(options, layers); });
}

Overlay::Overlay(const omnistore_host &host, const omnistore::Options &options, omnistore_traits &traits,
                 std::span<const omnistore_store *const> children)
    : host_(host), written_(written_layers(options, children.size())), promotes_(options.boolean("promote", false)),
      on_error_(on_error_of(options.string("onLayerError", "fail"))),
      never_blocks_(std::all_of(children.begin(), children.end(), [](const omnistore_store *child) {
        return Child(child).can(OMNISTORE_NEVER_BLOCKS);
      })) {
  for (std::uint32_t i = 0; i < children.size(); ++i) {
    const Child child(children[i]);
    const bool written = std::binary_search(written_.begin(), written_.end(), i);
    const bool forgets = !child.can(OMNISTORE_SHARED) && child.traits().keeps == OMNISTORE_KEEPS_NOTHING;
    Records::Kind kind = Records::Kind::loaded;
    if (i + 1 == children.size() || (forgets && !written))
      kind = Records::Kind::none;
    else if (child.can(OMNISTORE_SHARED))
      kind = Records::Kind::direct;
    else if (forgets)
      kind = Records::Kind::memory;
    Layer &layer = layers_.emplace_back(children[i], i, kind);
    layer.written = written;
    layer.dropped = promotes_ && !written && layer.takes_writes() && i < written_.back();
    layer.holds = !never_blocks_ && child.can(OMNISTORE_NEVER_BLOCKS);
    layer.may_mark = !forgets;
    layer.lowest = i + 1 == children.size();
  }
  for (Layer &layer : layers_)
    layer.records_in = layer.written && layer.index + 1 < count() && !layers_[layer.index + 1].written;
  state_traits(traits);
}

void Overlay::state_traits(omnistore_traits &traits) {
  const auto every = [&](std::uint64_t capability) {
    return std::all_of(layers_.begin(), layers_.end(), [&](const Layer &l) { return l.store.child.can(capability); });
  };
  const auto every_written = [&](std::uint64_t capability) {
    return std::all_of(written_.begin(), written_.end(),
                       [&](std::uint32_t i) { return layers_[i].store.child.can(capability); });
  };
  traits.capabilities = OMNISTORE_CAN_RANGE | OMNISTORE_CAN_DEPTH | OMNISTORE_CAN_LIST_META | OMNISTORE_CAN_LIST_RANGE |
                        OMNISTORE_CAN_LIST_FOLDERS;
  for (const std::uint64_t capability : {OMNISTORE_NESTS, OMNISTORE_CAN_TTL, OMNISTORE_CAN_META})
    if (every_written(capability)) traits.capabilities |= capability;
  if (every(OMNISTORE_CAN_ETAG)) traits.capabilities |= OMNISTORE_CAN_ETAG;
  if (never_blocks_) traits.capabilities |= OMNISTORE_NEVER_BLOCKS;
  if (written_.size() == 1 && every_written(OMNISTORE_CAN_STREAM)) traits.capabilities |= OMNISTORE_CAN_STREAM;
  for (const Layer &layer : layers_) {
    if (layer.shared()) traits.capabilities |= OMNISTORE_SHARED;
    if (layer.written && !layer.takes_writes()) traits.capabilities |= OMNISTORE_READS_ONLY;
  }
  traits.capabilities |= conditions();

  const auto limit = [](std::uint64_t &most, std::uint64_t other) {
    if (other != 0 && (most == 0 || other < most)) most = other;
  };
  // A written value is as durable as the best layer of `writeTo` that has no gap above it. A removal is as durable as
  // the worst layer that records it.
  std::uint32_t values_kept = 0, removals_kept = OMNISTORE_KEEPS_POWER;
  for (std::uint32_t place = 0; place < written_.size(); ++place) {
    const std::uint32_t i = written_[place];
    const omnistore_traits &own = layers_[i].store.child.traits();
    limit(traits.max_key_size, (own.max_key_size == 0 ? longest_key : own.max_key_size) - record_room);
    limit(traits.max_value_size, own.max_value_size);
    traits.min_ttl = std::max(traits.min_ttl, own.min_ttl);
    traits.ttl_grain = std::max(traits.ttl_grain, own.ttl_grain);
    if (i == written_.front() + place) values_kept = std::max(values_kept, own.keeps);
    if (layers_[i].records_in) removals_kept = std::min(removals_kept, own.keeps);
  }
  limit(traits.max_key_size, longest_key - record_room);
  traits.keeps = std::min(values_kept, removals_kept);
}

// ---------------------------------------------------------------------------------------------------------- reading

/// Decides on a get after a layer has finished: passes the value on, or finds that the key is removed.
omnistore_status Overlay::settle(omnistore_status status, Call call, const Layer &layer, std::string_view key,
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

omnistore_status Overlay::get(Call call, std::string_view key, const omnistore_get_request &request,
                              omnistore_sink &sink) {
  std::string moved;
  key = layer_key(key, moved);
  if (copies_.is_doubtful(key)) resolve_doubt(call, key);
  const bool promoting = promotes_ && request.offset == 0 && request.length == UINT64_MAX && !key.ends_with('$');
  const Expected expected = promoting ? stripe(key).writes.load(std::memory_order_acquire) : 0;
  std::uint32_t failed = 0;
  alignas(64) std::array<char, stack_room> room;
  return first_hit(call, key, on_error_, failed, [&](Layer &layer, Call on, LayerOutcome &outcome) {
    const bool copies = promoting && layer.index > 0;
    ValueFilter gate(sink, layer, key, copies_, request, layer.holds || copies, room);
    omnistore_status status;
    if (!copies) {
      status = layer.store.child.get(on, key, request, gate);
    } else {
      omnistore_get_request wanted = request;
      wanted.flags |= OMNISTORE_GET_META | OMNISTORE_GET_USER; // the copy needs both
      status = layer.store.child.get(on, key, wanted, gate);
    }
    status = settle(status, on, layer, key, gate, outcome);
    if (copies && status == OMNISTORE_OK) promote(call, key, gate, layer.index, expected, failed);
    return status;
  });
}

omnistore_status Overlay::stat_in(Call call, const Layer &layer, std::string_view key, std::uint32_t flags,
                                  MetaCopy &meta, bool &removed) const {
  LayerMetaSink gate(meta, layer.index);
  const omnistore_get_request request{sizeof request, flags, 0, UINT64_MAX};
  return settle_stat(layer.store.child.stat(call, key, request, gate), call, layer, key, meta, removed);
}

/// Decides on a stat after a layer has finished: unstorage's marker is no value.
omnistore_status Overlay::settle_stat(omnistore_status status, Call call, const Layer &layer, std::string_view key,
                                      const MetaCopy &meta, bool &removed) const {
  const bool may_be =
      layer.may_mark && (meta.value_size == removed_marker.size() || meta.value_size == OMNISTORE_UNKNOWN_SIZE);
  if (status != OMNISTORE_OK || !may_be) return status;
  if (const omnistore_status read = has_marker(call, layer, key, removed); read != OMNISTORE_OK) return read;
  if (!removed) return OMNISTORE_OK;
  if (layer.lowest) layer.marks.put(key, true);
  return OMNISTORE_NOT_FOUND;
}

omnistore_status Overlay::find_visible(Call call, std::string_view key, std::uint32_t flags, OnError on_error,
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

omnistore_status Overlay::stat(Call call, std::string_view key, const omnistore_get_request &request,
                               omnistore_sink &sink) {
  std::string moved;
  key = layer_key(key, moved);
  if (copies_.is_doubtful(key)) resolve_doubt(call, key);
  VisibleValue seen;
  const omnistore_status status = find_visible(call, key, request.flags, on_error_, seen);
  if (status != OMNISTORE_OK) return status;
  copies_.show_source_etag(key, seen.layer, seen.meta.etag);
  return omnistore::give(sink, seen.meta.view());
}

/// Copies a value that was found in layer `from` into the layers above. If that fails, the read succeeds all the same:
/// the failure is logged once, until a promotion succeeds again.
void Overlay::promote(Call outer, std::string_view key, const ValueFilter &value, std::uint32_t from, Expected expected,
                      std::uint32_t failed) {
  if (value.meta().expiry != 0 && value.meta().expiry <= now()) return;
  Stripe &lane = stripe(key);
  const std::lock_guard lock(lane.mutex);
  if (lane.writes.load(std::memory_order_acquire) != expected) return;
  omnistore_set_request request{};
  request.size = sizeof request;
  request.value = as_bytes(value.bytes());
  request.expiry = value.meta().expiry;
  omnistore::ValueSink source;
  request.user = value.meta().user;
  if (!(value.meta().flags & OMNISTORE_META_USER)) { // the layer did not give it with the value
    CapturingCall on(outer);
    const omnistore_get_request user{sizeof user, OMNISTORE_GET_USER, 0, UINT64_MAX};
    if (layers_[from].store.child.stat(on, key, user, source) != OMNISTORE_OK) return;
    request.user = as_bytes(source.user);
  }
  for (std::uint32_t i = from; i-- > 0;) {
    Layer &layer = layers_[i];
    if (!layer.takes_writes() || failed & 1u << i) continue;
    request.condition = layer.store.child.can(OMNISTORE_CAN_IF_ABSENT) ? OMNISTORE_IF_ABSENT : OMNISTORE_ALWAYS;
    CapturingCall call(outer);
    MetaCopy copy;
    LayerMetaSink result(copy, i);
    const omnistore_status status = layer.store.set(call, key, request, &result);
    if (status == OMNISTORE_OK) {
      copies_.note(key, i, copy.etag.own(), as_view(value.meta().etag));
      failing_.fetch_and(~(1u << i));
    } else if (is_failure(status) && !(failing_.fetch_or(1u << i) & 1u << i)) {
      omnistore::log_line(host_, OMNISTORE_LOG_WARN, "promote: " + layer.name() + " takes no copies: " + call.reason());
    }
  }
}

/// Drops the doubtful copies of a key if the layers below can be read again.
void Overlay::resolve_doubt(Call outer, std::string_view key) {
  const std::unique_lock lock(stripe(key).mutex, std::try_to_lock);
  if (!lock) return; // a write is under way
  CapturingCall call(outer);
  VisibleValue seen;
  if (is_failure(find_visible(call, key, 0, OnError::fail, seen, false))) return;
  if (drop_copies(call, key) == OMNISTORE_OK) copies_.trust(key);
}

constexpr omnistore_traits driver_traits = [] {
  omnistore_traits traits{};
  traits.size = sizeof traits;
  traits.thread_model = OMNISTORE_PARALLEL;
  traits.order = OMNISTORE_ORDER_KEYS;
  return traits;
}();

} // namespace overlay

OMNISTORE_PLUGIN(omnistore::driver<overlay::Overlay>("overlay", "1.0.0", "Several stores as one, read in order",
                                                     OMNISTORE_OPTIONS_SCHEMA, overlay::driver_traits, 1,
                                                     overlay::max_layers))
