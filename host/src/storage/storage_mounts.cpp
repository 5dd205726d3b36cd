// SPDX-License-Identifier: Apache-2.0
// The mounts as they change: opening, mounting and unmounting, and a reload of the config.
#include <algorithm>
#include <exception>
#include <future>
#include <optional>

#include <spdlog/spdlog.h>

#include "base/clock.hpp"
#include "base/printable.hpp"
#include "storage/changes.hpp"
#include "storage/key.hpp"
#include "storage/key_space.hpp"
#include "storage/plan.hpp"

namespace omnistore {
namespace {

using Clock = std::chrono::steady_clock;

std::string with_colon(std::string_view normal) { return normal.empty() ? std::string() : std::string(normal) + ':'; }

MountDefaults defaults_of(const Config &config) { return {with_colon(config.prefix), config.ttl}; }

/// Every mount's plan. Throws ConfigError with all that is wrong.
std::vector<Plan> plans_of(const Config &config, loader::Registry &registry) {
  std::vector<Problem> problems;
  std::vector<Plan> plans;
  const auto validations = Background::make();
  for (const auto &[mountpoint, mount] : config.mounts)
    plans.push_back(plan(mount.store, registry, mount.optional, problems, *validations));
  if (!problems.empty()) throw ConfigError(config.file, std::move(problems));
  return plans;
}

std::vector<std::shared_ptr<Mount>> mounts_of(const Config &config, loader::Registry &registry) {
  std::vector<Plan> plans = plans_of(config, registry);
  std::vector<std::shared_ptr<Mount>> mounts;
  auto next = plans.begin();
  for (const auto &[mountpoint, mount] : config.mounts)
    mounts.push_back(make_mount(normal_form(mountpoint), mount, std::move(*next++), defaults_of(config)));
  return mounts;
}

/// FNV-1a (Fowler, Noll, Vo), 32 bits.
std::uint32_t hash(std::string_view text, std::uint32_t value) {
  for (const char c : text) value = (value ^ static_cast<unsigned char>(c)) * 16777619u;
  return value;
}

std::uint32_t fingerprint(const Plan &plan, std::string_view prefix, std::uint32_t value = 2166136261u) {
  value = hash(plan.driver ? plan.driver->name : std::string(), value);
  value = hash(plan.options, hash(prefix, value));
  for (const Plan &child : plan.children) value = fingerprint(child, "layer", value);
  return value;
}

void sort(std::vector<MountChange> &changes) {
  std::sort(changes.begin(), changes.end(), [](const auto &a, const auto &b) { return a.mountpoint < b.mountpoint; });
}

bool same_plugins(const Plan &a, const Plan &b) {
  return a.driver == b.driver &&
         std::equal(a.children.begin(), a.children.end(), b.children.begin(), b.children.end(), same_plugins);
}

/// Returns a runtime mount over the present plugins, or null if it has these already or they cannot be used.
std::shared_ptr<Mount> renewed(const Mount &old, loader::Registry &plugins, const MountDefaults &defaults, bool warn) {
  std::vector<Problem> problems;
  Plan planned = plan(old.config.store, plugins, false, problems, *Background::make());
  if (warn)
    for (const Problem &problem : problems)
      spdlog::warn("mount {}: kept as it is, since its plugin was replaced by one that cannot be used: {}", old.shown(),
                   problem.text());
  if (!problems.empty() || same_plugins(planned, old.plan)) return nullptr;
  auto mount = make_mount(old.mountpoint, old.config, std::move(planned), defaults);
  mount->runtime = true;
  return mount;
}

/// Closes the stores of mounts that were in no table, and waits for that until the deadline.
void close_all(const std::vector<std::shared_ptr<Mount>> &mounts, Background &background, Clock::time_point deadline) {
  std::vector<std::future<void>> closed;
  for (const auto &mount : mounts) {
    if (!mount->store) continue;
    const auto done = std::make_shared<std::promise<void>>();
    closed.push_back(done->get_future());
    background.submit({nullptr, [store = mount->store, done] {
                         store->close();
                         done->set_value();
                       }});
  }
  for (auto &one : closed) one.wait_until(deadline);
}

} // namespace

std::shared_ptr<Mount> make_mount(const std::string &mountpoint, const MountConfig &config, Plan plan,
                                  const MountDefaults &defaults) {
  auto mount = std::make_shared<Mount>();
  mount->mountpoint = mountpoint;
  mount->base = with_colon(mountpoint);
  mount->prefix = config.prefix ? with_colon(*config.prefix) : defaults.prefix;
  mount->ttl = config.ttl.value_or(defaults.ttl);
  mount->read_only = config.read_only;
  mount->config = config;
  mount->plan = std::move(plan);
  mount->fingerprint = fingerprint(mount->plan, mount->prefix);
  return mount;
}

std::vector<MountChange> changes_between(const Config &now, const Config &next) {
  loader::Registry plugins(loader::search_paths(now));
  const MountTable table(mounts_of(now, plugins));
  loader::Registry next_plugins(loader::search_paths(next), &plugins);
  std::vector<MountChange> changes;
  std::vector<std::shared_ptr<Mount>> wanted = mounts_of(next, next_plugins);
  for (const auto &mount : wanted) changes.push_back(change_of(table.at(mount->mountpoint).get(), true, *mount));
  const MountTable next_table(std::move(wanted));
  for (const auto &mount : table.mounts())
    if (!next_table.at(mount->mountpoint))
      changes.push_back({MountChange::Kind::removed, mount->mountpoint, mount->config.store.driver, {}, true});
  sort(changes);
  return changes;
}

// ----------------------------------------------------------------------------------------------------------------
// One change at a time for each mountpoint

/// Makes a change known while it lives.
class KeySpace::Claim {
public:
  /// Throws Error(unavailable) if another change of one of the mountpoints does not end in time, or if the storage was
  /// closed.
  Claim(KeySpace &space, std::string what, std::set<std::string> points, const ChangeOptions &options) : space_(space) {
    std::unique_lock lock(space_.mounting_);
    const auto others = [&] {
      return std::find_if(space_.changes_.begin(), space_.changes_.end(), [&](const Change &known) {
        return std::any_of(points.begin(), points.end(), [&](auto &point) { return known.points.contains(point); });
      });
    };
    const auto is_free = [&] { return space_.closed_ || others() == space_.changes_.end(); };
    const auto now = Clock::now();
    const auto until = std::min(options.deadline, now + options.patience);
    if (options.patience.count() < 0)
      space_.changed_.wait(lock, is_free);
    else if (!space_.changed_.wait_until(lock, until, is_free))
      throw Error(Status::unavailable, what + ": " + shown(*others()) + "; nothing was changed, try again later");
    if (space_.closed_) throw Error(Status::unavailable, what + ": the storage was closed");
    change_ = space_.changes_.insert(space_.changes_.end(),
                                     Change{std::move(what), std::move(points), now, options.deadline});
  }
  ~Claim() {
    {
      const std::lock_guard lock(space_.mounting_);
      space_.changes_.erase(change_);
    }
    space_.changed_.notify_all();
  }
  Claim(const Claim &) = delete;
  Claim &operator=(const Claim &) = delete;
  Change &change() { return *change_; }

private:
  static std::string shown(const Change &change) {
    std::string text = "another change (" + change.what + ") has run for " + seconds_text(Clock::now() - change.since);
    return change.opens.empty() ? text : text + " and opens a store (" + change.opens + ")";
  }

