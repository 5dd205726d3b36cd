// SPDX-License-Identifier: Apache-2.0
// Stores that were taken out of the mounts: they are closed when their last operation has ended, and nobody waits for
// that who does not want to.
#include <algorithm>
#include <future>

#include <spdlog/spdlog.h>

#include "base/clock.hpp"
#include "base/printable.hpp"
#include "storage/key.hpp"
#include "storage/key_space.hpp"

namespace omnistore {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

/// How long a store that does not open waits for one of the same driver that drains.
constexpr milliseconds moment{1000};

std::string counted(std::uint64_t count, const char *one, const char *more) {
  return std::to_string(count) + " " + (count == 1 ? one : more);
}

} // namespace

std::string DrainingStore::waits_for() const {
  if (state == State::opening) return "its open, for " + seconds_text(age);
  if (state == State::closing) return "its close";
  std::string text;
  if (calls != 0) {
    text = counted(calls, "call", "calls");
    if (!running.empty()) {
      text += " (" + running.front().operation + " for " + seconds_text(running.front().age);
      text += running.size() > 1 ? ", ...)" : ")";
    }
  }
  if (readers != 0 && calls == 0) // they read what the store has lent
    text = counted(readers, "value", "values") + " that a client reads";
  else if (readers != 0)
    text += ", of which " + std::to_string(readers) + (readers == 1 ? " waits" : " wait") + " for a client";
  if (watches != 0) text += (text.empty() ? "" : ", ") + counted(watches, "watch", "watches");
  return text.empty() ? "nothing" : text;
}

KeySpace::Drains::At KeySpace::Drains::begin(DrainingStore::State state, const Mount &mount,
                                             std::shared_ptr<Store> store) {
  const std::lock_guard lock(mutex);
  return all.insert(all.end(),
                    One{++last_id, state, mount.mountpoint, mount.config.store.driver, Clock::now(), std::move(store)});
}

void KeySpace::Drains::end(At which) {
  std::list<One> one; // its store goes outside the lock
  {
    const std::lock_guard lock(mutex);
    one.splice(one.end(), all, which);
  }
  ended.notify_all();
}

void KeySpace::retire(const std::shared_ptr<Mount> &mount, bool stays) {
  if (!mount->store) return;
  {
    const std::lock_guard lock(drains_->mutex);
    drains_->retired.push_back(mount);
  }
  if (!stays) drains_->begin(DrainingStore::State::in_use, *mount, mount->store);
  background_->submit(
      {[mount] { return mount->users.count() == 0 && mount->store->lent() == 0; }, [this, mount] { left(mount); }});
}

void KeySpace::left(const std::shared_ptr<Mount> &mount) {
  Drains::At at;
  {
    const std::lock_guard lock(drains_->mutex);
    std::erase(drains_->retired, mount);
    if (--mount->store->mounts != 0) return;
    at = std::find_if(drains_->all.begin(), drains_->all.end(), [&](auto &one) { return one.store == mount->store; });
    at->state = DrainingStore::State::closing;
  }
  mount->store->close();
  const auto took = std::chrono::duration_cast<milliseconds>(Clock::now() - at->since);
  if (took > moment)
    spdlog::info("{} (driver {}): closed, {} after it was taken out", base::printable(mount->shown()),
                 mount->config.store.driver, seconds_text(took));
  drains_->end(at);
}

DrainingStore KeySpace::shown(const Drains::One &one, const Mounts &retired) const {
  DrainingStore store;
  store.id = one.id;
  store.mountpoint = one.mountpoint;
  store.driver = one.driver;
  store.state = one.state;
  store.age = std::chrono::duration_cast<milliseconds>(Clock::now() - one.since);
  if (!one.store) return store;
  store.store = one.store->id();
  std::uint64_t users = 0;
  for (const auto &mount : retired) {
    if (mount->store != one.store) continue;
    users += mount->users.count();
    store.watches += mount->watches.load(std::memory_order_relaxed);
  }
  store.watches = std::min(store.watches, users);
  store.calls = users - store.watches;
  for (const Watchdog::Running &call : watchdog->running([&](const auto &label) { return one.store->is_of(label); })) {
    store.running.push_back(
        {call.operation, std::chrono::duration_cast<milliseconds>(call.age), call.waits_for_client});
    if (call.waits_for_client) ++store.readers;
  }
  store.readers += one.store->lent();
  std::sort(store.running.begin(), store.running.end(), [](const auto &a, const auto &b) { return a.age > b.age; });
  return store;
}

