// SPDX-License-Identifier: Apache-2.0
// Opening and closing, and the reports of the mounts.
#include <algorithm>

#include <spdlog/spdlog.h>

#include "base/clock.hpp"
#include "base/printable.hpp"
#include "storage/capabilities.hpp"
#include "storage/key.hpp"
#include "storage/key_space.hpp"
#include "storage/plan.hpp"

namespace omnistore {
namespace {

std::shared_ptr<loader::Registry> registry_for(const Config &config) {
  return std::make_shared<loader::Registry>(loader::search_paths(config));
}

} // namespace

std::string failure(std::string_view operation, std::string_view key, const Mount &mount, std::string_view cause,
                    omnistore_status status, bool changed_nothing) {
  constexpr std::string_view may_happen = "; it may still take place";
  std::string text(operation);
  if (!key.empty()) text.append(" ").append(base::printable(key));
  text.append(" (mount ")
      .append(base::printable(mount.shown()))
      .append(", driver ")
      .append(mount.config.store.driver)
      .append("): ");
  text.append(base::printable_lines(cause));
  const bool writes = operation == "set" || operation == "remove" || operation == "touch" || operation == "clear";
  // The store below may have said so: a host that is reached over HTTP does.
  const bool unknown = (status == OMNISTORE_TIMEOUT || status == OMNISTORE_CANCELLED) && !changed_nothing;
  if (writes && unknown && !text.ends_with(may_happen)) text.append(may_happen);
  return text;
}

void check_length(const char *operation, std::string_view shown, const Mount &mount, std::size_t inside) {
  const std::uint64_t most = mount.store->longest_key();
  if (inside <= most) return;
  std::string why = "the key has " + std::to_string(inside) + " bytes";
  if (!mount.prefix.empty())
    why += " with the prefix \"" + mount.prefix + "\" (" + std::to_string(mount.prefix.size()) + ")";
  why += "; the store takes at most " + std::to_string(most);
  constexpr std::size_t most_shown = 100;
  std::string name(shown.substr(0, most_shown));
  if (shown.size() > most_shown) name += "...";
  throw Error(Status::too_large, failure(operation, name, mount, why));
}

bool may_hold(const char *operation, std::string_view shown, const Mount &mount, std::string_view inner) {
  if (inner.size() <= mount.store->longest_key()) return true;
  check_length(operation, shown, mount, inner.size() - 1);
  return false;
}

// ----------------------------------------------------------------------------------------------------------------
// Route

KeySpace::Route::Route(const KeySpace &space, const char *operation, const Key &key)
    : timer_(space.op_log), operation_(operation), key_(key) {
  const Epoch::Guard guard(space.epoch);
  const Mount *mount = space.table().find(key.view());
  if (!mount) {
    if (space.is_closed()) throw Error(Status::unavailable, std::string(operation) + ": the storage was closed");
    std::string known;
    for (const auto &other : space.table().mounts())
      known += (known.empty() ? "" : ", ") + base::printable(other->mountpoint);
    throw Error(Status::invalid,
                std::string(operation) + " " + base::printable(key.shown()) +
                    ": no mount holds this key; the mountpoints are: " + (known.empty() ? "none" : known));
  }
  if (!mount->store) throw Error(Status::unavailable, failure(operation, key.shown(), *mount, mount->reason));
  mount_ = Hold(*mount);
}

void KeySpace::Route::log() const noexcept {
  constexpr std::pair<std::string_view, const char *> words[] = {
      {"get", "READ"}, {"set", "WRITE"}, {"remove", "REMOVE"}, {"touch", "TOUCH"}, {"has", "STAT"}, {"meta", "STAT"}};
  try {
    std::string what = operation_;
    for (const auto &[operation, word] : words)
      if (operation == operation_) what = word;
    if (outcome_) what.append(" ").append(outcome_);
    timer_.log(what, key_.view(), *mount_, error_);
  } catch (const std::exception &) { // nothing is lost but the line
  }
}

void KeySpace::Route::check_writable() const {
  if (mount_->read_only)
    throw Error(Status::read_only, failure(operation_, key_.shown(), *mount_, "the config mounts it read-only"));
}

void KeySpace::Route::raise(omnistore_status status, const HostCall &call) {
  outcome_ = "ERROR";
  if (timer_.runs()) error_ = call.cause(status);
  throw Error(to_status(status),
              failure(operation_, key_.shown(), *mount_, call.cause(status), status, call.nothing_done()),
              call.retry_after());
}

// --------------------------------------------------------------------------------------------------------------
// Storage

Storage::Storage(const Config &config) : Storage(config, registry_for(config)) {}
Storage::Storage(const Config &config, std::shared_ptr<loader::Registry> registry)
    : Storage(std::make_unique<KeySpace>(config, std::move(registry))) {}
Storage::Storage(std::unique_ptr<KeySpace> space) : View(*space), owned_(std::move(space)) {}
Storage::~Storage() = default;
Storage::Storage(Storage &&) noexcept = default;
Storage &Storage::operator=(Storage &&) noexcept = default;

Route Storage::route(std::string_view text, bool is_base) const {
  Route route;
  route.never_blocks = true;
  try {
    const auto add = [&route](const Mount *mount) {
      if (!mount || !mount->store) return;
      route.store = route.several ? route.store * 1099511628211u ^ mount->store->id() : mount->store->id(); // FNV
      route.never_blocks = route.never_blocks && mount->store->never_blocks();
    };
    if (!is_base) {
      const Key key(text);
      const Epoch::Guard guard(space().epoch);
      const Mount *mount = space().table().find(key.view());
      if (mount) route.mountpoint = mount->mountpoint;
      add(mount);
      if (mount && mount->store) route.streams = mount->store->streams();
      return route;
    }
    const std::string base = normal_base(text);
    const Epoch::Guard guard(space().epoch);
    const std::vector<const Mount *> mounts = space().table().spanned(base);
    route.several = mounts.size() > 1;
    if (!mounts.empty()) route.mountpoint = mounts.front()->mountpoint;
    for (const Mount *mount : mounts) add(mount);
  } catch (const Error &) {
  }
  return route;
}

std::vector<MountInfo> Storage::mounts() const {
  const Epoch::Guard guard(space().epoch);
  std::vector<MountInfo> infos;
  for (const auto &mount : space().table().mounts()) {
    MountInfo info;
    info.mountpoint = mount->mountpoint;
    info.prefix = mount->prefix.substr(0, mount->prefix.empty() ? 0 : mount->prefix.size() - 1);
    info.ttl = mount->ttl;
    info.read_only =
        mount->read_only || (mount->store && mount->store->traits().capabilities & OMNISTORE_READS_ONLY) != 0;
    info.optional = mount->config.optional;
    info.runtime = mount->runtime;
    info.available = mount->store != nullptr;
    info.reason = mount->reason;
    if (mount->store)
      info.store = mount->store->info();
    else
      info.store.driver = mount->config.store.driver;
    infos.push_back(std::move(info));
  }
  return infos;
}

std::span<const double> MountStats::latency_bounds() {
  static const auto seconds = [] {
    std::array<double, latency_bounds_ns.size()> bounds{};
    std::transform(latency_bounds_ns.begin(), latency_bounds_ns.end(), bounds.begin(),
                   [](std::int64_t ns) { return static_cast<double>(ns) / 1e9; });
    return bounds;
  }();
  return seconds;
}

double MountStats::Histogram::quantile(double part) const {
  const auto bounds = latency_bounds();
  const double wanted = part * static_cast<double>(count);
  double below = 0;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const auto here = static_cast<double>(counts[i]);
    if (here == 0 || below + here < wanted) {
      below += here;
      continue;
    }
    const double from = i == 0 ? 0 : bounds[i - 1];
    if (i == bounds.size()) return from; // the last bucket has no end
    return from + (bounds[i] - from) * std::clamp((wanted - below) / here, 0.0, 1.0);
  }
  return 0;
}

