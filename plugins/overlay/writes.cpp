// SPDX-License-Identifier: Apache-2.0
// Writes. They go to the lowest layer first and to the highest last: what is seen changes with the last step alone, so
// that one cut off in between leaves the old value or the new.
#include "overlay.hpp"

#include <algorithm>
#include <memory>

#include "keys.hpp"

namespace overlay {
namespace {

using omnistore::PageSink;

/// Hands on a layer's keys under a base, its records left out, a page at a time, until `take` does not say OK. The keys
/// are the layer's own. If the layer skipped something, that is the failure at the end.
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
    if (shown(user)) keys.emplace_back(key);
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

/// A stream whose first bytes were read already.
class Rest : public omnistore_source {
public:
  Rest(omnistore_source &source, std::string_view first)
      : omnistore_source{sizeof(omnistore_source), 0, read_}, source_(source), first_(first) {}

private:
  static omnistore_status OMNISTORE_CALL read_(omnistore_source *source, void *buffer, std::uint64_t capacity,
                                               std::uint64_t *read) noexcept {
    auto &self = *static_cast<Rest *>(source);
    if (self.first_.empty()) return self.source_.read(&self.source_, buffer, capacity, read);
    *read = self.first_.copy(static_cast<char *>(buffer), static_cast<std::size_t>(capacity));
    self.first_.remove_prefix(static_cast<std::size_t>(*read));
    return OMNISTORE_OK;
  }
  omnistore_source &source_;
  std::string_view first_;
};

/// Reads a stream until it ends (`ended`), or until `most` bytes are there.
omnistore_status read_some(omnistore_source &source, std::size_t most, std::string &bytes, bool &ended) {
  constexpr std::size_t PIECE = 64 * 1024;
  ended = false;
  while (bytes.size() < most) {
    const std::size_t had = bytes.size();
    bytes.resize(had + std::min(most - had, PIECE));
    std::uint64_t read = 0;
    const omnistore_status status = source.read(&source, bytes.data() + had, bytes.size() - had, &read);
    bytes.resize(had + static_cast<std::size_t>(read));
    if (status != OMNISTORE_OK) return status;
    if (read == 0) return ended = true, OMNISTORE_OK;
  }
  return OMNISTORE_OK;
}

} // namespace

// ------------------------------------------------------------------------------------------- the layers of a write

/// Runs `step(layer, call)` for each layer that is written to: the one that decides, then from the lowest to the
/// highest. It stops at the first that fails, and says how far it came.
template <typename Step>
omnistore_status Overlay::to_written(Call call, std::uint32_t first, Step step) {
  if (written_.size() == 1) {
    LayerCall on(call, top());
    const omnistore_status status = on.told(step(top(), on));
    return status == OMNISTORE_OK ? status : call.fail(status, {}, on.details());
  }
  std::vector<std::uint32_t> order(written_.rbegin(), written_.rend());
  const auto decides = std::find(order.begin(), order.end(), first);
  if (decides != order.end()) std::rotate(order.begin(), decides, decides + 1);
  for (std::size_t place = 0; place < order.size(); ++place) {
    CapturingCall heard(call);
    LayerCall on(heard, layers_[order[place]]);
    const omnistore_status status = on.told(step(layers_[order[place]], on));
    if (status == OMNISTORE_OK) continue;
    return call.fail(status, heard.message() + how_far(order, place),
                     {on.details().nothing_done && place == 0, on.details().retry_after});
  }
  return OMNISTORE_OK;
}

/// Which layers a write has reached, for its message, where it stopped at `place` of its way; empty: none.
std::string Overlay::how_far(std::span<const std::uint32_t> order, std::size_t place) const {
  std::string text;
  for (std::size_t i = 0; i < order.size() && place > 0; ++i)
    text += (i == 0 ? "; took it: " : i == place ? "; did not: " : ", ") + layers_[order[i]].name();
  return text;
}

/// Takes away what promotion has left of a key in layers that are not written to.
omnistore_status Overlay::drop_copies(Call call, std::string_view key) {
  for (Layer &layer : layers_) {
    if (!layer.dropped) continue;
    LayerCall on(call, layer);
    const omnistore_status status = layer.store.remove(on, key, PLAIN_REMOVE);
    if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return on.told(status);
  }
  return OMNISTORE_OK;
}

// --------------------------------------------------------------------------------------------------------------- set

omnistore_status Overlay::set(Call call, std::string_view key, const omnistore_set_request &request,
                              omnistore_sink *result) {
  std::string moved;
  key = stored(key, moved);
  if (request.source) return stream(call, key, request, result);
  const Writing writing(stripe(key));
  return set_locked(call, key, request, result);
}

omnistore_status Overlay::set_locked(Call call, std::string_view key, const omnistore_set_request &request,
                                     omnistore_sink *result) {
  if (as_view(request.value) == MARKER)
    return call.fail(OMNISTORE_INVALID, "this value is the mark of a removal in the data of unstorage's overlay");
  omnistore_status status = check_above(call, key);
  if (status != OMNISTORE_OK) return status;
  // When the layer that decides says no, another host may have promoted the value in between: it is looked at again.
  for (int tries = promotes_ ? 3 : 1;;) {
    Guarded guarded;
    status = check_condition(call, key, request.condition, as_view(request.etag), guarded);
    if (status != OMNISTORE_OK) return status;
    // One that has ended already takes the key away.
    std::vector<std::uint32_t> recorded;
    if (is_past(request.expiry, now()) && (status = record_removal(call, key, recorded)) != OMNISTORE_OK) return status;
    omnistore::RecordingCall noted(call);
    status = past_copies(noted, key, [&] { return set_in_layers(noted, key, request, guarded, result); });
    if (status != OMNISTORE_OK && !omnistore::may_have_changed(status, noted.details())) take_back(call, key, recorded);
    if (status != OMNISTORE_CONFLICT || --tries == 0) return status;
  }
}

/// Writes to the layers, and then removes the copies that would hide it. A write that failed leaves the copies; if it
/// may have changed a layer, they are doubtful, and dropped as soon as that layer can be read again. Copies in a layer
/// that outlives the host get an end before the write, so that none hides it for long if the host is killed.
template <typename Write>
omnistore_status Overlay::past_copies(omnistore::RecordingCall &call, std::string_view key, Write write) {
  constexpr std::int64_t SOON = 3'600'000;            // milliseconds
  std::vector<std::pair<Layer *, std::int64_t>> ends; ///< of the copies as they were
  for (Layer &layer : layers_) {
    if (!layer.dropped || !layer.may_mark) continue;
    CapturingCall on(call);
    HeldMeta meta;
    bool marked = false;
    if (stat_in(on, layer, key, 0, meta, marked) != OMNISTORE_OK) continue;
    const std::int64_t soon = now() + SOON;
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

/// After a write that failed, and that may have `changed` something in the layer that failed: true if what the copies
/// were made from may have changed, so that they are doubtful now.
bool Overlay::doubt_copies(Call call, std::string_view key, bool changed) {
  if (written_.size() == 1 && !changed) return false;
  if (std::none_of(layers_.begin(), layers_.end(), [](const Layer &layer) { return layer.dropped; })) return true;
  if (copies_.doubt(key)) return true;
  CapturingCall unheard(call);
  drop_copies(unheard, key); // too many keys are doubtful
  return true;
}

omnistore_status Overlay::set_in_layers(Call call, std::string_view key, const omnistore_set_request &request,
                                        const Guarded &guarded, omnistore_sink *result) {
  const omnistore_status status = to_written(call, guarded.layer, [&](Layer &layer, Call on) {
    omnistore_set_request plain = request;
    const bool decides = layer.index == guarded.layer;
    plain.condition = decides ? guarded.condition : OMNISTORE_ALWAYS;
    plain.etag = decides ? as_bytes(guarded.etag) : omnistore_bytes{nullptr, 0};
    if (!result || layer.index != written_.front()) return layer.store.set(on, key, plain);
    ResultGate gate(*result, layer.index);
    return layer.store.set(on, key, plain, &gate);
  });
  return status != OMNISTORE_OK || is_past(request.expiry, now()) ? status : forget_removal(call, key);
}

/// After a set: a record above a layer that was written to would hide that layer's copy. The lowest one stays.
omnistore_status Overlay::forget_removal(Call call, std::string_view key) {
  for (Layer &layer : layers_) {
    if (!layer.records_in || layer.index == written_.back()) continue;
    LayerCall on(call, layer);
    const omnistore_status status = layer.records.forget(on, key);
    if (status != OMNISTORE_OK) return on.told(status);
  }
  return OMNISTORE_OK;
}

/// A long value is not waited for with the stripe held, unless a condition asks for it: then it is read whole first.
omnistore_status Overlay::stream(Call call, std::string_view key, const omnistore_set_request &request,
                                 omnistore_sink *result) {
  constexpr std::size_t MOST_HELD = 256 * 1024 * 1024;
  const bool waits = request.condition == OMNISTORE_ALWAYS && !is_past(request.expiry, now());
  std::string first;
  bool ended = false;
  omnistore_set_request plain = request;
  omnistore_status status = read_some(*request.source, waits ? MARKER.size() + 1 : MOST_HELD, first, ended);
  if (status != OMNISTORE_OK) return status;
  if (ended) {
    if (request.source_size != OMNISTORE_UNKNOWN_SIZE && request.source_size != first.size())
      return call.fail(OMNISTORE_INVALID, "the stream gave " + std::to_string(first.size()) + " bytes of " +
                                              std::to_string(request.source_size));
    plain.source = nullptr;
    plain.value = as_bytes(first);
    const Writing writing(stripe(key));
    return set_locked(call, key, plain, result);
  }
  if (!waits)
    return call.fail(OMNISTORE_TOO_LARGE,
                     "with a condition a stream may have at most " + std::to_string(MOST_HELD) + " bytes");
  {
    const Writing writing(stripe(key));
    if ((status = check_above(call, key)) != OMNISTORE_OK) return status;
  }
  Rest rest(*request.source, first);
  plain.source = &rest;
  omnistore::RecordingCall noted(call);
  status = set_in_layers(noted, key, plain, {}, result);
  const Writing writing(stripe(key));
  return past_copies(noted, key, [&] { return status; });
}

// ------------------------------------------------------------------------------------------------------------ remove

omnistore_status Overlay::remove(Call call, std::string_view key, const omnistore_remove_request &request) {
  std::string moved;
  key = stored(key, moved);
  const Writing writing(stripe(key));
  return remove_locked(call, key, request.condition, as_view(request.etag));
}

omnistore_status Overlay::remove_locked(Call call, std::string_view key, std::uint32_t condition,
                                        std::string_view etag) {
  omnistore_status status = check_above(call, key);
  if (status != OMNISTORE_OK) return status;
  for (int tries = promotes_ ? 3 : 1;;) {
    Guarded guarded;
    Seen seen;
    status = condition == OMNISTORE_IF_MATCH ? check_condition(call, key, condition, etag, guarded)
                                             : see(call, key, 0, OnError::fail, seen);
    if (status != OMNISTORE_OK) return status;
    if (guarded.condition == OMNISTORE_IF_ABSENT) {
      if (!promotes_)
        return call.fail(OMNISTORE_UNSUPPORTED,
                         layers_[guarded.layer].name() + " is above the value, and others may write to it");
      // A copy of the value can be removed on the condition that it still is that copy.
      status =
          copy_up(call, key, layers_[guarded.seen], {sizeof(omnistore_touch_request), 0, 0, {nullptr, 0}}, guarded);
      if ((status != OMNISTORE_OK && status != OMNISTORE_CONFLICT) || --tries == 0) return status;
      continue;
    }
    std::vector<std::uint32_t> recorded;
    if ((status = record_removal(call, key, recorded)) != OMNISTORE_OK) return status;
    omnistore::RecordingCall noted(call);
    status = past_copies(noted, key, [&] {
      return to_written(noted, guarded.layer, [&](Layer &layer, Call on) {
        omnistore_remove_request plain = PLAIN_REMOVE;
        const bool decides = layer.index == guarded.layer;
        if (decides) plain.condition = guarded.condition, plain.etag = as_bytes(guarded.etag);
        const omnistore_status removed = layer.store.remove(on, key, plain);
        return removed == OMNISTORE_NOT_FOUND ? OMNISTORE_OK : removed;
      });
    });
    if (status != OMNISTORE_OK && !omnistore::may_have_changed(status, noted.details())) take_back(call, key, recorded);
    if (status != OMNISTORE_CONFLICT || --tries == 0) return status;
  }
}

/// Before a key is removed: records it where a layer below has it that is not written to. `recorded`: the layers in
/// which that was new.
omnistore_status Overlay::record_removal(Call call, std::string_view key, std::vector<std::uint32_t> &recorded) {
  for (Layer &layer : layers_) {
    if (!layer.records_in) continue;
    bool below = false;
    for (std::uint32_t i = layer.index + 1; i < count() && !layers_[i].written && !below; ++i) {
      LayerCall on(call, layers_[i]);
      HeldMeta meta;
      bool marked = false;
      const omnistore_status status = stat_in(on, layers_[i], key, 0, meta, marked);
      if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return on.told(status);
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
    if (status != OMNISTORE_OK) return on.told(status);
  }
  return OMNISTORE_OK;
}

/// Nothing was removed after all. A record that cannot be taken back hides only what lay below the value.
void Overlay::take_back(Call outer, std::string_view key, std::span<const std::uint32_t> recorded) {
  for (const std::uint32_t i : recorded) {
    CapturingCall call(outer);
    layers_[i].records.forget(call, key);
  }
}

// ------------------------------------------------------------------------------------------------------------- touch

omnistore_status Overlay::touch(Call call, std::string_view key, const omnistore_touch_request &request) {
  std::string moved;
  key = stored(key, moved);
  const Writing writing(stripe(key));
  if (request.flags & OMNISTORE_TOUCH_EXPIRY && is_past(request.expiry, now()))
    return remove_locked(call, key, OMNISTORE_ALWAYS, {});
  omnistore_status status = check_above(call, key);
  if (status != OMNISTORE_OK) return status;
  Seen seen;
  status = see(call, key, 0, OnError::fail, seen, false);
  if (status == OMNISTORE_NOT_FOUND) drop_copies(call, key); // copies of what others have removed
  if (status != OMNISTORE_OK) return status;
  bool touched = !layers_[seen.layer].written;
  omnistore::RecordingCall noted(call);
  status = past_copies(noted, key, [&] {
    if (touched) return copy_up(noted, key, layers_[seen.layer], request);
    return to_written(noted, Seen::NOWHERE, [&](Layer &layer, Call on) {
      const omnistore_status one = layer.store.touch(on, key, request);
      touched = touched || one == OMNISTORE_OK;
      return one == OMNISTORE_NOT_FOUND ? OMNISTORE_OK : one;
    });
  });
  return status == OMNISTORE_OK && !touched ? OMNISTORE_NOT_FOUND : status;
}

/// A layer that is not written to keeps its value as it is: what changes goes, with the value, into those that are.
/// `touch`: what of the value is to be another; without flags nothing.
omnistore_status Overlay::copy_up(Call call, std::string_view key, const Layer &from,
                                  const omnistore_touch_request &touch, const Guarded &guarded) {
  omnistore::ValueSink value;
  LayerCall on(call, from);
  constexpr omnistore_get_request all{sizeof all, OMNISTORE_GET_META | OMNISTORE_GET_USER, 0, UINT64_MAX};
  constexpr omnistore_get_request user_only{sizeof user_only, OMNISTORE_GET_USER, 0, UINT64_MAX};
  omnistore_status status = from.store.child.get(on, key, all, value);
  if (status != OMNISTORE_OK) return on.told(status);
  const bool keeps_user = !(touch.flags & OMNISTORE_TOUCH_USER);
  if (keeps_user && !(value.flags & OMNISTORE_META_USER)) { // it did not come with the value
    omnistore::ValueSink known;
    if ((status = from.store.child.stat(on, key, user_only, known)) != OMNISTORE_OK) return on.told(status);
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
  std::deque<Writing> writing; // nobody sets what is being cleared
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
  omnistore_status status = clear_locked(call, stored(base, moved));
  if (status == OMNISTORE_OK) {
    status = clear_copies(call, stored(base, moved));
  } else {
    for (const std::string &key : seen) {
      std::string own;
      doubt_copies(call, stored(key, own), omnistore::clear_may_have_changed(status));
    }
  }
  if (!removed) return status;
  for (const std::string &key : seen) {
    if (status != OMNISTORE_OK && !is_gone(call, key)) continue;
    if (const omnistore_status told = removed->emit(removed, as_bytes(key), nullptr); told != OMNISTORE_OK) return told;
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
    if (below && (status = layer.records.clear(on, base)) != OMNISTORE_OK) return on.told(status);
  }
  return to_written(call, Seen::NOWHERE, [&](Layer &layer, Call on) { return clear_layer(on, layer, base); });
}

/// The copies that promotion has left under a base.
omnistore_status Overlay::clear_copies(Call call, std::string_view base) {
  for (Layer &layer : layers_) {
    if (!layer.dropped) continue;
    LayerCall on(call, layer);
    if (const omnistore_status status = clear_layer(on, layer, base); status != OMNISTORE_OK) return on.told(status);
  }
  return OMNISTORE_OK;
}

/// Whether a layer that is not written to, between this one and the next that is, has keys under the base.
omnistore_status Overlay::any_below(Call call, const Layer &layer, std::string_view base, bool &any) {
  any = false;
  for (std::uint32_t i = layer.index + 1; i < count() && !layers_[i].written && !any; ++i) {
    LayerCall on(call, layers_[i]);
    const omnistore_status status = each_page(on, layers_[i], base, 16, [&](std::vector<std::string> &keys) {
      any = !keys.empty();
      return any ? OMNISTORE_NOT_FOUND : OMNISTORE_OK; // one is enough
    });
    // What cannot be read may be there: a record that hides nothing does no harm.
    if (status == OMNISTORE_DENIED || status == OMNISTORE_IO) any = true;
    if (status != OMNISTORE_OK && !any) return on.told(status);
  }
  return OMNISTORE_OK;
}

/// Everything under a base, but the records of removals.
omnistore_status Overlay::clear_layer(Call call, Layer &layer, std::string_view base) {
  if (!base.empty() || !layer.records.stored()) {
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

/// After a clear that failed half way.
bool Overlay::is_gone(Call call, std::string_view key) {
  std::string moved;
  Seen seen;
  CapturingCall unheard(call);
  return see(unheard, stored(key, moved), 0, OnError::fail, seen) == OMNISTORE_NOT_FOUND;
}

} // namespace overlay
