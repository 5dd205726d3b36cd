// SPDX-License-Identifier: Apache-2.0
#include "writing/clearer.hpp"

#include <deque>
#include <string>
#include <vector>

#include "listing/merge.hpp"
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

} // namespace

omnistore_status Clearer::clear(Call call, const omnistore_clear_request &request, omnistore_page *removed) {
  const std::string_view base = as_view(request.base);
  std::deque<WriteLock> writing; // no key is set during the clear
  for (Stripe &each : layers_.stripes) writing.emplace_back(each);

  std::vector<std::string> seen;
  Merge listing(layers_.all, {std::string(base), OMNISTORE_ANY_DEPTH, false, OnError::fail}, {});
  for (const Merge::Item *item = nullptr;;) {
    if (const omnistore_status status = listing.next(call, 1000, item); status != OMNISTORE_OK) return status;
    if (!item) break;
    const Layer &layer = layers_.all[item->layer];
    if (layer.index < layers_.written.front() && !layer.dropped)
      return call.fail(OMNISTORE_READ_ONLY,
                       layer.name() + " has " + item->key + " and is above the layers of writeTo; nothing was cleared");
    seen.push_back(item->key);
  }
  for (const auto &[index, skip] : listing.take_skipped())
    if (index < layers_.written.front() && !layers_.all[index].dropped) // its keys, if it has any, would stay
      return call.fail(skip.status, skip.message + "; nothing was cleared");
  std::string moved;
  omnistore_status status = clear_layers(call, layer_key(base, moved));
  if (status == OMNISTORE_OK) {
    status = clear_copies(call, layer_key(base, moved));
  } else {
    for (const std::string &key : seen) {
      std::string own;
      layers_.doubt_copies(call, layer_key(key, own), omnistore::clear_may_have_changed(status));
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

omnistore_status Clearer::clear_layers(Call call, std::string_view base) {
  for (Layer &layer : layers_.all) {
    if (!layer.records_in) continue;
    bool below = false;
    omnistore_status status = any_below(call, layer, base, below);
    if (status != OMNISTORE_OK) return status;
    LayerCall on(call, layer);
    if (below && (status = layer.records.clear(on, base)) != OMNISTORE_OK) return on.with_reason(status);
  }
  return layers_.write_layers(call, VisibleValue::nowhere,
                              [&](Layer &layer, Call on) { return clear_layer(on, layer, base); });
}

/// Removes the copies under a base that promotion has made.
omnistore_status Clearer::clear_copies(Call call, std::string_view base) {
  for (Layer &layer : layers_.all) {
    if (!layer.dropped) continue;
    LayerCall on(call, layer);
    if (const omnistore_status status = clear_layer(on, layer, base); status != OMNISTORE_OK)
      return on.with_reason(status);
  }
  return OMNISTORE_OK;
}

/// Sets `any` if a layer has keys under the base. It checks the layers below this one, up to the next layer of
/// `writeTo`.
omnistore_status Clearer::any_below(Call call, const Layer &layer, std::string_view base, bool &any) {
  any = false;
  for (std::uint32_t i = layer.index + 1; i < layers_.count() && !layers_.all[i].written && !any; ++i) {
    LayerCall on(call, layers_.all[i]);
    const omnistore_status status = each_page(on, layers_.all[i], base, 16, [&](std::vector<std::string> &keys) {
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
omnistore_status Clearer::clear_layer(Call call, Layer &layer, std::string_view base) {
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
bool Clearer::is_gone(Call call, std::string_view key) {
  std::string moved;
  VisibleValue seen;
  CapturingCall ignored(call);
  return reader_.find_visible(ignored, layer_key(key, moved), 0, OnError::fail, seen) == OMNISTORE_NOT_FOUND;
}

} // namespace overlay
