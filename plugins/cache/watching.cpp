// SPDX-License-Identifier: Apache-2.0
// Who watches is told what a refresh found changed at the origin, and which values the origin's store ended by itself;
// the host tells of the writes that went through here.
#include <algorithm>

#include "cache.hpp"

namespace cache {

void OMNISTORE_CALL Cache::Watch::event_(omnistore_watcher *watcher, const omnistore_event *event) noexcept {
  const bool ended = event->type == OMNISTORE_EVENT_REMOVE &&
                     (event->cause == OMNISTORE_CAUSE_EXPIRED || event->cause == OMNISTORE_CAUSE_EVICTED);
  omnistore_watcher &to_whom = static_cast<Watch *>(watcher)->to;
  if (ended || event->type == OMNISTORE_EVENT_RESYNC) to_whom.event(&to_whom, event);
}

omnistore_status Cache::watch(Call call, const omnistore_watch_request &request, omnistore_watcher &watcher,
                              void **watch) {
  auto begun = std::make_unique<Watch>(as_view(request.base), watcher);
  CapturingCall unheard(call); // an origin that cannot tell is no reason to have no watch
  begun->listens = origin_.watch(unheard, request, *begun, &begun->of_origin) == OMNISTORE_OK;
  const std::lock_guard lock(watch_mutex_);
  watches_.push_back(std::move(begun));
  *watch = watches_.back().get();
  return OMNISTORE_OK;
}

void Cache::unwatch(void *watch) {
  const Watch &ended = *static_cast<Watch *>(watch);
  if (ended.listens) origin_.unwatch(ended.of_origin);
  const std::lock_guard lock(watch_mutex_);
  std::erase_if(watches_, [&](const auto &one) { return one.get() == watch; });
}

void Cache::tell(std::string_view key, std::uint32_t type, std::uint32_t cause) {
  const omnistore_event event{sizeof event, type, cause, 0, as_bytes(key), 0};
  const std::lock_guard lock(watch_mutex_);
  for (const auto &watch : watches_)
    if (key.starts_with(watch->base)) watch->to.event(&watch->to, &event);
}

} // namespace cache
