// SPDX-License-Identifier: Apache-2.0
#include "service/reloader.hpp"

#include <algorithm>
#include <chrono>
#include <tuple>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <spdlog/spdlog.h>

#include "base/clock.hpp"
#include "base/printable.hpp"
#include "config/source_map.hpp"
#include "service/check_config.hpp"
#include "storage/key.hpp"

namespace omnistore::service {
namespace {

std::string shown(const std::string &mountpoint) { return mountpoint.empty() ? "root" : base::printable(mountpoint); }

struct AtEnd {
  const std::function<void()> &run;
  ~AtEnd() {
    if (run) run();
  }
};

void set_folder(StoreConfig &store, const std::string &folder) {
  store.folder = folder;
  for (StoreConfig &child : store.children) set_folder(child, folder);
}

void log_changes(const report::Reload &reload, std::string_view why) {
  const std::string head = "config reloaded (" + std::string(why) + ")";
  if (!reload.has_changes()) return spdlog::debug("{}: nothing is different", head);
  std::string text;
  for (const MountChange &change : reload.mounts) {
    if (!change.changed) continue;
    text += "; mount " + shown(change.mountpoint) + " " + std::string(report::change_name(change.kind));
    if (!change.details.empty()) text += " (" + base::printable(change.details) + ")";
  }
  for (const std::string &field : reload.now) text += "; " + field + " changed";
  spdlog::info("{}{}", head, text);
  for (const std::string &field : reload.later)
    spdlog::warn("config: {} is different; it takes effect when the host is started again", field);
}

/// Returns the settings of a listener after a reload: those with which it was started, and the files that it can
/// exchange.
HttpConfig after_reload(HttpConfig running, const HttpConfig &wanted) {
  if (running.tls.enabled() && wanted.tls.enabled()) running.tls = wanted.tls;
  if (!running.token_file.empty() && !wanted.token_file.empty()) running.token_file = wanted.token_file;
  return running;
}

void compare_listener(const HttpConfig &running, const HttpConfig &wanted, const std::string &field,
                      report::Reload &reload) {
  const HttpConfig after = after_reload(running, wanted);
  if (after.tls != running.tls) reload.now.push_back(field + ".tls");
  if (after.token_file != running.token_file) reload.now.push_back(field + ".tokenFile");
  if (after != wanted) reload.later.push_back(field);
}

} // namespace

Reloader::Reloader(Storage &storage, Config config, Hooks hooks)
    : storage_(storage), hooks_(std::move(hooks)), config_(std::move(config)) {
  stats_.last_done = now_ms();
}

Reloader::Reloader(Storage &storage, Config config) : Reloader(storage, std::move(config), Hooks()) {}

Config Reloader::config() const {
  const std::lock_guard lock(mutex_);
  return config_;
}

report::ReloadStats Reloader::stats() const {
  const std::lock_guard lock(mutex_);
  return stats_;
}

std::pair<Config, std::shared_ptr<loader::Registry>> Reloader::load() const {
  if (!hooks_.load) throw Error(Status::unsupported, "reload: this host was started without a config file");
  Draft draft = hooks_.load();
  auto plugins = std::make_shared<loader::Registry>(loader::search_paths(draft.config), storage_.plugins().get());
  check_config(draft, *plugins);
  return {std::move(draft).finish(), std::move(plugins)};
}

report::Reload changes_of(const Config &running, const Config &wanted, std::vector<MountChange> mounts) {
  report::Reload reload{std::move(mounts), {}, {}, {}};
  for (const auto &[point, mount] : wanted.mounts) {
    if (!mount.store.places) continue;
    const SourceMap::Position place = mount.store.places->name(mount.store.path);
    if (place.line != 0) reload.places[point] = {place.line, place.column};
  }
  const auto now = [&](const char *field, const auto &a, const auto &b) {
    if (a != b) reload.now.emplace_back(field);
  };
  const auto later = [&](const char *field, const auto &a, const auto &b) {
    if (a != b) reload.later.emplace_back(field);
  };
  compare_listener(running.http, wanted.http, "server.http", reload);
  compare_listener(running.admin, wanted.admin, "admin", reload);
  later("server.maxMemory", running.max_memory, wanted.max_memory);
  now("stopTimeout", running.stop_timeout, wanted.stop_timeout);
  now("log.level", running.log.level, wanted.log.level);
  now("log.slow", running.log.slow, wanted.log.slow);
  later("log.json", running.log.json, wanted.log.json);
  later("log.access", std::tie(running.log.access, running.log.access_json),
        std::tie(wanted.log.access, wanted.log.access_json));
  later("log.audit", running.log.audit, wanted.log.audit);
  return reload;
}

void Reloader::keep_what_stays(Config &config) const {
  const std::lock_guard lock(mutex_);
  config.http = after_reload(config_.http, config.http);
  config.admin = after_reload(config_.admin, config.admin);
  config.max_memory = config_.max_memory;
  config.log.json = config_.log.json;
  config.log.access = config_.log.access;
  config.log.access_json = config_.log.access_json;
  config.log.audit = config_.log.audit;
}

namespace {

/// Returns false if the time is over before. A negative time never ends.
bool lock_within(std::unique_lock<std::timed_mutex> &lock, std::chrono::milliseconds time) {
  using namespace std::chrono;
  if (time.count() < 0) {
    lock.lock();
    return true;
  }
  // In short steps by the system's clock: the thread sanitizer of g++ 12 does not know a lock by the steady one.
  const auto end = steady_clock::now() + time;
  do {
    const auto left = ceil<milliseconds>(end - steady_clock::now());
    if (lock.try_lock_until(system_clock::now() + std::min(left, milliseconds(100)))) return true;
  } while (steady_clock::now() < end);
  return false;
}

} // namespace

report::Reload Reloader::reload(std::string_view why, const ChangeOptions &options) {
  std::unique_lock reloading(reloading_, std::defer_lock);
  if (!lock_within(reloading, options.patience))
    throw Error(Status::unavailable, "reload: another reload is under way; nothing was changed, try again later");
  const AtEnd end{hooks_.ended};
  if (hooks_.began) hooks_.began();
  try {
    auto [config, plugins] = load();
    if (hooks_.opening) hooks_.opening(config, *plugins);
    report::Reload done = changes_of(this->config(), config, storage_.reload(config, std::move(plugins), options));
    keep_what_stays(config);
    if (hooks_.applied) hooks_.applied(config);
    log_changes(done, why);
    const std::lock_guard lock(mutex_);
    config_ = std::move(config);
    ++stats_.done;
    stats_.last_failed = false;
    stats_.last_done = now_ms();
    return done;
  } catch (const std::exception &failure) {
    spdlog::error("config not reloaded ({}), all is as it was: {}", why, failure.what());
    const std::lock_guard lock(mutex_);
    ++stats_.failed;
    stats_.last_failed = true;
    throw;
  }
}

report::Reload Reloader::diff() const {
  const Config config = load().first;
  return changes_of(this->config(), config, storage_.diff(config));
}

namespace {

/// The drivers of a store and its layers with their versions.
void add_versions(const StoreInfo &store, std::vector<std::pair<std::string, std::string>> &versions) {
  versions.emplace_back(store.driver, store.version);
  for (const StoreInfo &child : store.children) add_versions(child, versions);
}

/// Names the versions that run at a mountpoint now: "greet 1.0.0 -> 2.0.0", or "greet 1.0.0" if there was none before,
/// or "greet 1.0.0 kept"; a layer's children follow.
std::string versions_text(const std::vector<std::pair<std::string, std::string>> &before,
                          const std::vector<std::pair<std::string, std::string>> &after) {
  std::string text;
  for (const auto &[driver, version] : after) {
    const auto old =
        std::find_if(before.begin(), before.end(), [&name = driver](const auto &one) { return one.first == name; });
    text += (text.empty() ? "" : ", ") + driver + " ";
    if (old == before.end())
      text += version;
    else
      text += old->second == version ? version + " kept" : old->second + " -> " + version;
  }
  return text;
}

void forget_places(StoreConfig &store) {
  store.places.reset();
  for (StoreConfig &child : store.children) forget_places(child);
}

/// Returns a config of one mount. It has no text, so no message names a line of it.
Config parse_mount(const std::string &mountpoint, const boost::json::value &mount) {
  try {
    Config one = Config::parse(boost::json::serialize(boost::json::object{{"mounts", {{mountpoint, mount}}}}));
    for (auto &[point, config] : one.mounts) forget_places(config.store);
    return one;
  } catch (const ConfigError &error) {
    std::vector<Problem> problems = error.problems();
    for (Problem &problem : problems) problem.line = problem.column = 0;
    throw ConfigError("", std::move(problems));
  }
}

} // namespace

std::vector<std::pair<std::string, std::string>> Reloader::versions_at(const std::string &mountpoint) const {
  std::vector<std::pair<std::string, std::string>> versions;
  for (const MountInfo &mount : storage_.mounts())
    if (mount.mountpoint == mountpoint && mount.available) add_versions(mount.store, versions);
  return versions;
}

Reloader::Mounted Reloader::mount(const std::string &mountpoint, std::string_view text, const ChangeOptions &options) {
  boost::json::error_code broken;
  const boost::json::value json = boost::json::parse(text, broken);
  if (broken || !json.is_object())
    throw Error(Status::invalid, "mount " + shown(mountpoint) +
                                     ": expected a JSON object such as {\"driver\": \"memory\"}" +
                                     (broken ? ", found no JSON: " + broken.message() : std::string()));
  Config one = parse_mount(mountpoint, json);
  if (hooks_.opening) hooks_.opening(one, *storage_.plugins());
  auto &[point, config] = *one.mounts.begin();
  set_folder(config.store, folder_of_config(this->config().file));
  const std::string normal = normal_form(point);
  const auto before = versions_at(normal);
  const bool replaces = storage_.mount(point, config, options);
  const std::string drivers = versions_text(before, versions_at(normal));
  spdlog::info("mounted {} (driver {}){}: {}", shown(point), config.store.driver,
               replaces ? " in place of another store" : "", base::printable(drivers));
  return {replaces, drivers};
}

bool Reloader::unmount(const std::string &mountpoint, const ChangeOptions &options) {
  const bool done = storage_.unmount(mountpoint, options);
  if (done) spdlog::info("unmounted {}", shown(mountpoint));
  return done;
}

} // namespace omnistore::service
