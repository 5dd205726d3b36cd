// SPDX-License-Identifier: Apache-2.0
// Events: those of the host's own writes, and the watches of the mounted stores. Those run while a watch of the storage
// wants to hear of a mount, one for each mount, over the keys that are wanted.
#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include <spdlog/spdlog.h>

#include "storage/key.hpp"
#include "storage/key_space.hpp"
#include "storage/pulled_watch.hpp"
#include "storage/sidecar_key.hpp"

namespace omnistore {
namespace {

/// The longest base that both lie under.
std::string common_base(std::string_view a, std::string_view b) {
  const auto [end, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  const std::string_view same = a.substr(0, end - a.begin());
  const std::size_t colon = same.rfind(':');
  return std::string(colon == same.npos ? std::string_view() : same.substr(0, colon + 1));
}

/// Returns the base inside a mount's store that holds the changes for a watch of `wanted`.
std::string watched_base(const Mount &mount, std::string_view wanted) {
  if (std::string_view(mount.base).starts_with(wanted) || wanted.size() <= mount.base.size()) return mount.prefix;
  const std::string_view inside = wanted.substr(mount.base.size());
  const std::size_t colon = inside.rfind(':'); // the key `wanted` itself lies in the base above it
  return mount.prefix + std::string(colon == inside.npos ? std::string_view() : inside.substr(0, colon + 1));
}

/// Throws Error(too_large) if no key of this name, or below it, can ever be in its store.
void check_watched(const MountTable &table, std::string_view key) {
  const Mount *mount = table.find(key);
  if (!mount || !mount->store || key.size() < mount->base.size()) return;
  check_length("watch", key, *mount, mount->prefix.size() + key.size() - mount->base.size());
}

} // namespace

KeySpace::Backend::Backend(KeySpace &storage, Hold watched, std::string keys)
    : omnistore_watcher{sizeof(omnistore_watcher), 0, event_}, space(storage), mount(std::move(watched)),
      base(std::move(keys)) {
  mount->watches.fetch_add(1, std::memory_order_relaxed);
  const omnistore_watch_request request{sizeof request, 0, bytes(base)};
  mount->store->watch(request, this, &watch);
}

KeySpace::Backend::~Backend() {
  mount->reports_own.store(false);
  mount->store->unwatch(watch);
  mount->watches.fetch_sub(1, std::memory_order_relaxed);
}

void KeySpace::Backend::event_(omnistore_watcher *watcher, const omnistore_event *event) {
  const Backend &self = *static_cast<Backend *>(watcher);
  self.space.store_changed(*self.mount, *event);
}

void KeySpace::publish_key(Event::Type type, Event::Cause cause, std::string_view key) {
  // A change of the user meta is a change of its key's meta.
  const bool is_meta = is_sidecar(key);
  const bool by_hand = cause == Event::Cause::removed || cause == Event::Cause::none;
  if (is_meta && type == Event::Type::remove && !by_hand) return; // it went with its value
  if (is_meta) key = owner_of(key);
  if (!key.empty()) hub.publish(is_meta ? Event::Type::update : type, is_meta ? Event::Cause::none : cause, key);
}

void KeySpace::store_changed(const Mount &mount, const omnistore_event &event) {
  if (event.type == OMNISTORE_EVENT_RESYNC) return hub.lost(mount.mountpoint, event.count);
  if (event.type == OMNISTORE_EVENT_LIMITED) return store_limited(mount, std::string(view(event.key)));
  std::string key;
  if (!mount.outside(view(event.key), key)) return;
  {
    const Epoch::Guard guard(epoch);
    const MountTable *now = table_.load(std::memory_order_acquire);
    if (!now || now->find(key) != &mount) return; // hidden below another mount
  }
  if (event.type == OMNISTORE_EVENT_UPDATE) return publish_key(Event::Type::update, Event::Cause::none, key);
  if (event.type != OMNISTORE_EVENT_REMOVE) return;
  const auto cause = event.cause == OMNISTORE_CAUSE_EXPIRED   ? Event::Cause::expired
                     : event.cause == OMNISTORE_CAUSE_EVICTED ? Event::Cause::evicted
                     : event.cause == OMNISTORE_CAUSE_CLEARED ? Event::Cause::cleared
                     : event.cause == OMNISTORE_CAUSE_REMOVED ? Event::Cause::removed
                                                              : Event::Cause::none;
  publish_key(Event::Type::remove, cause, key);
}

void KeySpace::store_limited(const Mount &mount, const std::string &cause) {
  Hub::Limit limit{&mount, failure("watch", {}, mount, "the changes that others make are not reported: " + cause)};
  const std::lock_guard lock(watching_);
  const auto watched = watched_.find(mount.shared_from_this());
  if (watched == watched_.end()) return;
  std::vector<Hub::Limit> &reported = watched->second->reported;
  if (std::find(reported.begin(), reported.end(), limit) != reported.end()) return;
  spdlog::info("{}", limit.message);
  reported.push_back(limit);
  watched->second->limits.push_back(std::move(limit));
  for (const auto &[base, span] : spans_)
    if (std::find(span.reached.begin(), span.reached.end(), &mount) != span.reached.end()) tell_limits(base, span);
}

/// Finds the mounts whose changes concern a watch of `base`, and wants them. Under watching_.
void KeySpace::reach(const std::string &base, Span &span) {
  span.wanted.clear();
  const Epoch::Guard guard(epoch);
  span.reached = table().spanned(base.empty() ? base : base + ':');
  std::vector<const Mount *> mounts = span.reached;
  // The key of a mountpoint's own name lies in the mount above it, whose limits would say little of this watch.
  if (const Mount *holder = table().find(base); holder && std::count(mounts.begin(), mounts.end(), holder) == 0)
    mounts.push_back(holder);
  for (const Mount *mount : mounts) {
    if (!mount->store) continue;
    span.wanted.push_back(mount->shared_from_this());
    std::shared_ptr<Watched> &watched = watched_[span.wanted.back()];
    if (!watched) watched = std::make_shared<Watched>(span.wanted.back());
    watched->bases.insert(watched_base(*mount, base));
  }
}

/// Returns true if the driver watches as far as it is wanted.
bool KeySpace::Watched::settled() const {
  if (bases.empty()) return !backend;
  return backend && common_base(*bases.begin(), *bases.rbegin()).starts_with(backend->base); // they are sorted
}

/// Has the store watched as far as it is wanted. `ask_again`: also if it refused. Returns true if its limits changed.
/// `lock` is of watching_. It is not held while the driver is called: a store that hangs delays only the watches that
/// want to hear of it.
bool KeySpace::cover(const std::shared_ptr<Watched> &watched, bool ask_again, std::unique_lock<std::mutex> &lock) {
  struct Busy {
    Busy(KeySpace &storage, Watched &mount, std::unique_lock<std::mutex> &held)
        : space(storage), of(mount), watching(held) {
      space.settled_.wait(watching, [this] { return !of.busy; });
      of.busy = true;
    }
    ~Busy() {
      if (!watching.owns_lock()) watching.lock();
      of.busy = false;
      space.settled_.notify_all();
    }
    KeySpace &space;
    Watched &of;
    std::unique_lock<std::mutex> &watching;
  };
  const Busy busy(*this, *watched, lock);
  const Mount &mount = *watched->mount;
  bool changed = false;
  for (bool again = true; again; again = !watched->settled()) {
    if (watched->bases.empty()) {
      lock.unlock();
      watched->backend.reset();
      lock.lock();
      continue;
    }
    const bool begins = !watched->settled() || (std::exchange(ask_again, false) && watched->backend->refused());
    const std::string base = common_base(*watched->bases.begin(), *watched->bases.rbegin());
    lock.unlock();
    // The wider one begins before the narrower ends: a change may be reported twice, and none is lost.
    if (begins) {
      Hold held = hold(mount, Hold::anywhere);
      if (!held) { // it was taken out meanwhile; a store that was may take any time to end its watch
        if (watched->backend) end_backend(std::move(watched->backend));
        lock.lock();
        watched->bases.clear();
        continue;
      }
      watched->backend = std::make_unique<Backend>(*this, std::move(held), base);
    }
    mount.reports_own.store(mount.store->reports_own(watched->backend->watch));
    watched->backend->limits.clear();
    mount.store->add_limits(watched->backend->limits);
    std::vector<Hub::Limit> limits;
    for (const WatchLimit &limit : watched->backend->limits)
      limits.push_back(
          {&mount, failure("watch", {}, mount, "the changes that others make are not reported: " + limit.cause)});
    lock.lock();
    limits.insert(limits.end(), watched->reported.begin(), watched->reported.end());
    for (const Hub::Limit &limit : limits)
      if (std::find(watched->limits.begin(), watched->limits.end(), limit) == watched->limits.end())
        spdlog::warn("{}", limit.message);
    changed = changed || limits != watched->limits;
    watched->limits = std::move(limits);
  }
  if (watched->bases.empty()) watched_.erase(watched->mount);
  return changed;
}

/// Under watching_.
void KeySpace::tell_limits(const std::string &base, const Span &span) {
  std::vector<Hub::Limit> limits;
  for (const auto &mount : span.wanted) {
    if (std::find(span.reached.begin(), span.reached.end(), mount.get()) == span.reached.end()) continue;
    const std::vector<Hub::Limit> &of_mount = watched_[mount]->limits; // reach() made it
    limits.insert(limits.end(), of_mount.begin(), of_mount.end());
  }
  hub.limit(base, limits);
}

void KeySpace::begin(const std::string &base) {
  std::unique_lock lock(watching_);
  Span &begun = spans_[base];
  if (begun.watches++ == 0) reach(base, begun);
  const std::vector<std::shared_ptr<const Mount>> mounts = begun.wanted; // it may change while the lock is not held
  std::vector<const Mount *> changed;
  for (const auto &mount : mounts) {
    const auto watched = watched_.find(mount);
    if (watched == watched_.end()) continue; // it was unmounted meanwhile
    if (cover(std::shared_ptr(watched->second), true, lock)) changed.push_back(mount.get());
  }
  if (const auto span = spans_.find(base); span != spans_.end()) tell_limits(base, span->second);
  if (changed.empty()) return;
  for (const auto &[other, span] : spans_)
    if (std::find_first_of(span.reached.begin(), span.reached.end(), changed.begin(), changed.end()) !=
        span.reached.end())
      tell_limits(other, span);
}

void KeySpace::end(const std::string &base) {
  std::unique_lock lock(watching_);
  const auto span = spans_.find(base);
  if (span == spans_.end() || --span->second.watches != 0) return;
  const std::vector<std::shared_ptr<const Mount>> mounts = std::move(span->second.wanted);
  spans_.erase(span);
  std::vector<std::shared_ptr<Watched>> unwanted;
  for (const auto &mount : mounts) {
    const auto watched = watched_.find(mount);
    if (watched == watched_.end()) continue;
    std::multiset<std::string> &bases = watched->second->bases;
    if (const auto wanted = bases.find(watched_base(*mount, base)); wanted != bases.end()) bases.erase(wanted);
    if (bases.empty()) unwanted.push_back(watched->second);
  }
  for (const auto &watched : unwanted)
    if (!watched->busy) cover(watched, false, lock); // else the thread that is at it sees to it
}

void KeySpace::refresh() {
  std::unique_lock lock(watching_);
  std::map<const Watched *, std::multiset<std::string>> before;
  for (const auto &[mount, watched] : watched_) before[watched.get()].swap(watched->bases);
  for (auto &[base, span] : spans_) reach(base, span);
  std::vector<std::shared_ptr<Watched>> changed;
  for (const auto &[mount, watched] : watched_)
    if (watched->bases != before[watched.get()]) changed.push_back(watched);
  for (const auto &watched : changed) {
    if (watched->busy) continue; // the thread that is at it sees to it
    if (!watched->bases.empty()) {
      cover(watched, false, lock);
      continue;
    }
    background_->submit({nullptr, [this, watched] { // its store may take any time
                           std::unique_lock later(watching_);
                           if (!watched->busy) cover(watched, false, later);
                         }});
  }
  for (const auto &[base, span] : spans_) tell_limits(base, span);
}

Watch KeySpace::watch(std::string_view in, std::string_view base, std::function<void(const Event &)> callback,
                      const WatchOptions &options) {
  std::string normal = std::string(in) + normal_base(base);
  if (!normal.empty()) normal.pop_back();
  {
    const Epoch::Guard guard(epoch);
    check_watched(table(), normal);
  }
  if (in.empty()) return hub.watch(std::move(normal), std::move(callback), options);
  auto without_base = [in = std::string(in), callback = std::move(callback)](const Event &event) {
    if (event.key.empty()) return callback(event);
    if (!event.key.starts_with(in)) return; // the key of the base's own name: it is not in the view
    Event shown = event;
    shown.key.erase(0, in.size());
    callback(shown);
  };
  return hub.watch(std::move(normal), std::move(without_base), options);
}

Watch KeySpace::pull(std::string_view base, std::function<void()> ready, const WatchOptions &options) {
  std::string normal = normal_base(base);
  if (!normal.empty()) normal.pop_back();
  {
    const Epoch::Guard guard(epoch);
    check_watched(table(), normal);
  }
  return hub.pull(std::move(normal), std::move(ready), options);
}

PulledWatch::PulledWatch(Storage &storage, std::string_view base, std::function<void()> ready,
                         const WatchOptions &options)
    : watch_(storage.space().pull(base, std::move(ready), options)) {}

} // namespace omnistore
