// SPDX-License-Identifier: Apache-2.0
// Writes. They go to the lowest layer first and to the highest last. Readers see a change only after the last step, so
// a write that is interrupted leaves the old value or the new one.
#include "overlay.hpp"

#include <algorithm>
#include <memory>

#include "records/keys.hpp"

namespace overlay {
namespace {

using omnistore::PageSink;

/// Calls `take` with the layer's keys under a base, a page at a time and without its records, while it returns OK. The
/// keys are in the layer's form. If the layer skipped something, it fails at the end.
template <typename Take>
omnistore_status each_page(Call call, const Layer &layer, std::string_view base, std::uint32_t limit, Take take) {
  omnistore_list_request request{};
  request.size = sizeof request;
  request.base = as_bytes(base);
  request.depth = OMNISTORE_ANY_DEPTH;
  request.limit = limit;
  std::vector<std::string> keys;
  PageSink page([&](std::string_view key, const omnistore_meta *) -> omnistore_status {
    std::string_view user = key;
    if (to_user_key(user)) keys.emplace_back(key);
    return OMNISTORE_OK;
  });
  std::string cursor;
  do {
    keys.clear();
    cursor = page.cursor;
    page.cursor.clear();
    request.cursor = as_bytes(cursor);
    if (const omnistore_status status = layer.store.child.list(call, request, page); status != OMNISTORE_OK)
      return status;
    if (const omnistore_status status = take(keys); status != OMNISTORE_OK) return status;
  } while (!page.cursor.empty());
  if (!page.skipped.empty()) return call.fail(page.skipped.front().status, page.skipped.front().message);
  return OMNISTORE_OK;
}

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

/// Runs `step(layer, call)` for each layer of `writeTo`: first the one that decides, then from the lowest to the
/// highest. It stops at the first failure, whose message says how far the write came.
template <typename Step>
omnistore_status Overlay::write_layers(Call call, std::uint32_t first, Step step) {
  if (written_.size() == 1) {
    LayerCall on(call, top());
    const omnistore_status status = on.with_reason(step(top(), on));
    return status == OMNISTORE_OK ? status : call.fail(status, {}, on.details());
  }
  std::vector<std::uint32_t> order(written_.rbegin(), written_.rend());
  const auto decides = std::find(order.begin(), order.end(), first);
  if (decides != order.end()) std::rotate(order.begin(), decides, decides + 1);
  for (std::size_t place = 0; place < order.size(); ++place) {
    CapturingCall caught(call);
    LayerCall on(caught, layers_[order[place]]);
    const omnistore_status status = on.with_reason(step(layers_[order[place]], on));
    if (status == OMNISTORE_OK) continue;
    return call.fail(status, caught.message() + how_far(order, place),
                     {on.details().nothing_done && place == 0, on.details().retry_after});
  }
  return OMNISTORE_OK;
}

/// Returns the text for a message that says which layers took a write that stopped at `place`; empty: none did.
std::string Overlay::how_far(std::span<const std::uint32_t> order, std::size_t place) const {
  std::string text;
  for (std::size_t i = 0; i < order.size() && place > 0; ++i)
    text += (i == 0 ? "; took it: " : i == place ? "; did not: " : ", ") + layers_[order[i]].name();
  return text;
}

/// Removes the copies of a key in layers that are not in `writeTo`.
omnistore_status Overlay::drop_copies(Call call, std::string_view key) {
  for (Layer &layer : layers_) {
    if (!layer.dropped) continue;
    LayerCall on(call, layer);
    const omnistore_status status = layer.store.remove(on, key, plain_remove);
    if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return on.with_reason(status);
  }
  return OMNISTORE_OK;
}

omnistore_status Overlay::set(Call call, std::string_view key, const omnistore_set_request &request,
                              omnistore_sink *result) {
  std::string moved;
  key = layer_key(key, moved);
  if (request.source) return stream(call, key, request, result);
  const WriteLock writing(stripe(key));
  return set_locked(call, key, request, result);
}

omnistore_status Overlay::set_locked(Call call, std::string_view key, const omnistore_set_request &request,
                                     omnistore_sink *result) {
  if (as_view(request.value) == removed_marker)
    return call.fail(OMNISTORE_INVALID, "this value is the mark of a removal in the data of unstorage's overlay");
  omnistore_status status = check_layers_above(call, key);
  if (status != OMNISTORE_OK) return status;
  // If the layer that decides refuses, another host may have promoted the value meanwhile, so it is checked again.
  for (int tries = promotes_ ? 3 : 1;;) {
    LayerCondition guarded;
    status = check_condition(call, key, request.condition, as_view(request.etag), guarded);
    if (status != OMNISTORE_OK) return status;
    // A value that has expired already removes the key.
    std::vector<std::uint32_t> recorded;
    if (is_past(request.expiry, now()) && (status = record_removal(call, key, recorded)) != OMNISTORE_OK) return status;
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
omnistore_status Overlay::write_and_drop_copies(omnistore::RecordingCall &call, std::string_view key, Write write) {
  constexpr std::int64_t shortened_ttl = 3'600'000;   // milliseconds
  std::vector<std::pair<Layer *, std::int64_t>> ends; ///< the old expiries of the copies
  for (Layer &layer : layers_) {
    if (!layer.dropped || !layer.may_mark) continue;
    CapturingCall on(call);
    MetaCopy meta;
    bool marked = false;
    if (stat_in(on, layer, key, 0, meta, marked) != OMNISTORE_OK) continue;
    const std::int64_t soon = now() + shortened_ttl;
    if (meta.expiry != 0 && meta.expiry <= soon) continue;
    if (layer.store.touch(on, key, {sizeof(omnistore_touch_request), OMNISTORE_TOUCH_EXPIRY, soon, {}}) == OMNISTORE_OK)
      ends.emplace_back(&layer, meta.expiry);
  }
  const omnistore_status status = write();
  if (status == OMNISTORE_OK) {
    const omnistore_status dropped = drop_copies(call, key);
    if (dropped == OMNISTORE_OK)
      copies_.trust(key);
    else
      copies_.doubt(key);
    return dropped;
  }
  if (doubt_copies(call, key, omnistore::may_have_changed(status, call.details()))) return status;
  for (const auto &[layer, end] : ends) {
    CapturingCall on(call);
    layer->store.touch(on, key, {sizeof(omnistore_touch_request), OMNISTORE_TOUCH_EXPIRY, end, {}});
  }
  return status;
}

/// Called after a write failed; `changed` means that it may have changed the failing layer. Returns true if the values
/// that the copies were made from may have changed, so that the copies are doubtful now.
bool Overlay::doubt_copies(Call call, std::string_view key, bool changed) {
  if (written_.size() == 1 && !changed) return false;
  if (std::none_of(layers_.begin(), layers_.end(), [](const Layer &layer) { return layer.dropped; })) return true;
  if (copies_.doubt(key)) return true;
  CapturingCall ignored(call);
  drop_copies(ignored, key); // there are too many doubtful keys
  return true;
}

omnistore_status Overlay::set_in_layers(Call call, std::string_view key, const omnistore_set_request &request,
                                        const LayerCondition &guarded, omnistore_sink *result) {
  const omnistore_status status = write_layers(call, guarded.layer, [&](Layer &layer, Call on) {
    omnistore_set_request plain = request;
    const bool decides = layer.index == guarded.layer;
    plain.condition = decides ? guarded.condition : OMNISTORE_ALWAYS;
    plain.etag = decides ? as_bytes(guarded.etag) : omnistore_bytes{nullptr, 0};
    if (!result || layer.index != written_.front()) return layer.store.set(on, key, plain);
    LayerResultSink gate(*result, layer.index);
    return layer.store.set(on, key, plain, &gate);
  });
  return status != OMNISTORE_OK || is_past(request.expiry, now()) ? status : forget_removal(call, key);
}

/// After a set, a record above a layer of `writeTo` would hide the new value in that layer, so it is removed. The
/// record above the lowest layers stays.
omnistore_status Overlay::forget_removal(Call call, std::string_view key) {
  for (Layer &layer : layers_) {
    if (!layer.records_in || layer.index == written_.back()) continue;
    LayerCall on(call, layer);
    const omnistore_status status = layer.records.forget(on, key);
    if (status != OMNISTORE_OK) return on.with_reason(status);
  }
  return OMNISTORE_OK;
}

/// Sets a stream. It does not hold the stripe while it waits for a long value. With a condition it reads the whole
/// value first.
omnistore_status Overlay::stream(Call call, std::string_view key, const omnistore_set_request &request,
                                 omnistore_sink *result) {
  constexpr std::size_t max_buffered = 256 * 1024 * 1024;
  const bool waits = request.condition == OMNISTORE_ALWAYS && !is_past(request.expiry, now());
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
    const WriteLock writing(stripe(key));
    return set_locked(call, key, plain, result);
  }
  if (!waits)
    return call.fail(OMNISTORE_TOO_LARGE,
                     "with a condition a stream may have at most " + std::to_string(max_buffered) + " bytes");
  {
    const WriteLock writing(stripe(key));
    if ((status = check_layers_above(call, key)) != OMNISTORE_OK) return status;
  }
  ResumedSource rest(*request.source, first);
  plain.source = &rest;
  omnistore::RecordingCall noted(call);
  status = set_in_layers(noted, key, plain, {}, result);
  const WriteLock writing(stripe(key));
  return write_and_drop_copies(noted, key, [&] { return status; });
}

omnistore_status Overlay::remove(Call call, std::string_view key, const omnistore_remove_request &request) {
  std::string moved;
  key = layer_key(key, moved);
  const WriteLock writing(stripe(key));
  return remove_locked(call, key, request.condition, as_view(request.etag));
}

omnistore_status Overlay::remove_locked(Call call, std::string_view key, std::uint32_t condition,
                                        std::string_view etag) {
  omnistore_status status = check_layers_above(call, key);
  if (status != OMNISTORE_OK) return status;
  for (int tries = promotes_ ? 3 : 1;;) {
    LayerCondition guarded;
    VisibleValue seen;
    status = condition == OMNISTORE_IF_MATCH ? check_condition(call, key, condition, etag, guarded)
                                             : find_visible(call, key, 0, OnError::fail, seen);
    if (status != OMNISTORE_OK) return status;
    if (guarded.condition == OMNISTORE_IF_ABSENT) {
      if (!promotes_)
        return call.fail(OMNISTORE_UNSUPPORTED,
                         layers_[guarded.layer].name() + " is above the value, and others may write to it");
      // The value is copied up first. The copy can then be removed under the condition that it has not changed.
      status =
          copy_up(call, key, layers_[guarded.seen], {sizeof(omnistore_touch_request), 0, 0, {nullptr, 0}}, guarded);
      if ((status != OMNISTORE_OK && status != OMNISTORE_CONFLICT) || --tries == 0) return status;
      continue;
    }
    std::vector<std::uint32_t> recorded;
    if ((status = record_removal(call, key, recorded)) != OMNISTORE_OK) return status;
    omnistore::RecordingCall noted(call);
    status = write_and_drop_copies(noted, key, [&] {
      return write_layers(noted, guarded.layer, [&](Layer &layer, Call on) {
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
omnistore_status Overlay::record_removal(Call call, std::string_view key, std::vector<std::uint32_t> &recorded) {
  for (Layer &layer : layers_) {
    if (!layer.records_in) continue;
    bool below = false;
    for (std::uint32_t i = layer.index + 1; i < count() && !layers_[i].written && !below; ++i) {
      LayerCall on(call, layers_[i]);
      MetaCopy meta;
      bool marked = false;
      const omnistore_status status = stat_in(on, layers_[i], key, 0, meta, marked);
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
void Overlay::undo_records(Call outer, std::string_view key, std::span<const std::uint32_t> recorded) {
  for (const std::uint32_t i : recorded) {
    CapturingCall call(outer);
    layers_[i].records.forget(call, key);
  }
}

omnistore_status Overlay::touch(Call call, std::string_view key, const omnistore_touch_request &request) {
  std::string moved;
  key = layer_key(key, moved);
  const WriteLock writing(stripe(key));
  if (request.flags & OMNISTORE_TOUCH_EXPIRY && is_past(request.expiry, now()))
    return remove_locked(call, key, OMNISTORE_ALWAYS, {});
  omnistore_status status = check_layers_above(call, key);
  if (status != OMNISTORE_OK) return status;
  VisibleValue seen;
  status = find_visible(call, key, 0, OnError::fail, seen, false);
  if (status == OMNISTORE_NOT_FOUND) drop_copies(call, key); // they are copies of a value that others have removed
  if (status != OMNISTORE_OK) return status;
  bool touched = !layers_[seen.layer].written;
  omnistore::RecordingCall noted(call);
  status = write_and_drop_copies(noted, key, [&] {
    if (touched) return copy_up(noted, key, layers_[seen.layer], request);
    return write_layers(noted, VisibleValue::nowhere, [&](Layer &layer, Call on) {
      const omnistore_status one = layer.store.touch(on, key, request);
      touched = touched || one == OMNISTORE_OK;
      return one == OMNISTORE_NOT_FOUND ? OMNISTORE_OK : one;
    });
  });
  return status == OMNISTORE_OK && !touched ? OMNISTORE_NOT_FOUND : status;
}

/// Copies a value from a layer that is not in `writeTo` into the layers that are, with the changes of `touch`. Without
/// flags `touch` changes nothing.
omnistore_status Overlay::copy_up(Call call, std::string_view key, const Layer &from,
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

// ------------------------------------------------------------------------------------------------------------- clear

omnistore_status Overlay::clear(Call call, const omnistore_clear_request &request, omnistore_page *removed) {
  const std::string_view base = as_view(request.base);
  std::deque<WriteLock> writing; // no key is set during the clear
  for (Stripe &each : stripes_) writing.emplace_back(each);

  std::vector<std::string> seen;
  Merge listing(layers_, {std::string(base), OMNISTORE_ANY_DEPTH, false, OnError::fail}, {});
  for (const Merge::Item *item = nullptr;;) {
    if (const omnistore_status status = listing.next(call, 1000, item); status != OMNISTORE_OK) return status;
    if (!item) break;
    const Layer &layer = layers_[item->layer];
    if (layer.index < written_.front() && !layer.dropped)
      return call.fail(OMNISTORE_READ_ONLY,
                       layer.name() + " has " + item->key + " and is above the layers of writeTo; nothing was cleared");
    seen.push_back(item->key);
  }
  for (const auto &[index, skip] : listing.take_skipped())
    if (index < written_.front() && !layers_[index].dropped) // its keys, if it has any, would stay
      return call.fail(skip.status, skip.message + "; nothing was cleared");
  std::string moved;
  omnistore_status status = clear_locked(call, layer_key(base, moved));
  if (status == OMNISTORE_OK) {
    status = clear_copies(call, layer_key(base, moved));
  } else {
    for (const std::string &key : seen) {
      std::string own;
      doubt_copies(call, layer_key(key, own), omnistore::clear_may_have_changed(status));
    }
  }
  if (!removed) return status;
  for (const std::string &key : seen) {
    if (status != OMNISTORE_OK && !is_gone(call, key)) continue;
    if (const omnistore_status emitted = removed->emit(removed, as_bytes(key), nullptr); emitted != OMNISTORE_OK)
      return emitted;
  }
  return status;
}

omnistore_status Overlay::clear_locked(Call call, std::string_view base) {
  for (Layer &layer : layers_) {
    if (!layer.records_in) continue;
    bool below = false;
    omnistore_status status = any_below(call, layer, base, below);
    if (status != OMNISTORE_OK) return status;
    LayerCall on(call, layer);
    if (below && (status = layer.records.clear(on, base)) != OMNISTORE_OK) return on.with_reason(status);
  }
  return write_layers(call, VisibleValue::nowhere, [&](Layer &layer, Call on) { return clear_layer(on, layer, base); });
}

/// Removes the copies under a base that promotion has made.
omnistore_status Overlay::clear_copies(Call call, std::string_view base) {
  for (Layer &layer : layers_) {
    if (!layer.dropped) continue;
    LayerCall on(call, layer);
    if (const omnistore_status status = clear_layer(on, layer, base); status != OMNISTORE_OK)
      return on.with_reason(status);
  }
  return OMNISTORE_OK;
}

/// Sets `any` if a layer has keys under the base. It checks the layers below this one, up to the next layer of
/// `writeTo`.
omnistore_status Overlay::any_below(Call call, const Layer &layer, std::string_view base, bool &any) {
  any = false;
  for (std::uint32_t i = layer.index + 1; i < count() && !layers_[i].written && !any; ++i) {
    LayerCall on(call, layers_[i]);
    const omnistore_status status = each_page(on, layers_[i], base, 16, [&](std::vector<std::string> &keys) {
      any = !keys.empty();
      return any ? OMNISTORE_NOT_FOUND : OMNISTORE_OK; // one is enough
    });
    // Unreadable keys may exist. A record that hides nothing does no harm.
    if (status == OMNISTORE_DENIED || status == OMNISTORE_IO) any = true;
    if (status != OMNISTORE_OK && !any) return on.with_reason(status);
  }
  return OMNISTORE_OK;
}

/// Removes everything under a base, except the records of removals.
omnistore_status Overlay::clear_layer(Call call, Layer &layer, std::string_view base) {
  if (!base.empty() || !layer.records.layer_key()) {
    return layer.store.clear(call, base);
  }
  return each_page(call, layer, base, 1000, [&](std::vector<std::string> &keys) -> omnistore_status {
    std::vector<omnistore_bytes> views;
    for (const std::string &key : keys) views.push_back(as_bytes(key));
    std::vector<omnistore_status> statuses(keys.size(), OMNISTORE_INTERNAL);
    const omnistore_status whole = layer.store.remove_many(call, views, statuses.data());
    if (whole != OMNISTORE_OK) return whole;
    for (const omnistore_status status : statuses)
      if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return status;
    return OMNISTORE_OK;
  });
}

/// Returns true if a key does not exist any more, after a clear failed half way.
bool Overlay::is_gone(Call call, std::string_view key) {
  std::string moved;
  VisibleValue seen;
  CapturingCall ignored(call);
  return find_visible(ignored, layer_key(key, moved), 0, OnError::fail, seen) == OMNISTORE_NOT_FOUND;
}

} // namespace overlay
