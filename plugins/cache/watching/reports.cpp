// SPDX-License-Identifier: Apache-2.0
#include "watching/reports.hpp"

#include <utility>

namespace cache {

using omnistore::as_bytes, omnistore::as_view, omnistore::Call, omnistore::CapturingCall;

void OMNISTORE_CALL Reports::Watch::event_(omnistore_watcher *watcher, const omnistore_event *event) noexcept {
  const bool ended = event->type == OMNISTORE_EVENT_REMOVE &&
                     (event->cause == OMNISTORE_CAUSE_EXPIRED || event->cause == OMNISTORE_CAUSE_EVICTED);
  omnistore_watcher &to_whom = static_cast<Watch *>(watcher)->to;
  if (ended || event->type == OMNISTORE_EVENT_RESYNC) to_whom.event(&to_whom, event);
}

void *Reports::begin(Call call, const omnistore_watch_request &request, omnistore_watcher &watcher) {
  auto begun = std::make_unique<Watch>(as_view(request.base), watcher);
  CapturingCall ignored(call); // if the origin cannot be watched, the watch works without it
  begun->listens = origin_.watch(ignored, request, *begun, &begun->of_origin) == OMNISTORE_OK;
  const std::lock_guard lock(mutex_);
  watches_.push_back(std::move(begun));
  return watches_.back().get();
}

void Reports::end(void *watch) {
  const Watch &ended = *static_cast<Watch *>(watch);
  if (ended.listens) origin_.unwatch(ended.of_origin);
  const std::lock_guard lock(mutex_);
  std::erase_if(watches_, [&](const auto &one) { return one.get() == watch; });
}

void Reports::report(std::string_view key, std::uint32_t type, std::uint32_t cause) {
  const omnistore_event event{sizeof event, type, cause, 0, as_bytes(key), 0};
  const std::lock_guard lock(mutex_);
  for (const auto &watch : watches_)
    if (key.starts_with(watch->base)) watch->to.event(&watch->to, &event);
}

} // namespace cache
