// SPDX-License-Identifier: Apache-2.0
#include "watches.hpp"

#include "keys.hpp"

namespace overlay {

namespace {

/// So many changes wait at most; what comes when there are more is told as a resync.
constexpr std::size_t MOST_CHANGES = 100'000;

void tell_resync(omnistore_watcher &to, std::uint64_t count) {
  const omnistore_event event{sizeof event, OMNISTORE_EVENT_RESYNC, OMNISTORE_CAUSE_NONE, 0, {nullptr, 0}, count};
  to.event(&to, &event);
}

} // namespace

/// One watch of one layer.
struct Watches::Listener : omnistore_watcher {
  Listener(Watches &all, const Watch &of, Layer &told_by)
      : omnistore_watcher{sizeof(omnistore_watcher), 0, &event_}, watches(all), watch(of), layer(told_by) {}

  Watches &watches;
  const Watch &watch;
  Layer &layer;
  void *handle = nullptr;

private:
  static void OMNISTORE_CALL event_(omnistore_watcher *watcher, const omnistore_event *event) noexcept {
    const auto &self = *static_cast<Listener *>(watcher);
    self.watches.changed(self.watch, self.layer.index, *event);
  }
};

struct Watches::Watch {
  std::string base; ///< the user's
  omnistore_watcher &to;
  std::deque<Listener> listeners; // stay in their places

  ~Watch() {
    for (Listener &listener : listeners) {
      listener.layer.store.child.unwatch(listener.handle);
      listener.layer.store.watched(false);
    }
  }
};

Watches::Watches(const omnistore_host &host, omnistore_task look, void *argument)
    : host_(host), look_(look), argument_(argument) {}
Watches::~Watches() = default;

omnistore_status Watches::begin(Call call, std::deque<Layer> &layers, std::string_view base, omnistore_watcher &to,
                                void **watch) {
  auto begun = std::make_unique<Watch>(Watch{std::string(base), to, {}});
  std::string moved;
  const std::string_view inside = stored(base, moved);
  const auto listen = [&](Layer &layer, std::string_view to_base) {
    LayerCall on(call, layer);
    Listener &listener = begun->listeners.emplace_back(*this, *begun, layer);
    const omnistore_watch_request request{sizeof request, 0, as_bytes(to_base)};
    layer.store.watched(true);
    const omnistore_status status = layer.store.child.watch(on, request, listener, &listener.handle);
    if (status == OMNISTORE_OK) return status;
    layer.store.watched(false);
    begun->listeners.pop_back();
    return on.told(status);
  };
  omnistore_status status = OMNISTORE_OK;
  for (Layer &layer : layers) {
    status = listen(layer, inside);
    // What others record of removals is a change too.
    if (status == OMNISTORE_OK && layer.records.direct() && !inside.empty()) status = listen(layer, SPACE);
    if (status != OMNISTORE_OK) break;
  }
  if (status != OMNISTORE_OK) return status;
  *watch = begun.get();
  const std::lock_guard lock(watches_mutex_);
  watches_.emplace(begun.get(), std::move(begun));
  return OMNISTORE_OK;
}

void Watches::end(void *watch) {
  std::unique_ptr<Watch> ended;
  {
    const std::lock_guard lock(watches_mutex_);
    const auto found = watches_.find(watch);
    ended = std::move(found->second);
    watches_.erase(found);
  }
  ended.reset(); // the layers tell no more
  const std::lock_guard lock(changes_mutex_);
  std::erase_if(changes_, [&](const Change &change) { return change.watch == watch; });
}

void Watches::changed(const Watch &watch, std::uint32_t layer, const omnistore_event &event) {
  if (event.type == OMNISTORE_EVENT_RESYNC) return tell_resync(watch.to, event.count);
  if (event.type == OMNISTORE_EVENT_LIMITED) return watch.to.event(&watch.to, &event);
  bool kept = false;
  try {
    const std::lock_guard lock(changes_mutex_);
    if (changes_.size() < MOST_CHANGES) {
      changes_.push_back({&watch, layer, std::string(as_view(event.key)), event.type, event.cause});
      kept = looked_after_ || host_.submit(&host_, look_, argument_, 0, 0) == OMNISTORE_OK;
      if (!kept) changes_.pop_back();
      looked_after_ = looked_after_ || kept;
    }
  } catch (const std::bad_alloc &) {
    kept = false;
  }
  if (!kept) tell_resync(watch.to, 1);
}

bool Watches::take(Change &change) {
  const std::lock_guard lock(changes_mutex_);
  looked_after_ = !changes_.empty();
  if (!looked_after_) return false;
  change = std::move(changes_.front());
  changes_.pop_front();
  return true;
}

void Watches::tell(const void *watch, std::uint32_t type, std::uint32_t cause, std::string_view key) {
  const std::lock_guard lock(watches_mutex_);
  const auto found = watches_.find(watch);
  if (found == watches_.end()) return;
  const Watch &told = *found->second;
  if (type == OMNISTORE_EVENT_RESYNC) return tell_resync(told.to, 0);
  if (!key.starts_with(told.base)) return;
  const omnistore_event event{sizeof event, type, cause, 0, as_bytes(key), 0};
  told.to.event(&told.to, &event);
}

} // namespace overlay
