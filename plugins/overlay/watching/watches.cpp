// SPDX-License-Identifier: Apache-2.0
#include "watching/watches.hpp"

#include "records/keys.hpp"

namespace overlay {

namespace {

/// The most changes that wait. If there are more, the others are reported as a resync.
constexpr std::size_t max_changes = 100'000;

void report_resync(omnistore_watcher &to, std::uint64_t count) {
  const omnistore_event event{sizeof event, OMNISTORE_EVENT_RESYNC, OMNISTORE_CAUSE_NONE, 0, {nullptr, 0}, count};
  to.event(&to, &event);
}

} // namespace

/// One watch of one layer.
struct Watches::Listener : omnistore_watcher {
  Listener(Watches &all, const Watch &of, Layer &source)
      : omnistore_watcher{sizeof(omnistore_watcher), 0, &event_}, watches(all), watch(of), layer(source) {}

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
  std::string base; ///< in the user's form
  omnistore_watcher &to;
  omnistore::CoherentWatch *coherence; ///< null if the overlay is not coherent
  std::deque<Listener> listeners;      // they must not move

  ~Watch() {
    for (Listener &listener : listeners) {
      coherence ? coherence->end(listener.handle) : listener.layer.store.child.unwatch(listener.handle);
      listener.layer.store.watched(false);
    }
  }
};

Watches::Watches(const omnistore_host &host, omnistore_task look, void *argument)
    : host_(host), look_(look), argument_(argument) {}
Watches::~Watches() = default;

omnistore_status Watches::begin(Call call, Layers &layers, std::string_view base, omnistore_watcher &to, void **watch) {
  auto begun = std::make_unique<Watch>(Watch{std::string(base), to, layers.coherence.get(), {}});
  std::string moved;
  const std::string_view inside = layer_key(base, moved);
  const auto listen = [&](Layer &layer, std::string_view to_base) {
    LayerCall on(call, layer);
    Listener &listener = begun->listeners.emplace_back(*this, *begun, layer);
    const omnistore_watch_request request{sizeof request, 0, as_bytes(to_base)};
    layer.store.watched(true);
    if (layers.coherence) { // its events end the trust in copies first
      listener.handle = layers.coherence->add(to_base, listener);
      return OMNISTORE_OK;
    }
    const omnistore_status status = layer.store.child.watch(on, request, listener, &listener.handle);
    if (status == OMNISTORE_OK) return status;
    layer.store.watched(false);
    begun->listeners.pop_back();
    return on.with_reason(status);
  };
  omnistore_status status = OMNISTORE_OK;
  for (Layer &layer : layers.all) {
    if (layer.proven) continue; // what happens to a copy is no change
    status = listen(layer, inside);
    // A record that others write is a change too.
    if (status == OMNISTORE_OK && layer.records.direct() && !inside.empty()) status = listen(layer, record_space);
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
  ended.reset(); // the layers report nothing from here on
  const std::lock_guard lock(changes_mutex_);
  std::erase_if(changes_, [&](const LayerChange &change) { return change.watch == watch; });
}

void Watches::changed(const Watch &watch, std::uint32_t layer, const omnistore_event &event) {
  if (event.type == OMNISTORE_EVENT_RESYNC) return report_resync(watch.to, event.count);
  if (event.type == OMNISTORE_EVENT_LIMITED) return watch.to.event(&watch.to, &event);
  bool kept = false;
  try {
    const std::lock_guard lock(changes_mutex_);
    if (changes_.size() < max_changes) {
      changes_.push_back({&watch, layer, std::string(as_view(event.key)), event.type, event.cause});
      kept = task_submitted_ || host_.submit(&host_, look_, argument_, 0, 0) == OMNISTORE_OK;
      if (!kept) changes_.pop_back();
      task_submitted_ = task_submitted_ || kept;
    }
  } catch (const std::bad_alloc &) {
    kept = false;
  }
  if (!kept) report_resync(watch.to, 1);
}

bool Watches::take(LayerChange &change) {
  const std::lock_guard lock(changes_mutex_);
  task_submitted_ = !changes_.empty();
  if (!task_submitted_) return false;
  change = std::move(changes_.front());
  changes_.pop_front();
  return true;
}

void Watches::report(const void *watch, std::uint32_t type, std::uint32_t cause, std::string_view key) {
  const std::lock_guard lock(watches_mutex_);
  const auto found = watches_.find(watch);
  if (found == watches_.end()) return;
  const Watch &target = *found->second;
  if (type == OMNISTORE_EVENT_RESYNC) return report_resync(target.to, 0);
  if (!key.starts_with(target.base)) return;
  const omnistore_event event{sizeof event, type, cause, 0, as_bytes(key), 0};
  target.to.event(&target.to, &event);
}

} // namespace overlay