std::vector<DrainingStore> KeySpace::draining() const {
  std::vector<Drains::One> all;
  Mounts retired;
  {
    const std::lock_guard lock(drains_->mutex);
    all.assign(drains_->all.begin(), drains_->all.end());
    retired = drains_->retired;
  }
  std::vector<DrainingStore> stores;
  for (const Drains::One &one : all) stores.push_back(shown(one, retired));
  return stores;
}

bool KeySpace::wait_closed(const std::string *mountpoint, milliseconds timeout) const {
  std::unique_lock lock(drains_->mutex);
  const auto closed = [&] {
    return std::none_of(drains_->all.begin(), drains_->all.end(),
                        [&](const Drains::One &one) { return !mountpoint || one.mountpoint == *mountpoint; });
  };
  if (timeout != milliseconds::max()) return drains_->ended.wait_for(lock, timeout, closed);
  drains_->ended.wait(lock, closed);
  return true;
}

bool KeySpace::await_same_driver(const Mount &mount, std::string &why) const {
  const auto is_same = [&](const auto &one) {
    return one.driver == mount.config.store.driver || one.mountpoint == mount.mountpoint;
  };
  std::size_t before = 0;
  {
    std::unique_lock lock(drains_->mutex);
    const auto count = [&] {
      return static_cast<std::size_t>(std::count_if(drains_->all.begin(), drains_->all.end(), is_same));
    };
    before = count();
    if (before == 0) return false;
    if (drains_->ended.wait_for(lock, moment, [&] { return count() < before; })) return true;
  }
  for (const DrainingStore &store : draining())
    if (is_same(store))
      why += "; the store of " + store.driver + " that was mounted at " +
             (store.mountpoint.empty() ? "the root" : store.mountpoint) +
             " is not closed yet and may hold what this one needs: it waits for " + store.waits_for();
  return false;
}

/// Ends the watches of the storage, then those of its stores.
void KeySpace::end_watches() {
  hub.stop(); // callbacks may use the storage
  const std::lock_guard lock(watching_);
  spans_.clear();
  for (const auto &[mount, watched] : std::exchange(watched_, {})) {
    watched->bases.clear();
    // If a thread is at it, that one sees to it.
    if (!watched->busy && watched->backend) end_backend(std::move(watched->backend));
  }
}

void KeySpace::end_backend(std::unique_ptr<Backend> backend) {
  background_->submit({nullptr, [ending = std::shared_ptr<Backend>(std::move(backend))]() mutable { ending.reset(); }});
}

void KeySpace::close(Clock::time_point deadline) {
  bool first = false;
  {
    const std::lock_guard lock(mounting_);
    first = !closed_.exchange(true);
  }
  changed_.notify_all();
  if (first) {
    const auto ended = std::make_shared<std::promise<void>>();
    std::future<void> watches = ended->get_future();
    background_->submit({nullptr, [this, ended] {
                           end_watches();
                           ended->set_value();
                         }});
    if (deadline == Clock::time_point::max())
      watches.wait();
    else
      watches.wait_until(Clock::now() + (deadline - Clock::now()) / 2); // the stores need some of the time too
    const std::lock_guard lock(mounting_);
    publish_table({}, {});
  }
  background_->wait_until(deadline);
}

std::vector<DrainingStore> Storage::draining() const { return space().draining(); }
bool Storage::wait_closed(milliseconds timeout) const { return space().wait_closed(nullptr, timeout); }
bool Storage::wait_closed(std::string_view mountpoint, milliseconds timeout) const {
  const std::string point = normal_form(mountpoint);
  return space().wait_closed(&point, timeout);
}
std::vector<DrainingStore> Storage::close(milliseconds patience) {
  space().close(Clock::now() + patience);
  return space().draining();
}

} // namespace omnistore
