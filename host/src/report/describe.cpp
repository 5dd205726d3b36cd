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
  json::array children;
  for (const StoreInfo &child : store.children) children.push_back(store_json(child));
  if (!children.empty()) object["children"] = std::move(children);
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

/// What an acknowledged write outlives.
const char *keeps_name(std::uint32_t keeps) {
  return keeps >= OMNISTORE_KEEPS_POWER      ? "power"
         : keeps >= OMNISTORE_KEEPS_PROCESS  ? "process"
         : keeps >= OMNISTORE_KEEPS_NOTHING  ? "nothing"
         : keeps >= OMNISTORE_KEEPS_NO_VALUE ? "no value"
                                             : "unknown";
}

json::object reject_json(const loader::Reject &reject) {
  return {{"file", reject.file}, {"reason", reject.reason}, {"advice", reject.advice}};
}

/// The first opened store of a driver, this one or below it; null: there is none.
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
  json::array counts, bounds;
  for (const std::uint64_t count : latency.counts) counts.emplace_back(count);
  for (const double bound : MountStats::latency_bounds()) bounds.emplace_back(bound);
  return {{"count", latency.count},        {"sum", latency.sum},
          {"p50", latency.quantile(0.5)},  {"p90", latency.quantile(0.9)},
          {"p99", latency.quantile(0.99)}, {"p999", latency.quantile(0.999)},
          {"bounds", std::move(bounds)},   {"counts", std::move(counts)}};
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
  json::array layers;
  for (const MountStats &layer : store.layers) layers.push_back(stats_json(layer));
  if (!layers.empty()) object["layers"] = std::move(layers);
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
  return {{"name", listener.name},
          {"address", listener.address},
          {"connections", listener.open},
          {"accepted", listener.accepted},
          {"refused", listener.refused},
          {"acceptFailures", listener.accept_failures},
          {"timed_out", listener.timed_out},
          {"wrong_tokens", listener.wrong_tokens},
          {"responses", std::move(responses)}};
}

/// A JSON object's text as what it says; null where it is none.
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
  json::array children;
  for (const Hop &child : hop.children) children.push_back(hop_json(child));
  if (!children.empty()) object["children"] = std::move(children);
  return object;
}

} // namespace

namespace {

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
  json::array list;
  for (const MountInfo &mount : mounts) {
    json::object entry{{"mountpoint", mount.mountpoint},
                       {"prefix", mount.prefix},
                       {"ttl", mount.ttl},
                       {"read_only", mount.read_only},
                       {"available", mount.available}};
    if (!mount.reason.empty()) entry["reason"] = mount.reason;
    entry["store"] = store_json(mount.store);
    list.push_back(std::move(entry));
  }
  return {{"mounts", std::move(list)}};
}

const char *state_name(DrainingStore::State state) {
  constexpr const char *names[] = {"opening", "in use", "closing"};
  return names[static_cast<unsigned>(state)];
}

json::array describe(const std::vector<DrainingStore> &stores) {
  const auto seconds = [](std::chrono::milliseconds time) { return static_cast<double>(time.count()) / 1000; };
  json::array list;
  for (const DrainingStore &store : stores) {
    json::array running;
    for (const DrainingStore::Call &call : store.running)
      running.push_back(json::object{
          {"operation", call.operation}, {"age", seconds(call.age)}, {"waits_for_client", call.waits_for_client}});
    list.push_back(json::object{{"id", store.id},
                                {"store", store.store},
                                {"mountpoint", store.mountpoint},
                                {"driver", store.driver},
                                {"state", state_name(store.state)},
                                {"age", seconds(store.age)},
                                {"calls", store.calls},
                                {"readers", store.readers},
                                {"watches", store.watches},
                                {"running", std::move(running)},
                                {"waits_for", store.waits_for()}});
  }
  return list;
}

json::object describe_mounts(const Storage &storage) {
  json::object all = describe(storage.mounts());
  if (json::array draining = describe(storage.draining()); !draining.empty()) all["draining"] = std::move(draining);
  return all;
}

json::object describe(loader::Registry &registry, const std::vector<MountInfo> &mounts) {
  json::array drivers, rejects, searched;
  for (const auto &driver : registry.all()) drivers.push_back(driver_json(*driver, mounts));
  for (const loader::Reject &reject : registry.rejects()) rejects.push_back(reject_json(reject));
  for (const std::string &place : registry.searched()) searched.emplace_back(place);
  return {{"drivers", std::move(drivers)}, {"rejects", std::move(rejects)}, {"searched", std::move(searched)}};
}

json::object describe(const loader::Inspected &plugin) {
  json::array drivers, rejects, needs;
  for (const auto &driver : plugin.offers.drivers) drivers.push_back(driver_json(*driver, {}));
  for (const auto &[name, reason] : plugin.offers.unusable)
    rejects.push_back(reject_json({plugin.file, reason.what(), reason.advice}));
  for (const std::string &library : plugin.needed) needs.emplace_back(library);
  return {{"file", plugin.file},
          {"sha256", plugin.sha256},
          {"needs", std::move(needs)},
          {"drivers", std::move(drivers)},
          {"rejects", std::move(rejects)}};
}

json::object describe(const std::vector<MountStats> &mounts, const HostState &host) {
  json::array list, listeners;
  for (const MountStats &mount : mounts) list.push_back(mount_json(mount));
  for (const ListenerStats &listener : host.listeners) listeners.push_back(listener_json(listener));
  json::array lanes;
  for (const ThreadStats::Lane &lane : host.threads.lanes)
    lanes.push_back(json::object{{"lane", lane.name},
                                 {"store", lane.store},
                                 {"long_values", lane.long_values},
                                 {"working", lane.working},
                                 {"waiting", lane.waiting},
                                 {"stuck", lane.stuck}});
  const ProcessStats process = process_stats();
  const ReloadStats &reloads = host.reloads;
  return {{"time", now_ms()},
          {"mounts", std::move(list)},
          {"listeners", std::move(listeners)},
          {"threads",
           {{"total", host.threads.threads},
            {"idle", host.threads.idle},
            {"stuck", host.threads.stuck},
            {"waiting", host.threads.waiting},
            {"lanes", std::move(lanes)}}},
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
  json::array mounts, later;
  for (const MountChange &change : reload.mounts)
    mounts.push_back(json::object{{"mountpoint", change.mountpoint},
                                  {"driver", change.driver},
                                  {"change", change_name(change.kind)},
                                  {"details", change.details}});
  for (const std::string &field : reload.later) later.emplace_back(field);
  return {
      {"config", config.file}, {"profile", config.profile}, {"mounts", std::move(mounts)}, {"later", std::move(later)}};
}

} // namespace omnistore::report
