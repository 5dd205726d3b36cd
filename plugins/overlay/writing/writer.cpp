// SPDX-License-Identifier: Apache-2.0
// Writes. They go to the lowest layer first and to the highest last. Readers see a change only after the last step, so
// a write that is interrupted leaves the old value or the new one.
#include "writing/writer.hpp"

#include <algorithm>
#include <utility>

#include "records/keys.hpp"

namespace overlay {
namespace {

bool is_past(std::int64_t expiry, std::int64_t now) { return expiry != 0 && expiry <= now; }

/// A stream whose first bytes were read already: it gives them first, and then the rest.
class ResumedSource : public omnistore_source {
public:
  ResumedSource(omnistore_source &source, std::string_view first)
      : omnistore_source{sizeof(omnistore_source), 0, read_}, source_(source), first_(first) {}

private:
  static omnistore_status OMNISTORE_CALL read_(omnistore_source *source, void *buffer, std::uint64_t capacity,
                                               std::uint64_t *read) noexcept {
    auto &self = *static_cast<ResumedSource *>(source);
    if (self.first_.empty()) return self.source_.read(&self.source_, buffer, capacity, read);
    *read = self.first_.copy(static_cast<char *>(buffer), static_cast<std::size_t>(capacity));
    self.first_.remove_prefix(static_cast<std::size_t>(*read));
    return OMNISTORE_OK;
  }
  omnistore_source &source_;
  std::string_view first_;
};

/// Reads a stream until it ends, which sets `ended`, or until `most` bytes were read.
omnistore_status read_some(omnistore_source &source, std::size_t most, std::string &bytes, bool &ended) {
  constexpr std::size_t piece = 64 * 1024;
  ended = false;
  while (bytes.size() < most) {
    const std::size_t had = bytes.size();
    bytes.resize(had + std::min(most - had, piece));
    std::uint64_t read = 0;
    const omnistore_status status = source.read(&source, bytes.data() + had, bytes.size() - had, &read);
    bytes.resize(had + static_cast<std::size_t>(read));
    if (status != OMNISTORE_OK) return status;
    if (read == 0) return ended = true, OMNISTORE_OK;
  }
  return OMNISTORE_OK;
}

} // namespace

omnistore_status Writer::set(Call call, std::string_view key, const omnistore_set_request &request,
                             omnistore_sink *result) {
  std::string moved;
  key = layer_key(key, moved);
  if (request.source) return stream(call, key, request, result);
  const WriteLock writing(layers_.stripe(key));
  return set_locked(call, key, request, result);
}

omnistore_status Writer::set_locked(Call call, std::string_view key, const omnistore_set_request &request,
                                    omnistore_sink *result) {
  if (as_view(request.value) == removed_marker)
    return call.fail(OMNISTORE_INVALID, "this value is the mark of a removal in the data of unstorage's overlay");
  omnistore_status status = conditions_.check_layers_above(call, key);
  if (status != OMNISTORE_OK) return status;
  // If the layer that decides refuses, another host may have promoted the value meanwhile, so it is checked again.
  for (int tries = layers_.promotes ? 3 : 1;;) {
    LayerCondition guarded;
    status = conditions_.check_condition(call, key, request.condition, as_view(request.etag), guarded);
    if (status != OMNISTORE_OK) return status;
    // A value that has expired already removes the key.
    std::vector<std::uint32_t> recorded;
    if (is_past(request.expiry, layers_.now()) && (status = record_removal(call, key, recorded)) != OMNISTORE_OK)
      return status;
    omnistore::RecordingCall noted(call);
    status = write_and_drop_copies(noted, key, [&] { return set_in_layers(noted, key, request, guarded, result); });
    if (status != OMNISTORE_OK && !omnistore::may_have_changed(status, noted.details()))
      undo_records(call, key, recorded);
    if (status != OMNISTORE_CONFLICT || --tries == 0) return status;
  }
}

/// Writes to the layers, and then removes the copies that would hide the new value. If the write fails, the copies
/// stay. If it may have changed a layer all the same, the copies are doubtful, and are dropped as soon as that layer
/// can be read again. Before the write, copies in a layer that outlives the host get an expiry, so that none hides the
/// new value for long if the host is killed.
template <typename Write>
omnistore_status Writer::write_and_drop_copies(omnistore::RecordingCall &call, std::string_view key, Write write) {
  constexpr std::int64_t shortened_ttl = 3'600'000;   // milliseconds
  std::vector<std::pair<Layer *, std::int64_t>> ends; ///< the old expiries of the copies
  for (Layer &layer : layers_.all) {
    if (!layer.dropped || !layer.may_mark) continue;
    CapturingCall on(call);
    MetaCopy meta;
    bool marked = false;
    if (reader_.stat_in(on, layer, key, 0, meta, marked) != OMNISTORE_OK) continue;
    const std::int64_t soon = layers_.now() + shortened_ttl;
    if (meta.expiry != 0 && meta.expiry <= soon) continue;
    if (layer.store.touch(on, key, {sizeof(omnistore_touch_request), OMNISTORE_TOUCH_EXPIRY, soon, {}}) == OMNISTORE_OK)
      ends.emplace_back(&layer, meta.expiry);
  }
  const omnistore_status status = write();
  if (status == OMNISTORE_OK) {
    const omnistore_status dropped = layers_.drop_copies(call, key);
    if (dropped == OMNISTORE_OK)
      layers_.copies.trust(key);
    else
      layers_.copies.doubt(key);
    return dropped;
  }
  if (layers_.doubt_copies(call, key, omnistore::may_have_changed(status, call.details()))) return status;
  for (const auto &[layer, end] : ends) {
    CapturingCall on(call);
    layer->store.touch(on, key, {sizeof(omnistore_touch_request), OMNISTORE_TOUCH_EXPIRY, end, {}});
  }
  return status;
}

omnistore_status Writer::set_in_layers(Call call, std::string_view key, const omnistore_set_request &request,
                                       const LayerCondition &guarded, omnistore_sink *result) {
  const omnistore_status status = layers_.write_layers(call, guarded.layer, [&](Layer &layer, Call on) {
    omnistore_set_request plain = request;
    const bool decides = layer.index == guarded.layer;
    plain.condition = decides ? guarded.condition : OMNISTORE_ALWAYS;
    plain.etag = decides ? as_bytes(guarded.etag) : omnistore_bytes{nullptr, 0};
    if (!result || layer.index != layers_.written.front()) return layer.store.set(on, key, plain);
    LayerResultSink gate(*result, layer.index);
    return layer.store.set(on, key, plain, &gate);
  });
  return status != OMNISTORE_OK || is_past(request.expiry, layers_.now()) ? status : forget_removal(call, key);
}

/// After a set, a record above a layer of `writeTo` would hide the new value in that layer, so it is removed. The
/// record above the lowest layers stays.
omnistore_status Writer::forget_removal(Call call, std::string_view key) {
  for (Layer &layer : layers_.all) {
    if (!layer.records_in || layer.index == layers_.written.back()) continue;
    LayerCall on(call, layer);
    const omnistore_status status = layer.records.forget(on, key);
    if (status != OMNISTORE_OK) return on.with_reason(status);
  }
  return OMNISTORE_OK;
}

/// Sets a stream. It does not hold the stripe while it waits for a long value. With a condition it reads the whole
/// value first.
omnistore_status Writer::stream(Call call, std::string_view key, const omnistore_set_request &request,
                                omnistore_sink *result) {
  constexpr std::size_t max_buffered = 256 * 1024 * 1024;
  const bool waits = request.condition == OMNISTORE_ALWAYS && !is_past(request.expiry, layers_.now());
  std::string first;
  bool ended = false;
  omnistore_set_request plain = request;
  omnistore_status status = read_some(*request.source, waits ? removed_marker.size() + 1 : max_buffered, first, ended);
  if (status != OMNISTORE_OK) return status;
  if (ended) {
    if (request.source_size != OMNISTORE_UNKNOWN_SIZE && request.source_size != first.size())
      return call.fail(OMNISTORE_INVALID, "the stream gave " + std::to_string(first.size()) + " bytes of " +
                                              std::to_string(request.source_size));
    plain.source = nullptr;
    plain.value = as_bytes(first);
    const WriteLock writing(layers_.stripe(key));
    return set_locked(call, key, plain, result);
  }
  if (!waits)
    return call.fail(OMNISTORE_TOO_LARGE,
                     "with a condition a stream may have at most " + std::to_string(max_buffered) + " bytes");
  {
    const WriteLock writing(layers_.stripe(key));
    if ((status = conditions_.check_layers_above(call, key)) != OMNISTORE_OK) return status;
  }
  ResumedSource rest(*request.source, first);
  plain.source = &rest;
  omnistore::RecordingCall noted(call);
  status = set_in_layers(noted, key, plain, {}, result);
  const WriteLock writing(layers_.stripe(key));
  return write_and_drop_copies(noted, key, [&] { return status; });
}

omnistore_status Writer::remove(Call call, std::string_view key, const omnistore_remove_request &request) {
  std::string moved;
  key = layer_key(key, moved);
  const WriteLock writing(layers_.stripe(key));
  return remove_locked(call, key, request.condition, as_view(request.etag));
}

omnistore_status Writer::remove_locked(Call call, std::string_view key, std::uint32_t condition,
                                       std::string_view etag) {
  omnistore_status status = conditions_.check_layers_above(call, key);
  if (status != OMNISTORE_OK) return status;
  for (int tries = layers_.promotes ? 3 : 1;;) {
    LayerCondition guarded;
    VisibleValue seen;
    status = condition == OMNISTORE_IF_MATCH ? conditions_.check_condition(call, key, condition, etag, guarded)
                                             : reader_.find_visible(call, key, 0, OnError::fail, seen);
    if (status != OMNISTORE_OK) return status;
    if (guarded.condition == OMNISTORE_IF_ABSENT) {
      if (!layers_.promotes)
        return call.fail(OMNISTORE_UNSUPPORTED,
                         layers_.all[guarded.layer].name() + " is above the value, and others may write to it");
      // The value is copied up first. The copy can then be removed under the condition that it has not changed.
      status =
          copy_up(call, key, layers_.all[guarded.seen], {sizeof(omnistore_touch_request), 0, 0, {nullptr, 0}}, guarded);
      if ((status != OMNISTORE_OK && status != OMNISTORE_CONFLICT) || --tries == 0) return status;
      continue;
    }
    std::vector<std::uint32_t> recorded;
    if ((status = record_removal(call, key, recorded)) != OMNISTORE_OK) return status;
    omnistore::RecordingCall noted(call);
    status = write_and_drop_copies(noted, key, [&] {
      return layers_.write_layers(noted, guarded.layer, [&](Layer &layer, Call on) {
        omnistore_remove_request plain = plain_remove;
        const bool decides = layer.index == guarded.layer;
        if (decides) plain.condition = guarded.condition, plain.etag = as_bytes(guarded.etag);
        const omnistore_status removed = layer.store.remove(on, key, plain);
        return removed == OMNISTORE_NOT_FOUND ? OMNISTORE_OK : removed;
      });
    });
    if (status != OMNISTORE_OK && !omnistore::may_have_changed(status, noted.details()))
      undo_records(call, key, recorded);
    if (status != OMNISTORE_CONFLICT || --tries == 0) return status;
  }
}

/// Called before a key is removed. Records the removal if a layer below that is not in `writeTo` has the key.
/// `recorded` gets the layers that had no such record.
omnistore_status Writer::record_removal(Call call, std::string_view key, std::vector<std::uint32_t> &recorded) {
  for (Layer &layer : layers_.all) {
    if (!layer.records_in) continue;
    bool below = false;
    for (std::uint32_t i = layer.index + 1; i < layers_.count() && !layers_.all[i].written && !below; ++i) {
      LayerCall on(call, layers_.all[i]);
      MetaCopy meta;
      bool marked = false;
      const omnistore_status status = reader_.stat_in(on, layers_.all[i], key, 0, meta, marked);
      if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return on.with_reason(status);
      below = status == OMNISTORE_OK;
    }
    if (!below) continue;
    LayerCall on(call, layer);
    bool hidden = false;
    omnistore_status status = layer.records.hides(on, key, hidden);
    if (status == OMNISTORE_OK && !hidden) {
      status = layer.records.remove(on, key);
      recorded.push_back(layer.index);
    }
    if (status != OMNISTORE_OK) return on.with_reason(status);
  }
  return OMNISTORE_OK;
}

/// Removes new records after a removal that failed. A record that stays hides only what lies below the value.
void Writer::undo_records(Call outer, std::string_view key, std::span<const std::uint32_t> recorded) {
  for (const std::uint32_t i : recorded) {
    CapturingCall call(outer);
    layers_.all[i].records.forget(call, key);
  }
}

omnistore_status Writer::touch(Call call, std::string_view key, const omnistore_touch_request &request) {
  std::string moved;
  key = layer_key(key, moved);
  const WriteLock writing(layers_.stripe(key));
  if (request.flags & OMNISTORE_TOUCH_EXPIRY && is_past(request.expiry, layers_.now()))
    return remove_locked(call, key, OMNISTORE_ALWAYS, {});
  omnistore_status status = conditions_.check_layers_above(call, key);
  if (status != OMNISTORE_OK) return status;
  VisibleValue seen;
  status = reader_.find_visible(call, key, 0, OnError::fail, seen, false);
  if (status == OMNISTORE_NOT_FOUND)
    layers_.drop_copies(call, key); // they are copies of a value that others have removed
  if (status != OMNISTORE_OK) return status;
  bool touched = !layers_.all[seen.layer].written;
  omnistore::RecordingCall noted(call);
  status = write_and_drop_copies(noted, key, [&] {
    if (touched) return copy_up(noted, key, layers_.all[seen.layer], request);
    return layers_.write_layers(noted, VisibleValue::nowhere, [&](Layer &layer, Call on) {
      const omnistore_status one = layer.store.touch(on, key, request);
      touched = touched || one == OMNISTORE_OK;
      return one == OMNISTORE_NOT_FOUND ? OMNISTORE_OK : one;
    });
  });
  return status == OMNISTORE_OK && !touched ? OMNISTORE_NOT_FOUND : status;
}

/// Copies a value from a layer that is not in `writeTo` into the layers that are, with the changes of `touch`. Without
/// flags `touch` changes nothing.
omnistore_status Writer::copy_up(Call call, std::string_view key, const Layer &from,
                                 const omnistore_touch_request &touch, const LayerCondition &guarded) {
  omnistore::ValueSink value;
  LayerCall on(call, from);
  constexpr omnistore_get_request all{sizeof all, OMNISTORE_GET_META | OMNISTORE_GET_USER, 0, UINT64_MAX};
  constexpr omnistore_get_request user_only{sizeof user_only, OMNISTORE_GET_USER, 0, UINT64_MAX};
  omnistore_status status = from.store.child.get(on, key, all, value);
  if (status != OMNISTORE_OK) return on.with_reason(status);
  const bool keeps_user = !(touch.flags & OMNISTORE_TOUCH_USER);
  if (keeps_user && !(value.flags & OMNISTORE_META_USER)) { // the layer did not give it with the value
    omnistore::ValueSink known;
    if ((status = from.store.child.stat(on, key, user_only, known)) != OMNISTORE_OK) return on.with_reason(status);
    value.user = known.user;
  }
  omnistore_set_request request{};
  request.size = sizeof request;
  request.value = as_bytes(value.bytes);
  request.expiry = touch.flags & OMNISTORE_TOUCH_EXPIRY ? touch.expiry : value.expiry;
  request.user = keeps_user ? as_bytes(value.user) : touch.user;
  return set_in_layers(call, key, request, guarded, nullptr);
}

} // namespace overlay