  KeySpace &space_;
  std::list<Change>::iterator change_;
};

/// The changes of the mounts.
struct KeySpace::Wanted {
  std::vector<MountChange> changes; ///< by mountpoint
  Mounts mounts;                    ///< without those that were mounted at run time and stay as they are
  std::vector<std::shared_ptr<Mount>> to_open;
  std::vector<std::string> changed; ///< mountpoints
};

// ----------------------------------------------------------------------------------------------------------------
// KeySpace

KeySpace::KeySpace(const Config &config, std::shared_ptr<loader::Registry> plugins)
    : hub(*this), registry_(std::move(plugins)), defaults_(defaults_of(config)), open_timeout_(config.open_timeout) {
  Mounts mounts = mounts_of(config, *registry_);
  try {
    for (const auto &mount : mounts) open(mount, mount->config.optional, nullptr);
  } catch (...) {
    close_all(mounts, *background_, Clock::now() + open_timeout());
    throw;
  }
  for (const auto &mount : mounts)
    if (mount->store) ++mount->store->mounts;
  current_ = std::make_shared<const MountTable>(std::move(mounts));
  table_.store(current_.get(), std::memory_order_release);
  op_log.configure(config.log.slow);
}

void KeySpace::open(const std::shared_ptr<Mount> &mount, bool may_fail, Change *change) {
  if (change) {
    const std::lock_guard lock(mounting_);
    change->opens = "mount " + base::printable(mount->shown()) + ", driver " + mount->config.store.driver;
  }
  const auto try_open = [&]() -> std::optional<Error> {
    try {
      mount->store = open_store(mount, change ? change->deadline : Clock::time_point::max());
      return std::nullopt;
    } catch (const Error &error) {
      return error;
    }
  };
  std::optional<Error> failed = try_open();
  std::string why;
  if (failed && failed->status() != Status::timeout && await_same_driver(*mount, why)) failed = try_open();
  if (!failed) return;
  mount->reason = failed->what() + why;
  const std::string message = failure("open", {}, *mount, mount->reason);
  if (!may_fail) throw Error(failed->status(), message);
  spdlog::warn("{}; the host continues without this mount", message);
}

/// Opens the store on another thread. If it takes too long, its thread closes it when it has opened after all.
std::shared_ptr<Store> KeySpace::open_store(const std::shared_ptr<Mount> &mount, Clock::time_point limit) {
  struct Opening {
    std::mutex mutex;
    std::condition_variable ended;
    bool done = false;
    std::optional<Drains::At> given_up;
    std::shared_ptr<Store> store;
    std::exception_ptr failed;
  };
  constexpr std::chrono::seconds grace{1}; // for a driver that keeps to its deadline, and says why
  const auto opening = std::make_shared<Opening>();
  const auto began = Clock::now();
  const auto deadline = std::min(began + open_timeout(), limit == Clock::time_point::max() ? limit : limit - grace);
  // Nothing of this object: it may be gone when a store opens that was given up.
  background_->submit({nullptr, [tasks = tasks, drains = drains_, opening, mount, deadline] {
                         std::shared_ptr<Store> store;
                         std::exception_ptr failed;
                         try {
                           store = Store::open(mount->plan, tasks, std::string(mount->shown()), deadline);
                         } catch (...) {
                           failed = std::current_exception();
                         }
                         std::unique_lock lock(opening->mutex);
                         opening->done = true;
                         if (opening->given_up) {
                           lock.unlock();
                           store.reset();
                           return drains->end(*opening->given_up);
                         }
                         opening->store = std::move(store);
                         opening->failed = std::move(failed);
                         opening->ended.notify_all();
                       }});
  std::unique_lock lock(opening->mutex);
  if (opening->ended.wait_until(lock, deadline + grace, [&] { return opening->done; })) {
    if (opening->failed) std::rethrow_exception(opening->failed);
    return std::move(opening->store);
  }
  opening->given_up = drains_->begin(DrainingStore::State::opening, *mount, nullptr);
  throw Error(Status::timeout,
              "the store is not open after " + seconds_text(Clock::now() - began) +
                  " (the limits are openTimeout and the request's); it is closed if it opens after all");
}

void KeySpace::retire_unused(const Mounts &mounts) {
  for (const auto &mount : mounts) {
    if (!mount->store) continue;
    ++mount->store->mounts;
    retire(mount, false);
  }
}

void KeySpace::discard(const Mounts &mounts) {
  retire_unused(mounts);
  throw Error(Status::unavailable, "the storage was closed meanwhile");
}

void KeySpace::publish_table(Mounts mounts, const std::vector<std::string> &changed) {
  const auto next = std::make_shared<const MountTable>(std::move(mounts));
  for (const auto &mount : next->mounts())
    if (mount->store && !current_->has(*mount)) ++mount->store->mounts;
  table_.store(next.get(), std::memory_order_seq_cst);
  const std::shared_ptr<const MountTable> old = std::exchange(current_, next);
  epoch.synchronize(); // nobody looks anything up in the old one any more
  for (const auto &mount : old->mounts()) {
    if (next->has(*mount)) continue;
    const std::shared_ptr<Mount> successor = next->at(mount->mountpoint);
    retire(mount, successor && successor->store == mount->store);
  }
  std::vector<std::string> shared;
  for (const std::string &mountpoint : changed) {
    if (!hub.active()) break;
    hub.lost(mountpoint, 0);
    const std::shared_ptr<Mount> mount = next->at(mountpoint);
    if (mount && mount->store && mount->store->traits().capabilities & OMNISTORE_SHARED) shared.push_back(mountpoint);
  }
  background_->submit({nullptr, [this, shared] {
                         hub.refresh(); // no watch is left on an old store
                         // Changes that others made in the new store before its watch began were not seen.
                         for (const std::string &mountpoint : shared) hub.lost(mountpoint, 0);
                       }});
}

bool KeySpace::replace(const std::string &mountpoint, const MountConfig *config, const ChangeOptions &options) {
  Claim claim(*this, (config ? "mount " : "unmount ") + base::printable(mountpoint.empty() ? "/" : mountpoint),
              {mountpoint}, options);
  std::shared_ptr<Mount> mount;
  const std::shared_ptr<Mount> old = current()->at(mountpoint); // it stays, since the mountpoint is claimed
  if (!config && !old) return false;
  if (config) {
    std::vector<Problem> problems;
    Plan planned = plan(config->store, *registry(), config->optional, problems, *Background::make());
    if (!problems.empty()) throw ConfigError("mount " + mountpoint, std::move(problems));
    MountDefaults defaults;
    {
      const std::lock_guard lock(mounting_);
      defaults = defaults_;
    }
    mount = make_mount(mountpoint, *config, std::move(planned), defaults);
    mount->runtime = true;
    open(mount, config->optional && !old, &claim.change());
  }
  const std::lock_guard lock(mounting_);
  if (closed_) discard(mount ? Mounts{mount} : Mounts());
  Mounts mounts = current_->mounts();
  std::erase(mounts, old);
  if (mount) mounts.push_back(std::move(mount));
  publish_table(std::move(mounts), {mountpoint});
  return old != nullptr;
}

KeySpace::Wanted KeySpace::wanted_of(const Config &config, loader::Registry &plugins, const MountTable &now,
                                     const std::set<std::string> *claimed) {
  const MountDefaults defaults = defaults_of(config);
  Wanted wanted;
  for (auto &mount : mounts_of(config, plugins)) {
    const std::shared_ptr<Mount> old = now.at(mount->mountpoint);
    wanted.changes.push_back(change_of(old.get(), old && old->store, *mount));
    const MountChange &change = wanted.changes.back();
    if (!change.changed && !old->runtime) {
      wanted.mounts.push_back(old);
      continue;
    }
    wanted.changed.push_back(mount->mountpoint);
    if (change.kind == MountChange::Kind::kept)
      mount->store = old->store;
    else
      wanted.to_open.push_back(mount);
    wanted.mounts.push_back(std::move(mount));
  }
  for (const auto &old : now.mounts()) {
    const bool stays = std::any_of(wanted.mounts.begin(), wanted.mounts.end(),
                                   [&](const auto &mount) { return mount->mountpoint == old->mountpoint; });
    if (stays) continue;
    const bool may_change = old->runtime && (!claimed || claimed->contains(old->mountpoint));
    if (auto again = may_change ? renewed(*old, plugins, defaults, true) : nullptr) {
      wanted.changes.push_back(change_of(old.get(), old->store != nullptr, *again));
      wanted.changed.push_back(old->mountpoint);
      wanted.to_open.push_back(again);
      wanted.mounts.push_back(std::move(again));
      continue;
    }
    wanted.changes.push_back({old->runtime ? MountChange::Kind::kept : MountChange::Kind::removed, old->mountpoint,
                              old->config.store.driver, old->runtime ? runtime_detail : std::string(), !old->runtime});
    if (!old->runtime) wanted.changed.push_back(old->mountpoint);
  }
  sort(wanted.changes);
  return wanted;
}

std::vector<MountChange> KeySpace::diff(const Config &config, loader::Registry &plugins) const {
  return wanted_of(config, plugins, *current(), nullptr).changes;
}

std::vector<MountChange> KeySpace::reload(const Config &config, std::shared_ptr<loader::Registry> plugins,
                                          const ChangeOptions &options) {
  // Every mount but those that were mounted at run time and stay: these may be changed while stores are opened here.
  std::set<std::string> points;
  for (const auto &[mountpoint, mount] : config.mounts) points.insert(normal_form(mountpoint));
  std::shared_ptr<const MountTable> now = current();
  for (const auto &mount : now->mounts())
    if (!mount->runtime || renewed(*mount, *plugins, defaults_of(config), false)) points.insert(mount->mountpoint);
  Claim claim(*this, "reload", points, options);
  now = current();
  Wanted wanted = wanted_of(config, *plugins, *now, &points);
  try {
    for (const auto &mount : wanted.to_open) {
      const std::shared_ptr<Mount> old = now->at(mount->mountpoint);
      open(mount, mount->config.optional && !(old && old->store), &claim.change());
    }
  } catch (...) {
    retire_unused(wanted.to_open);
    throw;
  }
  const std::lock_guard lock(mounting_);
  if (closed_) discard(wanted.to_open);
  std::set<std::string> known;
  for (const auto &mount : wanted.mounts) known.insert(mount->mountpoint);
  for (const auto &mount : current_->mounts())
    if (mount->runtime && !known.contains(mount->mountpoint)) wanted.mounts.push_back(mount);
  registry_ = std::move(plugins);
  defaults_ = defaults_of(config);
  open_timeout_ = std::chrono::milliseconds(config.open_timeout);
  publish_table(std::move(wanted.mounts), wanted.changed);
  op_log.configure(config.log.slow);
  return std::move(wanted.changes);
}

// ----------------------------------------------------------------------------------------------------------------
// Storage

bool Storage::mount(std::string_view mountpoint, const MountConfig &config, const ChangeOptions &options) {
  const std::string point = normal_form(mountpoint);
  if (!point.empty()) Key check(point);
  return space().replace(point, &config, options);
}

bool Storage::unmount(std::string_view mountpoint, const ChangeOptions &options) {
  return space().replace(normal_form(mountpoint), nullptr, options);
}

std::vector<MountChange> Storage::reload(const Config &config) {
  return reload(config, std::make_shared<loader::Registry>(loader::search_paths(config), plugins().get()));
}
std::vector<MountChange> Storage::reload(const Config &config, std::shared_ptr<loader::Registry> plugins,
                                         const ChangeOptions &options) {
  return space().reload(config, std::move(plugins), options);
}
std::vector<MountChange> Storage::diff(const Config &config) const {
  loader::Registry found(loader::search_paths(config), plugins().get());
  return space().diff(config, found);
}
std::shared_ptr<loader::Registry> Storage::plugins() const { return space().registry(); }

} // namespace omnistore
