// SPDX-License-Identifier: Apache-2.0
// Events: what is told of own writes, and the watches of the stores behind the mounts. Those run while a watch of the
// storage wants to hear of a mount, one for each mount, over the keys that are wanted.
#include <algorithm>
#include <iterator>
#include <map>

#include <spdlog/spdlog.h>

#include "storage/key.hpp"
#include "storage/storage_impl.hpp"

namespace omnistore {
namespace {

/// The longest base that both lie under.
std::string common_base(std::string_view a, std::string_view b) {
  const auto [end, other] = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
  const std::string_view same = a.substr(0, end - a.begin());
  const std::size_t colon = same.rfind(':');
  return std::string(colon == same.npos ? std::string_view() : same.substr(0, colon + 1));
}

/// The base inside a mount's store that holds what a watch of `wanted` can be told of.
std::string watched_base(const Mount &mount, std::string_view wanted) {
  if (std::string_view(mount.base).starts_with(wanted) || wanted.size() <= mount.base.size()) return mount.prefix;
  const std::string_view inside = wanted.substr(mount.base.size());
  const std::size_t colon = inside.rfind(':'); // the key `wanted` itself lies in the base above it
  return mount.prefix + std::string(colon == inside.npos ? std::string_view() : inside.substr(0, colon + 1));
}

} // namespace

Storage::Impl::Backend::Backend(Impl &storage, Hold watched, std::string keys)
    : omnistore_watcher{sizeof(omnistore_watcher), 0, event_}, impl(storage), mount(std::move(watched)),
      base(std::move(keys)) {
  mount->watches.fetch_add(1, std::memory_order_relaxed);
  HostCall call;
  const omnistore_watch_request request{sizeof request, 0, bytes(base)};
  mount->node->watch(&call, request, this, &watch);
}

Storage::Impl::Backend::~Backend() {
  mount->tells_own.store(false);
  mount->node->unwatch(watch);
  mount->watches.fetch_sub(1, std::memory_order_relaxed);
}

void Storage::Impl::Backend::event_(omnistore_watcher *watcher, const omnistore_event *event) {
  const Backend &self = *static_cast<Backend *>(watcher);
  self.impl.store_changed(*self.mount, *event);
}

void Storage::Impl::publish_key(Event::Type type, Event::Cause cause, std::string_view key) {
  // A change of the meta is a change of what is known of its key.
  const bool is_meta = key.ends_with('$');
  if (is_meta && type == Event::Type::remove && cause != Event::Cause::removed) return; // it went with its value
  if (is_meta) key.remove_suffix(1);
  if (!key.empty()) hub.publish(is_meta ? Event::Type::update : type, is_meta ? Event::Cause::none : cause, key);
}

void Storage::Impl::store_changed(const Mount &mount, const omnistore_event &event) {
  if (event.type == OMNISTORE_EVENT_RESYNC) return hub.lost(mount.mountpoint, event.count);
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
                                                              : Event::Cause::removed;
  publish_key(Event::Type::remove, cause, key);
}

void Storage::Impl::tell_limits(const std::map<std::string, std::vector<const Mount *>> &reach) {
  std::vector<Hub::Limit> limits;
  for (const auto &backend : backends_) {
    const Mount &mount = *backend->mount;
    for (const Node::WatchLimit &limit : backend->limits)
      limits.push_back(
          {&mount, failure("watch", {}, mount, "the changes that others make are not reported: " + limit.cause)});
  }
  for (const Hub::Limit &limit : limits)
    if (std::find(limits_.begin(), limits_.end(), limit) == limits_.end()) spdlog::warn("{}", limit.message);
  limits_ = std::move(limits);
  for (const auto &[base, mounts] : reach) {
    std::vector<Hub::Limit> here;
    std::copy_if(limits_.begin(), limits_.end(), std::back_inserter(here), [&, &within = mounts](const auto &limit) {
      return std::find(within.begin(), within.end(), limit.mount) != within.end();
    });
    hub.limit(base, here);
  }
}

void Storage::Impl::rewatch() {
  std::map<const Mount *, std::string> wanted;
  const std::shared_ptr<const MountTable> mounted = kept_table();
  std::map<std::string, std::vector<const Mount *>> reach;
  std::vector<const Mount *> of_new; // mounts that a watch wants that has just begun
  for (const auto &[base, has_begun] : hub.wanted()) {
    std::vector<const Mount *> mounts = mounted->spanned(base.empty() ? base : base + ':');
    reach[base] = mounts;
    // The key of a mountpoint's own name lies in the mount above it, whose limits would say little of this watch.
    if (const Mount *holder = mounted->find(base); holder && std::count(mounts.begin(), mounts.end(), holder) == 0)
      mounts.push_back(holder);
    for (const Mount *mount : mounts) {
      if (!mount->node) continue;
      if (has_begun) of_new.push_back(mount);
      const std::string inner = watched_base(*mount, base);
      const auto [at, is_new] = wanted.try_emplace(mount, inner);
      if (!is_new) at->second = common_base(at->second, inner);
    }
  }
  std::vector<std::unique_ptr<Backend>> kept;
  for (auto &[mount, base] : wanted) {
    const auto known = std::find_if(backends_.begin(), backends_.end(), [mount = mount](const auto &backend) {
      return backend && &*backend->mount == mount;
    });
    const bool covered = known != backends_.end() && std::string_view(base).starts_with((*known)->base) &&
                         !((*known)->refused() && std::count(of_new.begin(), of_new.end(), mount) != 0);
    if (covered)
      kept.push_back(std::move(*known));
    else if (Hold held = hold(*mount, Hold::anywhere)) // else it was taken out meanwhile, and this is called again
      // The wider one begins before the narrower ends (below): a change may be told twice, and none is lost.
      kept.push_back(std::make_unique<Backend>(*this, std::move(held), base));
  }
  backends_.swap(kept);
  for (auto &backend : kept) // a store that was taken out may take any time to end its watch
    if (backend && !hold(*backend->mount)) end_backend(std::move(backend));
  kept.clear();
  for (const auto &backend : backends_) {
    backend->mount->tells_own.store(backend->mount->node->tells_own(backend->watch));
    backend->limits.clear();
    backend->mount->node->add_limits(backend->limits);
  }
  tell_limits(reach);
}

Watch Storage::Impl::watch(std::string_view in, std::string_view base, std::function<void(const Event &)> callback,
                           const WatchOptions &options) {
  std::string normal = std::string(in) + normal_base(base);
  if (!normal.empty()) normal.pop_back();
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

Watch Storage::watch(std::string_view base, std::function<void(const Event &)> callback, const WatchOptions &options) {
  return impl_->watch({}, base, std::move(callback), options);
}

} // namespace omnistore
