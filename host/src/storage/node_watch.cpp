// SPDX-License-Identifier: Apache-2.0
// Watching one store.
#include <algorithm>

#include <spdlog/spdlog.h>

#include "base/printable.hpp"
#include "storage/call.hpp"
#include "storage/node.hpp"
#include "storage/node_host.hpp"
#include "storage/node_label.hpp"

namespace omnistore {

struct Node::Watching {
  Watching(std::string_view of, omnistore_watcher *to, Faults &faults)
      : base(of), watcher(to), checked(to, faults, of) {}
  const std::string base;
  omnistore_watcher *const watcher;
  CheckedWatcher checked; ///< the driver's
  bool driver_tells = false;
  void *of_driver = nullptr;
};

omnistore_status Node::watch(omnistore_call *, const omnistore_watch_request &request, omnistore_watcher *watcher,
                             void **watch) {
  auto watching = std::make_unique<Watching>(view(request.base), watcher, faults_);
  {
    std::lock_guard lock(watch_mutex_);
    watchings_.push_back(watching.get());
    watched_.store(watchings_.size());
  }
  if (driver_->table.watch) {
    HostCall own; // its message is for the log
    const omnistore_status status = driver_watch(&own, request, &watching->checked, &watching->of_driver);
    watching->driver_tells = status == OMNISTORE_OK;
    if (status != OMNISTORE_OK)
      without_exceptions([&] { // the watch is in the list already
        spdlog::warn("{} ({}): changes that others make are not reported: {}", base::printable(host_->mount()),
                     driver_->name, own.cause(status));
      });
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
  if (!watching->driver_tells) return;
  without_exceptions([&] {
    const base::InFlight in_flight(*label_, "unwatch");
    driver_->table.unwatch(self_, watching->of_driver);
  });
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
