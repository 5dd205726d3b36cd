// SPDX-License-Identifier: Apache-2.0
// Watching one store.
#include <algorithm>

#include <spdlog/spdlog.h>

#include "base/printable.hpp"
#include "storage/call.hpp"
#include "storage/node.hpp"
#include "storage/node_host.hpp"

namespace omnistore {

struct Node::Watching {
  std::string base;
  omnistore_watcher *watcher;
  bool driver_tells = false;
  void *of_driver = nullptr;
};

omnistore_status Node::watch(omnistore_call *, const omnistore_watch_request &request, omnistore_watcher *watcher,
                             void **watch) {
  auto watching = std::make_unique<Watching>(Watching{std::string(view(request.base)), watcher});
  if (driver_->table.watch) {
    HostCall own; // its message is for the log
    const omnistore_status status = driver_watch(&own, request, watcher, &watching->of_driver);
    watching->driver_tells = status == OMNISTORE_OK;
    if (status != OMNISTORE_OK)
      spdlog::warn("{} ({}): changes that others make are not told: {}", base::printable(host_->mount()), driver_->name,
                   own.cause(status));
  }
  {
    std::lock_guard lock(watch_mutex_);
    watchings_.push_back(watching.get());
    watched_.store(watchings_.size());
  }
  *watch = watching.release();
  return OMNISTORE_OK;
}

void Node::unwatch(void *watch) {
  const std::unique_ptr<Watching> watching(static_cast<Watching *>(watch));
  {
    std::lock_guard lock(watch_mutex_);
    std::erase(watchings_, watching.get());
    watched_.store(watchings_.size());
  }
  if (watching->driver_tells) driver_->table.unwatch(self_, watching->of_driver);
}

bool Node::tells_own(const void *watch) const {
  return static_cast<const Watching *>(watch)->driver_tells && native_.capabilities & OMNISTORE_WATCHES_OWN;
}

void Node::tell(const omnistore_event &removal) {
  if (watched_.load(std::memory_order_relaxed) == 0 || view(removal.key).ends_with('$')) return;
  std::lock_guard lock(watch_mutex_);
  for (const Watching *watching : watchings_)
    if (view(removal.key).starts_with(watching->base)) watching->watcher->event(watching->watcher, &removal);
}

} // namespace omnistore
