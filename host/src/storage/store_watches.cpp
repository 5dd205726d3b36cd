// SPDX-License-Identifier: Apache-2.0
#include "storage/store_watches.hpp"

#include <algorithm>
#include <memory>
#include <utility>

#include "storage/call.hpp"
#include "storage/sidecar_key.hpp"

namespace omnistore {

struct StoreWatches::Entry {
  Entry(std::string_view of, omnistore_watcher *to, Faults &faults) : base(of), watcher(to), checked(to, faults, of) {}
  const std::string base;
  omnistore_watcher *const watcher;
  CheckedWatcher checked; ///< the driver's
  bool driver_reports = false;
  std::string refusal; ///< under mutex_: why the driver does not watch
  void *of_driver = nullptr;
};

omnistore_status StoreWatches::watch(const omnistore_watch_request &request, omnistore_watcher *watcher, void **watch) {
  auto entry = std::make_unique<Entry>(view(request.base), watcher, store_.faults());
  {
    std::lock_guard lock(mutex_);
    entries_.push_back(entry.get());
    count_.store(entries_.size());
  }
  if (store_.watches()) {
    HostCall own; // its message is for add_limits(), not for the caller, who has a watch
    const omnistore_status status = store_.watch(&own, &request, &entry->checked, &entry->of_driver);
    entry->driver_reports = status == OMNISTORE_OK;
    if (status != OMNISTORE_OK)
      without_exceptions([&] { // the entry is in the list already
        std::lock_guard lock(mutex_);
        entry->refusal = own.cause(status);
      });
  }
  *watch = entry.release();
  return OMNISTORE_OK;
}

omnistore_status StoreWatches::watch_strictly(omnistore_call *call, const omnistore_watch_request &request,
                                              omnistore_watcher *watcher, void **watch) {
  if (!store_.watches())
    return fail(call, OMNISTORE_UNSUPPORTED, "the driver " + store_.driver().name + " cannot watch");
  auto entry = std::make_unique<Entry>(view(request.base), watcher, store_.faults());
  {
    std::lock_guard lock(mutex_);
    entries_.push_back(entry.get());
    count_.store(entries_.size());
  }
  const omnistore_status status = store_.watch(call, &request, &entry->checked, &entry->of_driver);
  entry->driver_reports = status == OMNISTORE_OK;
  *watch = entry.release();
  if (status != OMNISTORE_OK) unwatch(std::exchange(*watch, nullptr));
  return status;
}

void StoreWatches::unwatch(void *watch) {
  const std::unique_ptr<Entry> entry(static_cast<Entry *>(watch));
  {
    std::lock_guard lock(mutex_);
    std::erase(entries_, entry.get());
    count_.store(entries_.size());
  }
  if (entry->driver_reports) store_.unwatch(entry->of_driver);
}

std::int64_t StoreWatches::lag(const void *watch) const {
  const Entry &entry = *static_cast<const Entry *>(watch);
  return entry.driver_reports ? store_.lag(entry.of_driver) : OMNISTORE_LAG_UNKNOWN;
}

bool StoreWatches::reports_own(const void *watch) const {
  return static_cast<const Entry *>(watch)->driver_reports && store_.can(OMNISTORE_WATCHES_OWN);
}

void StoreWatches::add_limits(std::vector<WatchLimit> &limits) {
  std::lock_guard lock(mutex_);
  const bool is_blind = !store_.watches() && store_.can(OMNISTORE_SHARED);
  if (is_blind && !entries_.empty()) limits.push_back({"the driver " + store_.driver().name + " cannot watch", false});
  for (const Entry *entry : entries_) {
    const bool known = std::any_of(limits.begin(), limits.end(),
                                   [&](const WatchLimit &limit) { return limit.cause == entry->refusal; });
    if (!entry->refusal.empty() && !known) limits.push_back({entry->refusal, true});
  }
}

void StoreWatches::report(const omnistore_event &removal) {
  if (count_.load(std::memory_order_relaxed) == 0 || is_sidecar(view(removal.key))) return;
  std::lock_guard lock(mutex_);
  for (const Entry *entry : entries_)
    if (view(removal.key).starts_with(entry->base)) entry->watcher->event(entry->watcher, &removal);
}

} // namespace omnistore