MountStats &MountStats::operator+=(const MountStats &other) {
  constexpr std::uint64_t MountStats::*sums[] = {
      &MountStats::reads,        &MountStats::hits,          &MountStats::misses,    &MountStats::writes,
      &MountStats::removes,      &MountStats::lists,         &MountStats::errors,    &MountStats::in_flight,
      &MountStats::bytes_read,   &MountStats::bytes_written, &MountStats::evictions, &MountStats::expirations,
      &MountStats::driver_faults};
  for (const auto sum : sums) this->*sum += other.*sum;
  return *this;
}

void KeySpace::ask_counters(Store &store, const Mount &mount) const {
  for (const auto &child : store.children()) ask_counters(*child, mount);
  if (!store.reports().counts() || !store.reports().counting().begin({})) return; // under way already
  background_->submit({nullptr, [&store, hold = std::make_shared<Hold>(Hold(mount, Hold::anywhere))] {
                         store.reports().ask_counters();
                         store.reports().counting().end();
                       }});
}

namespace {

void await_counters(Store &store, std::chrono::steady_clock::time_point until) {
  for (const auto &child : store.children()) await_counters(*child, until);
  if (store.reports().counts()) store.reports().counting().over(until);
}

} // namespace

std::vector<SlowOperation> Storage::slow() const { return space().op_log.slow(); }

std::vector<MountStats> Storage::stats() const {
  const std::shared_ptr<const MountTable> table = space().kept_table();
  std::vector<std::pair<Hold, const Mount *>> held;
  for (const auto &mount : table->mounts())
    if (Hold hold = space().hold(*mount)) held.emplace_back(std::move(hold), mount.get()); // else it was taken out
  // All stores are checked at once, so that those that do not respond take their time together.
  for (const auto &[hold, mount] : held)
    if (mount->store) space().ask_counters(*mount->store, *mount);
  const auto until = std::chrono::steady_clock::now() + DriverReports::report_time;
  std::vector<MountStats> all;
  for (const auto &[hold, mount] : held) {
    if (mount->store) await_counters(*mount->store, until);
    MountStats stats = mount->store ? mount->store->stats() : MountStats();
    stats.mountpoint = mount->mountpoint;
    stats.driver = mount->config.store.driver;
    all.push_back(std::move(stats));
  }
  return all;
}

} // namespace omnistore
