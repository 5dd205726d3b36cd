// SPDX-License-Identifier: Apache-2.0
// Decides if a write may proceed. A condition is checked against the value that is seen through all layers. A layer
// that only this store writes does not change while the key's stripe is held. A layer that others may write can decide
// by itself, by a condition on the write that goes to it; at most one layer can do so. With `promote`, a layer that is
// not in `writeTo` counts as read once: a later change there is hidden by the copy in any case, so the write need not
// be guarded against it.
#include "writing/conditions.hpp"

#include <algorithm>

namespace overlay {
namespace {

constexpr std::uint64_t needed_capabilities[] = {0, OMNISTORE_CAN_IF_ABSENT, OMNISTORE_CAN_IF_PRESENT,
                                                 OMNISTORE_CAN_IF_MATCH};

omnistore_status not_guarded(Call call, const Layer &layer) {
  return call.fail(OMNISTORE_UNSUPPORTED, "the condition depends on " + layer.name() +
                                              ", which others may write to, and which cannot decide it");
}

} // namespace

/// Returns the conditions that hold for every key. The others are decided key by key.
std::uint64_t Conditions::guaranteed() const {
  constexpr std::uint64_t all = OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT | OMNISTORE_CAN_IF_MATCH;
  std::uint32_t shared = 0, written = 0, decided = 0, first = layers_.count();
  std::uint64_t can = all;
  for (const Layer &layer : layers_.all) {
    if (!layer.store.child.can(OMNISTORE_CAN_ETAG)) can &= ~OMNISTORE_CAN_IF_MATCH;
    if (!layer.shared() || layer.dropped) continue;
    ++shared;
    if (layer.written) ++written;
    if (layer.written || !layers_.promotes) first = std::min(first, layer.index);
    if (layer.written && layer.store.child.can(all)) ++decided;
  }
  if (shared == 0 || (shared == 1 && decided == 1)) return can;
  // Some keys are above all layers that others write, or in the first such layer: conditions on these can be guarded.
  const bool some = (layers_.promotes && written == 0) || first > layers_.written.front() ||
                    (first < layers_.count() && layers_.all[first].written && layers_.all[first].store.child.can(all));
  return some ? can & ~OMNISTORE_CAN_IF_ABSENT : 0;
}

/// Refuses a write that would not be seen, because a layer above the first of `writeTo` has the key or records it as
/// removed.
omnistore_status Conditions::check_layers_above(Call call, std::string_view key) {
  for (std::uint32_t i = 0; i < layers_.written.front(); ++i) {
    Layer &layer = layers_.all[i];
    LayerCall on(call, layer);
    bool hidden = false, marked = false;
    omnistore_status status = layer.records.hides(on, key, hidden);
    if (status == OMNISTORE_OK && !hidden && !layer.dropped) {
      MetaCopy meta;
      status = reader_.stat_in(on, layer, key, 0, meta, marked);
      hidden = status == OMNISTORE_OK || marked;
      if (status == OMNISTORE_NOT_FOUND) status = OMNISTORE_OK;
    }
    if (status != OMNISTORE_OK) return on.with_reason(status);
    if (hidden)
      return call.fail(OMNISTORE_READ_ONLY, layer.name() + " has this key, is above the layers of writeTo, and would "
                                                           "hide the change");
  }
  return OMNISTORE_OK;
}

omnistore_status Conditions::check_condition(Call call, std::string_view key, std::uint32_t condition,
                                             std::string_view etag, LayerCondition &guarded) {
  if (condition == OMNISTORE_ALWAYS) return OMNISTORE_OK;
  if (condition > OMNISTORE_IF_MATCH)
    return call.fail(OMNISTORE_UNSUPPORTED, "unknown condition " + std::to_string(condition));
  VisibleValue seen;
  bool marked = false;
  const Layer *shared = nullptr, *second = nullptr;
  MetaCopy of_shared;
  std::uint32_t failed = 0;
  const omnistore_status status =
      reader_.first_hit(call, key, OnError::fail, failed, [&](Layer &layer, Call on, LayerOutcome &outcome) {
        seen.meta = MetaCopy();
        if (layer.dropped) return OMNISTORE_NOT_FOUND; // it has only copies, and the write goes below
        const omnistore_status found = reader_.stat_in(on, layer, key, OMNISTORE_GET_META, seen.meta, outcome.removed);
        if (found == OMNISTORE_OK) seen.layer = layer.index;
        if (layer.shared() && (layer.written || !layers_.promotes || condition == OMNISTORE_IF_ABSENT)) {
          if (shared) second = &layer;
          shared = &layer;
          of_shared = seen.meta;
          marked = outcome.removed;
        }
        return found;
      });
  if (status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) return status;
  if (condition == OMNISTORE_IF_MATCH && seen.is() && seen.meta.etag.text().empty())
    return call.fail(OMNISTORE_UNSUPPORTED, layers_.all[seen.layer].name() + " gives no etags to compare");
  const bool holds = condition == OMNISTORE_IF_ABSENT    ? !seen.is()
                     : condition == OMNISTORE_IF_PRESENT ? seen.is()
                                                         : seen.is() && is_etag_of(call, key, etag, seen);
  if (!holds) {
    if (condition == OMNISTORE_IF_MATCH) drop_outdated(call, key, seen);
    return OMNISTORE_CONFLICT;
  }
  if (!shared) return OMNISTORE_OK;
  // A value that only this store can remove is present, whatever others do.
  if (condition == OMNISTORE_IF_PRESENT && (layers_.promotes || !layers_.all[seen.layer].shared())) return OMNISTORE_OK;
  if (second) return not_guarded(call, *second);
  return guard(call, *shared, condition, seen, marked, of_shared, guarded);
}

/// Returns true if an etag names the value that is seen: it is the value's own etag, that of the value which it was
/// promoted from, or that of a copy or source in another layer. The last case needs a comparison of the two values. It
/// occurs only if the source of a copy is not known, such as after a restart.
bool Conditions::is_etag_of(Call outer, std::string_view key, std::string_view etag, const VisibleValue &seen) {
  Etag shown = seen.meta.etag;
  layers_.copies.show_source_etag(key, seen.layer, shown);
  if (etag == shown.text() || etag == seen.meta.etag.text()) return true;
  for (const Layer &layer : layers_.all) {
    if (!layers_.promotes || layer.index == seen.layer || etag.empty() || etag[0] != Etag(layer.index, "?").text()[0])
      continue;
    CapturingCall call(outer);
    omnistore::ValueSink other, value;
    return layer.store.child.read(call, key, other) == OMNISTORE_OK && Etag(layer.index, other.etag).text() == etag &&
           layers_.all[seen.layer].store.child.read(call, key, value) == OMNISTORE_OK &&
           Etag(seen.layer, value.etag).text() == seen.meta.etag.text() && value.bytes == other.bytes;
  }
  return false;
}

/// Called after a condition failed on the value in the layers below. Removes copies of an older value: a reader of such
/// a copy would get the outdated etag again.
void Conditions::drop_outdated(Call outer, std::string_view key, const VisibleValue &seen) {
  CapturingCall call(outer);
  for (const Layer &layer : layers_.all) {
    if (!layer.dropped) continue;
    MetaCopy copy;
    bool marked = false;
    if (reader_.stat_in(call, layer, key, OMNISTORE_GET_META, copy, marked) != OMNISTORE_OK) continue;
    layers_.copies.show_source_etag(key, layer.index, copy.etag);
    if (!seen.is() || copy.etag.text() != seen.meta.etag.text()) layers_.drop_copies(call, key);
  }
}

/// Makes the one layer that others may write decide: its state must not have changed since it was read.
omnistore_status Conditions::guard(Call call, const Layer &layer, std::uint32_t condition, const VisibleValue &seen,
                                   bool marked, const MetaCopy &meta, LayerCondition &guarded) const {
  guarded.layer = layer.index;
  guarded.seen = seen.layer;
  if (seen.layer == layer.index || marked)
    guarded.condition = condition == OMNISTORE_IF_PRESENT ? OMNISTORE_IF_PRESENT : OMNISTORE_IF_MATCH;
  else
    guarded.condition = OMNISTORE_IF_ABSENT;
  if (guarded.condition == OMNISTORE_IF_MATCH) guarded.etag = meta.etag.own();
  const bool can = layer.written && layer.store.child.can(needed_capabilities[guarded.condition]) &&
                   (guarded.condition != OMNISTORE_IF_MATCH || !guarded.etag.empty());
  return can ? OMNISTORE_OK : not_guarded(call, layer);
}

} // namespace overlay
