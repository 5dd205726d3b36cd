// SPDX-License-Identifier: Apache-2.0
#include "watching/events.hpp"

#include <exception>
#include <mutex>

#include "records/keys.hpp"

namespace overlay {

void OMNISTORE_CALL Events::look(void *self, omnistore_call *call) noexcept {
  auto &events = *static_cast<Events *>(self);
  for (LayerChange change; events.watches_.take(change);) {
    if (call->remaining(call) == 0) continue; // the store closes, and there is no watch any more
    try {
      events.look_at(Call(call), change);
    } catch (const std::exception &) {
      events.watches_.report(change.watch, OMNISTORE_EVENT_RESYNC, 0, {});
    }
  }
}

void Events::look_at(Call call, const LayerChange &change) {
  std::string_view key = change.key;
  const bool is_record = !to_user_key(key);
  std::string_view record = change.key;
  if (is_record) {
    if (!record.ends_with('$') ||
        (!record.starts_with(removed_records) && !record.starts_with(cleared_records) && record != cleared_all_record))
      return;
    if (record.starts_with(removed_records)) {
      record.remove_prefix(removed_records.size());
      record.remove_suffix(1);
      key = record; // in the layers' form
      if (!to_user_key(key)) return;
    } else {
      key = {};
    }
  }
  const std::string_view inside = is_record ? record : std::string_view(change.key);
  const std::lock_guard lock(layers_.stripe(inside).mutex); // so that no write of the overlay is half done
  Layer &layer = layers_.all[change.layer];
  LayerCall on(call, layer);
  bool echo = false;
  omnistore_status status = layer.store.is_echo(on, change.key, echo);
  if (status == OMNISTORE_OK && echo) return;
  VisibleValue seen;
  // In a coherent overlay a copy above the change hides nothing.
  if (status == OMNISTORE_OK && !key.empty())
    status = reader_.find_visible(call, inside, 0, OnError::fail, seen, !layers_.coherence);
  // If the value cannot be read, or a whole base was cleared, watchers must read again.
  if ((status != OMNISTORE_OK && status != OMNISTORE_NOT_FOUND) || key.empty())
    return watches_.report(change.watch, OMNISTORE_EVENT_RESYNC, 0, {});
  const std::uint32_t type = is_record ? type_of_record(change, seen) : type_of_value(change, seen);
  if (type == OMNISTORE_EVENT_REMOVE) {
    const std::uint32_t cause = change.type == OMNISTORE_EVENT_REMOVE ? change.cause : OMNISTORE_CAUSE_REMOVED;
    watches_.report(change.watch, type, cause, key);
  } else if (type != 0) {
    watches_.report(change.watch, type, OMNISTORE_CAUSE_NONE, key);
  }
}

/// Returns the type of the event for a value that changed in a layer; 0: no event. If it has changed again since, the
/// next change decides.
std::uint32_t Events::type_of_value(const LayerChange &change, const VisibleValue &seen) const {
  if (seen.last < change.layer) return 0; // a layer above hides it
  const bool removed = change.type == OMNISTORE_EVENT_REMOVE;
  if (seen.layer == change.layer) return removed ? 0 : OMNISTORE_EVENT_UPDATE;
  if (!seen.is()) return removed || seen.marked ? OMNISTORE_EVENT_REMOVE : 0;
  // A layer below becomes visible. If it has a copy of the same value, nothing has changed.
  const bool by_itself = change.cause == OMNISTORE_CAUSE_EVICTED || change.cause == OMNISTORE_CAUSE_EXPIRED;
  const bool copies = layers_.all[seen.layer].written || layers_.promotes;
  return !removed || (by_itself && copies) ? 0 : OMNISTORE_EVENT_UPDATE;
}

/// Returns the type of the event for a record that others have written or removed; 0: no event.
std::uint32_t Events::type_of_record(const LayerChange &change, const VisibleValue &seen) const {
  if (seen.last < change.layer || seen.layer == change.layer) return 0;
  if (change.type == OMNISTORE_EVENT_REMOVE) return seen.is() ? OMNISTORE_EVENT_UPDATE : 0;
  return seen.is() ? 0 : OMNISTORE_EVENT_REMOVE;
}

} // namespace overlay
