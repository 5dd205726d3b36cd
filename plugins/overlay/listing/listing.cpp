// SPDX-License-Identifier: Apache-2.0
#include "overlay.hpp"

#include "records/keys.hpp"

#include <algorithm>

namespace overlay {

omnistore_status Overlay::list(Call call, const omnistore_list_request &request, omnistore_page &page) {
  const Query query{std::string(as_view(request.base)),
                    request.depth,
                    (request.flags & OMNISTORE_LIST_META) != 0,
                    layers_.on_error,
                    (request.flags & OMNISTORE_LIST_FOLDERS) != 0 && request.depth != OMNISTORE_ANY_DEPTH,
                    std::string(as_view(request.start)),
                    std::string(as_view(request.end))};
  if (!query.end.empty() && query.end <= query.start) return OMNISTORE_OK;
  const std::string_view cursor = as_view(request.cursor);
  std::unique_ptr<Merge> merge = cursor.empty() ? nullptr : paused_.resume(cursor, query);
  if (!merge)
    merge = std::make_unique<Merge>(layers_.all, query, cursor.empty() ? cursor : PausedListings::rest(cursor));
  for (std::uint32_t given = 0; given < request.limit; ++given) {
    const Merge::Item *item = nullptr;
    const omnistore_status status = merge->next(call, std::clamp(request.limit, 100u, 1000u), item);
    if (status != OMNISTORE_OK) return status;
    for (const auto &[layer, skip] : merge->take_skipped()) {
      const omnistore_status skipped = omnistore::skip(page, skip.base, skip.status, skip.message);
      if (skipped != OMNISTORE_OK) return skipped;
    }
    if (!item) return OMNISTORE_OK;
    if (query.meta && item->meta) {
      std::string moved;
      layers_.copies.show_source_etag(layer_key(item->key, moved), item->layer, item->meta->etag);
    }
    const omnistore_meta meta = query.meta && item->meta ? item->meta->view() : omnistore_meta{};
    const omnistore_status emitted = page.emit(&page, as_bytes(item->key), query.meta && item->meta ? &meta : nullptr);
    if (emitted != OMNISTORE_OK) return emitted;
  }
  if (merge->ended()) return OMNISTORE_OK;
  const std::string next = paused_.keep(std::move(merge));
  if (next.size() > PausedListings::longest_cursor)
    return call.fail(OMNISTORE_TOO_LARGE, "a listing cannot stop at a key of so many bytes; use another limit");
  page.next(&page, as_bytes(next));
  return OMNISTORE_OK;
}

} // namespace overlay
