// SPDX-License-Identifier: Apache-2.0
#include "report/describe.hpp"

#include <algorithm>
#include <random>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "base/clock.hpp"
#include "base/encoding.hpp"
#include "config/names.hpp"
#include "report/process_stats.hpp"
#include "storage/capabilities.hpp"

namespace omnistore::report {

namespace {

namespace json = boost::json;

/// Makes a JSON array: `make` returns the element of each item.
template <typename Items, typename Make>
json::array array_of(const Items &items, const Make &make) {
  json::array all;
  for (const auto &item : items) all.push_back(make(item));
  return all;
}

json::array texts(const std::vector<std::string> &items) { return json::array(items.begin(), items.end()); }

json::object capabilities_json(const std::vector<StoreInfo::Capability> &list) {
  using How = StoreInfo::Capability::How;
  json::object all;
  for (const StoreInfo::Capability &capability : list) {
    all[capability.name] = capability.how == How::native     ? "native"
                           : capability.how == How::emulated ? "emulated"
                                                             : "no";
  }
  return all;
}

json::object store_json(const StoreInfo &store) {
  json::object object{{"driver", store.driver},
                      {"version", store.version},
                      {"file", store.file},
                      {"capabilities", capabilities_json(store.list)}};
  if (!store.children.empty()) object["children"] = array_of(store.children, store_json);
  return object;
}

/// The bounds that a driver states; one that it does not state is not there.
json::object limits_json(const omnistore_traits &traits) {
  json::object limits;
  const auto add = [&](const char *name, auto value) {
    if (value != 0) limits[name] = value;
  };
  add("max_key_size", traits.max_key_size);
  add("max_value_size", traits.max_value_size);
  add("max_batch", traits.max_batch);
  add("min_ttl", traits.min_ttl);
  add("ttl_grain", traits.ttl_grain);
  return limits;
}

/// Names the failure that an acknowledged write survives.
const char *keeps_name(std::uint32_t keeps) {
  return keeps >= OMNISTORE_KEEPS_POWER      ? "power"
         : keeps >= OMNISTORE_KEEPS_PROCESS  ? "process"
         : keeps >= OMNISTORE_KEEPS_NOTHING  ? "nothing"
         : keeps >= OMNISTORE_KEEPS_NO_VALUE ? "no value"
                                             : "unknown";
}

json::object reject_json(const loader::RejectedPlugin &reject) {
  return {{"file", reject.file}, {"reason", reject.reason}, {"advice", reject.advice}};
}

/// Returns the first opened store of a driver, this one or one below it, or null if there is none.
const StoreInfo *opened(const StoreInfo &store, const std::string &driver) {
  if (store.driver == driver) return &store;
  for (const StoreInfo &child : store.children) {
    if (const StoreInfo *found = opened(child, driver)) return found;
  }
  return nullptr;
}

json::object driver_json(const loader::Driver &driver, const std::vector<MountInfo> &mounts) {
  std::vector<StoreInfo::Capability> able = capabilities(driver.table, driver.traits);
  for (const MountInfo &mount : mounts) {
    const StoreInfo *store = mount.available ? opened(mount.store, driver.name) : nullptr;
    if (!store) continue;
    able = store->list;
    break;
  }
  return {{"name", driver.name},
          {"version", driver.version},
          {"summary", driver.summary},
          {"file", driver.file},
          {"sha256", driver.sha256()},
          {"plugin", driver.plugin_name},
          {"plugin_version", driver.plugin_version},
          {"abi", std::to_string(driver.abi_major) + "." + std::to_string(driver.abi_minor)},
          {"threads", driver.traits.thread_model == OMNISTORE_PARALLEL ? "parallel" : "serialized"},
          {"shared", (driver.traits.capabilities & OMNISTORE_SHARED) != 0},
          {"never_blocks", (driver.traits.capabilities & OMNISTORE_NEVER_BLOCKS) != 0},
          {"keeps", keeps_name(driver.traits.keeps)},
          {"order", driver.traits.order >= OMNISTORE_ORDER_KEYS ? "keys" : "none"},
          {"children", {{"min", driver.table.min_children}, {"max", driver.table.max_children}}},
          {"capabilities", capabilities_json(able)},
          {"limits", limits_json(driver.traits)},
          {"schema", driver.schema}};
}

json::object histogram_json(const MountStats::Histogram &latency) {
  const auto &bounds = MountStats::latency_bounds();
  return {{"count", latency.count},
          {"sum", latency.sum},
          {"p50", latency.quantile(0.5)},
          {"p90", latency.quantile(0.9)},
          {"p99", latency.quantile(0.99)},
          {"p999", latency.quantile(0.999)},
          {"bounds", json::array(bounds.begin(), bounds.end())},
          {"counts", json::array(latency.counts.begin(), latency.counts.end())}};
}

json::object stats_json(const MountStats &store) {
  json::object errors, counters, gauges;
  for (const auto &[status, count] : store.errors_by_kind) errors[status_name(status)] = count;
  for (const auto &[name, count] : store.counters) counters[name] = count;
  for (const auto &[name, amount] : store.gauges) gauges[name] = amount;
  json::object object{{"driver", store.driver},
                      {"reads", store.reads},
                      {"hits", store.hits},
                      {"misses", store.misses},
                      {"hit_rate", store.hit_rate()},
                      {"writes", store.writes},
                      {"removes", store.removes},
                      {"lists", store.lists},
                      {"errors", store.errors},
                      {"errors_by_kind", std::move(errors)},
                      {"in_flight", store.in_flight},
                      {"bytes_read", store.bytes_read},
                      {"bytes_written", store.bytes_written},
                      {"evictions", store.evictions},
                      {"expirations", store.expirations},
                      {"driver_faults", store.driver_faults},
                      {"counters", std::move(counters)},
                      {"gauges", std::move(gauges)},
                      {"read_latency", histogram_json(store.read_latency)},
                      {"write_latency", histogram_json(store.write_latency)}};
  if (store.counters_late) object["counters_late"] = true;
  if (!store.layers.empty()) object["layers"] = array_of(store.layers, stats_json);
  return object;
}

json::object mount_json(const MountStats &mount) {
  json::object object = stats_json(mount);
  object["mountpoint"] = mount.mountpoint;
  return object;
}

json::object listener_json(const ListenerStats &listener) {
  json::object responses;
  for (std::size_t i = 0; i < listener.responses.size(); ++i) {
    responses[std::to_string(i + 1) + "xx"] = listener.responses[i];
  }
  json::object shown{{"name", listener.name},           {"address", listener.address},
                     {"connections", listener.open},    {"accepted", listener.accepted},
                     {"refused", listener.refused},     {"acceptFailures", listener.accept_failures},
                     {"timed_out", listener.timed_out}, {"wrong_tokens", listener.wrong_tokens},
                     {"limited", listener.limited},     {"responses", std::move(responses)}};
  if (listener.certificate_end != 0) shown["certificate_end"] = listener.certificate_end * 1000;
  return shown;
}

/// Parses the text of a JSON object; returns null if it is none.
json::value parsed(const std::string &text) {
  boost::system::error_code broken;
  json::value value = text.empty() ? json::value() : json::parse(text, broken);
  return broken || !value.is_object() ? json::value() : value;
}

const char *outcome_name(Hop::Outcome outcome) {
  constexpr const char *names[] = {"not_asked", "hit", "miss", "passed_over", "failed"};
  return names[static_cast<int>(outcome)];
}

json::object hop_json(const Hop &hop) {
  json::object object{{"driver", hop.driver}, {"outcome", outcome_name(hop.outcome)}};
  if (hop.asked != 0) {
    object["order"] = hop.order;
    object["asked"] = hop.asked;
    object["time"] = static_cast<double>(hop.time.count()) / 1000;
    object["message"] = hop.message.empty() ? json::value() : json::value(hop.message);
    object["about"] = parsed(hop.about);
    if (hop.about_late) object["about_late"] = true;
  }
  if (!hop.children.empty()) object["children"] = array_of(hop.children, hop_json);
  return object;
}

/// Begins a string that stands for JSON text. Nobody outside of the process can know it.
const std::string &mark() {
  static const std::string text = [] {
    std::random_device random;
    std::string made = "\1verbatim ";
    for (int i = 0; i < 4; ++i) made += std::to_string(random()) + " ";
    return made;
  }();
  return text;
}

/// JSON text that is to be printed as it is: numbers that no double holds come out unchanged. A line end can only stand
/// between two tokens, and is a space then.
json::value verbatim(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\n' || c == '\r'; }, ' ');
  return json::value(mark() + text);
}

void append(std::string &out, const json::value &value) {
  bool first = true;
  if (const auto *object = value.if_object()) {
    out += '{';
    for (const auto &[name, member] : *object) {
      if (!std::exchange(first, false)) out += ',';
      out += json::serialize(name);
      out += ':';
      append(out, member);
    }
    out += '}';
  } else if (const auto *array = value.if_array()) {
    out += '[';
    for (const json::value &element : *array) {
      if (!std::exchange(first, false)) out += ',';
      append(out, element);
    }
    out += ']';
  } else if (const auto *text = value.if_string(); text && std::string_view(*text).starts_with(mark())) {
    out += std::string_view(*text).substr(mark().size());
  } else {
    out += json::serialize(value);
  }
}

} // namespace

std::string to_text(const json::value &described) {
  std::string out;
  append(out, described);
  return out;
}

json::object describe(const Meta &meta) {
  json::object object{{"size", nullptr}, {"mtime", nullptr}, {"expiry", nullptr}, {"etag", nullptr}, {"user", nullptr}};
  if (meta.size != UINT64_MAX) object["size"] = meta.size;
  if (meta.mtime != 0) object["mtime"] = meta.mtime;
  if (meta.expiry != 0) object["expiry"] = meta.expiry;
  if (!meta.etag.empty()) object["etag"] = meta.etag;
  if (!meta.user.empty()) {
    boost::system::error_code broken;
    json::parse(meta.user, broken);
    if (!broken)
      object["user"] = verbatim(meta.user);
    else if (config::valid_utf8(meta.user))
      object["user"] = meta.user;
    else
      object["user64"] = base::to_base64(meta.user);
  }
  return object;
}

json::object describe(const Explanation &found) {
  json::object object{{"key", found.key},
                      {"mount", found.mountpoint},
                      {"prefix", found.prefix},
                      {"inside", found.inside},
                      {"ttl", found.ttl},
                      {"read_only", found.read_only},
                      {"status", status_name(found.status)},
                      {"message", found.message.empty() ? json::value() : json::value(found.message)},
                      {"meta", nullptr},
                      {"layer", nullptr}};
  if (found.status == Status::ok) {
    const Hop *answered = &found.store;
    for (const std::uint32_t place : found.answered) answered = &answered->children[place];
    object["meta"] = describe(found.meta);
    object["layer"] = {{"driver", answered->driver},
                       {"place", json::array(found.answered.begin(), found.answered.end())}};
  }
  object["store"] = hop_json(found.store);
  return object;
}

json::object describe(const StoreInfo &store) { return store_json(store); }

json::object describe(const std::vector<MountInfo> &mounts) {
  const auto entry_of = [](const MountInfo &mount) {
    json::object entry{{"mountpoint", mount.mountpoint},
                       {"prefix", mount.prefix},
                       {"ttl", mount.ttl},
                       {"read_only", mount.read_only},
                       {"available", mount.available}};
    if (!mount.reason.empty()) entry["reason"] = mount.reason;
    entry["store"] = store_json(mount.store);
    return entry;
  };
  return {{"mounts", array_of(mounts, entry_of)}};
}

const char *state_name(DrainingStore::State state) {
  constexpr const char *names[] = {"opening", "in use", "closing"};
  return names[static_cast<unsigned>(state)];
}

json::array describe(const std::vector<DrainingStore> &stores) {
  const auto seconds = [](std::chrono::milliseconds time) { return static_cast<double>(time.count()) / 1000; };
  const auto call_json = [&](const DrainingStore::Call &call) {
    return json::object{
        {"operation", call.operation}, {"age", seconds(call.age)}, {"waits_for_client", call.waits_for_client}};
  };
  return array_of(stores, [&](const DrainingStore &store) {
    return json::object{{"id", store.id},
                        {"store", store.store},
                        {"mountpoint", store.mountpoint},
                        {"driver", store.driver},
                        {"state", state_name(store.state)},
                        {"age", seconds(store.age)},
                        {"calls", store.calls},
                        {"readers", store.readers},
                        {"watches", store.watches},
                        {"running", array_of(store.running, call_json)},
                        {"waits_for", store.waits_for()}};
  });
}

json::object describe_mounts(const Storage &storage) {
  json::object all = describe(storage.mounts());
  if (json::array draining = describe(storage.draining()); !draining.empty()) all["draining"] = std::move(draining);
  return all;
}

json::object describe(loader::Registry &registry, const std::vector<MountInfo> &mounts) {
  return {{"drivers", array_of(registry.all(), [&](const auto &driver) { return driver_json(*driver, mounts); })},
          {"rejects", array_of(registry.rejected(), reject_json)},
          {"searched", texts(registry.searched())}};
}

json::object describe(const loader::Inspected &plugin) {
  json::array rejects;
  for (const auto &[name, reason] : plugin.offers.unusable)
    rejects.push_back(reject_json({plugin.file, reason.what(), reason.advice}));
  return {{"file", plugin.file},
          {"sha256", plugin.sha256},
          {"needs", texts(plugin.needed)},
          {"drivers", array_of(plugin.offers.drivers, [](const auto &driver) { return driver_json(*driver, {}); })},
          {"rejects", std::move(rejects)}};
}

json::object describe(const std::vector<MountStats> &mounts, const HostState &host) {
  const auto lane_json = [](const ThreadStats::Lane &lane) {
    return json::object{{"lane", lane.name},       {"store", lane.store},     {"long_values", lane.long_values},
                        {"working", lane.working}, {"waiting", lane.waiting}, {"stuck", lane.stuck}};
  };
  const ProcessStats process = process_stats();
  const ReloadStats &reloads = host.reloads;
  return {{"time", now_ms()},
          {"mounts", array_of(mounts, mount_json)},
          {"listeners", array_of(host.listeners, listener_json)},
          {"threads",
           {{"total", host.threads.threads},
            {"idle", host.threads.idle},
            {"stuck", host.threads.stuck},
            {"waiting", host.threads.waiting},
            {"lanes", array_of(host.threads.lanes, lane_json)}}},
          {"memory",
           {{"used", host.memory.used},
            {"spare", host.memory.spare},
            {"peak", host.memory.peak},
            {"most", host.memory.most},
            {"refused", host.memory.refused}}},
          {"reloads",
           {{"done", reloads.done},
            {"failed", reloads.failed},
            {"last_failed", reloads.last_failed},
            {"last_done", reloads.last_done}}},
          {"process",
           {{"start_time", process.start_time},
            {"cpu_seconds", process.cpu_seconds},
            {"resident_bytes", process.resident_bytes},
            {"open_files", process.open_files}}}};
}

json::object describe(const Reload &reload, const Config &config) {
  const auto change_json = [&](const MountChange &change) {
    json::object object{{"mountpoint", change.mountpoint},
                        {"driver", change.driver},
                        {"change", change_name(change.kind)},
                        {"details", change.details}};
    if (const auto place = reload.places.find(change.mountpoint); place != reload.places.end()) {
      object["line"] = place->second.first;
      object["column"] = place->second.second;
    }
    return object;
  };
  return {{"config", config.file},
          {"profile", config.profile},
          {"mounts", array_of(reload.mounts, change_json)},
          {"now", texts(reload.now)},
          {"later", texts(reload.later)}};
}

} // namespace omnistore::report
