// SPDX-License-Identifier: Apache-2.0
// The mounts as they change: opening, mounting and unmounting, and a reload of the config.
#include <algorithm>

#include <spdlog/spdlog.h>

#include "storage/changes.hpp"
#include "storage/key.hpp"
#include "storage/plan.hpp"
#include "storage/storage_impl.hpp"

namespace omnistore {
namespace {

std::string with_colon(std::string_view normal) { return normal.empty() ? std::string() : std::string(normal) + ':'; }

MountDefaults defaults_of(const Config &config) { return {with_colon(config.prefix), config.ttl}; }

std::shared_ptr<Mount> mount_at(const MountTable &table, const std::string &mountpoint) {
  const auto &mounts = table.mounts();
  const auto at =
      std::find_if(mounts.begin(), mounts.end(), [&](const auto &known) { return known->mountpoint == mountpoint; });
  return at == mounts.end() ? nullptr : *at;
}

/// Every mount's plan. Throws ConfigError with all that is wrong.
std::vector<Plan> plans_of(const Config &config, loader::Registry &registry) {
  std::vector<Problem> problems;
  std::vector<Plan> plans;
  for (const auto &[mountpoint, mount] : config.mounts)
    plans.push_back(plan(mount.store, registry, mount.optional, problems));
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

/// A runtime mount over the plugins that there are now; null: they are the ones that it has, or cannot be used.
std::shared_ptr<Mount> renewed(const Mount &old, loader::Registry &plugins, const MountDefaults &defaults) {
  std::vector<Problem> problems;
  Plan planned = plan(old.config.store, plugins, false, problems);
  for (const Problem &problem : problems)
    spdlog::warn("mount {}: kept as it is, since its plugin was replaced by one that cannot be used: {}", old.shown(),
                 problem.text());
  if (!problems.empty() || same_plugins(planned, old.plan)) return nullptr;
  auto mount = make_mount(old.mountpoint, old.config, std::move(planned), defaults);
  mount->runtime = true;
  return mount;
}

loader::SearchPaths paths_of(const Config &config) { return {config.plugin_paths, config.pins}; }

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
  loader::Registry plugins(paths_of(now));
  const MountTable table(mounts_of(now, plugins));
  loader::Registry next_plugins(paths_of(next), &plugins);
  std::vector<MountChange> changes;
  std::vector<std::shared_ptr<Mount>> wanted = mounts_of(next, next_plugins);
  for (const auto &mount : wanted) changes.push_back(change_of(mount_at(table, mount->mountpoint).get(), true, *mount));
  const MountTable next_table(std::move(wanted));
  for (const auto &mount : table.mounts())
    if (!mount_at(next_table, mount->mountpoint))
      changes.push_back({MountChange::Kind::removed, mount->mountpoint, mount->config.store.driver, {}, true});
  sort(changes);
  return changes;
}

Storage::Impl::Impl(const Config &config, std::shared_ptr<loader::Registry> plugins)
    : hub(*this), registry_(std::move(plugins)), defaults_(defaults_of(config)) {
  std::vector<std::shared_ptr<Mount>> mounts = mounts_of(config, *registry_);
  for (const auto &mount : mounts) open(*mount, mount->config.optional);
  current_ = std::make_unique<MountTable>(std::move(mounts));
  table_.store(current_.get(), std::memory_order_release);
  op_log.configure(config.log.slow);
}

Storage::Impl::~Impl() {
  hub.stop(); // callbacks may use the storage
  watched_.clear();
  epoch.synchronize();
}

void Storage::Impl::open(Mount &mount, bool may_fail) {
  try {
    mount.node = Node::open(mount.plan, tasks, std::string(mount.shown()));
  } catch (const Error &error) {
    mount.reason = error.what();
    const std::string message = failure("open", {}, mount, error.what());
    if (!may_fail) throw Error(error.status(), message);
    spdlog::warn("{}; the host goes on without this mount", message);
  }
}

std::future<void> Storage::Impl::publish_table(std::vector<std::shared_ptr<Mount>> mounts,
                                               const std::vector<std::string> &changed) {
  auto next = std::make_unique<MountTable>(std::move(mounts));
  table_.store(next.get(), std::memory_order_seq_cst);
  std::shared_ptr<const MountTable> old = std::move(current_); // in a function that can be copied
  current_ = std::move(next);
  hub.refresh(); // no watch is left on an old store
  if (hub.active())
    for (const std::string &mountpoint : changed) hub.lost(mountpoint, 0);
  return closer_.submit([this, old = std::move(old)]() mutable {
    epoch.synchronize();
    old.reset(); // closes the stores that no other table has
  });
}

bool Storage::Impl::replace(const std::string &mountpoint, const MountConfig *config) {
  std::future<void> closed;
  bool had = false;
  {
    const std::lock_guard lock(mounting_);
    std::vector<std::shared_ptr<Mount>> mounts = current_->mounts();
    had = std::erase_if(mounts, [&](const auto &known) { return known->mountpoint == mountpoint; }) != 0;
    if (config) {
      std::vector<Problem> problems;
      Plan planned = plan(config->store, *registry(), config->optional, problems);
      if (!problems.empty()) throw ConfigError("mount " + mountpoint, std::move(problems));
      mounts.push_back(make_mount(mountpoint, *config, std::move(planned), defaults_));
      mounts.back()->runtime = true;
      open(*mounts.back(), config->optional && !had);
    } else if (!had) {
      return false;
    }
    closed = publish_table(std::move(mounts), {mountpoint});
  }
  closed.wait();
  return had;
}

std::vector<MountChange> Storage::Impl::reload(const Config &config, std::shared_ptr<loader::Registry> plugins,
                                               bool apply) {
  const std::lock_guard lock(mounting_);
  const MountDefaults defaults = defaults_of(config);
  std::vector<MountChange> changes;
  std::vector<std::shared_ptr<Mount>> mounts;
  std::vector<Mount *> to_open;
  std::vector<std::string> changed;
  for (auto &mount : mounts_of(config, *plugins)) {
    const std::shared_ptr<Mount> old = mount_at(*current_, mount->mountpoint);
    changes.push_back(change_of(old.get(), old && old->node, *mount));
    const MountChange &change = changes.back();
    if (!change.changed && !old->runtime) {
      mounts.push_back(old);
      continue;
    }
    changed.push_back(mount->mountpoint);
    if (change.kind == MountChange::Kind::kept)
      mount->node = old->node;
    else
      to_open.push_back(mount.get());
    mounts.push_back(std::move(mount));
  }
  for (const auto &old : current_->mounts()) {
    const bool stays = std::any_of(mounts.begin(), mounts.end(),
                                   [&](const auto &mount) { return mount->mountpoint == old->mountpoint; });
    if (stays) continue;
    if (auto again = old->runtime ? renewed(*old, *plugins, defaults) : nullptr) {
      changes.push_back(change_of(old.get(), old->node != nullptr, *again));
      changed.push_back(old->mountpoint);
      to_open.push_back(again.get());
      mounts.push_back(std::move(again));
      continue;
    }
    changes.push_back({old->runtime ? MountChange::Kind::kept : MountChange::Kind::removed, old->mountpoint,
                       old->config.store.driver, old->runtime ? runtime_detail : std::string(), !old->runtime});
    if (old->runtime)
      mounts.push_back(old);
    else
      changed.push_back(old->mountpoint);
  }
  sort(changes);
  if (!apply) return changes;

  for (Mount *mount : to_open) {
    const std::shared_ptr<Mount> old = mount_at(*current_, mount->mountpoint);
    open(*mount, mount->config.optional && !(old && old->node));
  }
  {
    const std::lock_guard registry_lock(registry_mutex_);
    registry_ = std::move(plugins);
  }
  defaults_ = defaults;
  publish_table(std::move(mounts), changed);
  op_log.configure(config.log.slow);
  return changes;
}

// ----------------------------------------------------------------------------------------------------------------
// Storage

bool Storage::mount(std::string_view mountpoint, const MountConfig &config) {
  const std::string point = normal_form(mountpoint);
  if (!point.empty()) Key check(point);
  return impl_->replace(point, &config);
}

bool Storage::unmount(std::string_view mountpoint) { return impl_->replace(normal_form(mountpoint), nullptr); }

std::vector<MountChange> Storage::reload(const Config &config) {
  return reload(config, std::make_shared<loader::Registry>(paths_of(config), plugins().get()));
}
std::vector<MountChange> Storage::reload(const Config &config, std::shared_ptr<loader::Registry> plugins) {
  return impl_->reload(config, std::move(plugins), true);
}
std::vector<MountChange> Storage::diff(const Config &config) const {
  return impl_->reload(config, std::make_shared<loader::Registry>(paths_of(config), plugins().get()), false);
}
std::shared_ptr<loader::Registry> Storage::plugins() const { return impl_->registry(); }

} // namespace omnistore
