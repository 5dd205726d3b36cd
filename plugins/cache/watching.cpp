// SPDX-License-Identifier: Apache-2.0
// Who watches is told what a refresh found changed at the origin; the host tells of the writes that went through here.
#include <algorithm>

#include "cache.hpp"

namespace cache {

omnistore_status Cache::watch(Call, const omnistore_watch_request &request, omnistore_watcher &watcher, void **watch) {
  const std::lock_guard lock(watch_mutex_);
  watches_.push_back(std::make_unique<Watch>(Watch{std::string(as_view(request.base)), &watcher}));
  *watch = watches_.back().get();
  return OMNISTORE_OK;
}

void Cache::unwatch(void *watch) {
  const std::lock_guard lock(watch_mutex_);
  std::erase_if(watches_, [&](const auto &one) { return one.get() == watch; });
}

void Cache::tell(std::string_view key, std::uint32_t type, std::uint32_t cause) {
  const omnistore_event event{sizeof event, type, cause, 0, as_bytes(key), 0};
  const std::lock_guard lock(watch_mutex_);
  for (const auto &watch : watches_)
    if (key.starts_with(watch->base)) watch->watcher->event(watch->watcher, &event);
}

} // namespace cache
