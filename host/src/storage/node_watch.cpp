// SPDX-License-Identifier: Apache-2.0
// Watching one store.
#include <algorithm>

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
  std::string refusal; ///< under watch_mutex_; why the driver does not watch
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
    HostCall own; // its message is for limits, not for the caller, who has a watch
    const omnistore_status status = driver_watch(&own, request, &watching->checked, &watching->of_driver);
    watching->driver_tells = status == OMNISTORE_OK;
    if (status != OMNISTORE_OK)
      without_exceptions([&] { // the watch is in the list already
        std::lock_guard lock(watch_mutex_);
        watching->refusal = own.cause(status);
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

void Node::add_limits(std::vector<WatchLimit> &limits) {
  {
    std::lock_guard lock(watch_mutex_);
    const bool blind = !driver_->table.watch && native_.capabilities & OMNISTORE_SHARED;
    if (blind && !watchings_.empty()) limits.push_back({"the driver " + driver_->name + " cannot watch", false});
    for (const Watching *watching : watchings_) {
      const bool known = std::any_of(limits.begin(), limits.end(),
                                     [&](const WatchLimit &limit) { return limit.cause == watching->refusal; });
      if (!watching->refusal.empty() && !known) limits.push_back({watching->refusal, true});
    }
  }
  for (const auto &child : children_) {
    const std::size_t before = limits.size();
    child->add_limits(limits);
    for (std::size_t i = before; i < limits.size(); ++i) limits[i].cause.insert(0, child->driver_->name + ": ");
  }
}

void Node::tell(const omnistore_event &removal) {
  if (watched_.load(std::memory_order_relaxed) == 0 || view(removal.key).ends_with('$')) return;
  std::lock_guard lock(watch_mutex_);
  for (const Watching *watching : watchings_)
    if (view(removal.key).starts_with(watching->base)) watching->watcher->event(watching->watcher, &removal);
}

} // namespace omnistore
