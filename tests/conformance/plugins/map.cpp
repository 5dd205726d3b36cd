// SPDX-License-Identifier: Apache-2.0
// One driver that keeps the whole contract, in memory, and one for each rule of the kit that breaks that rule and as
// little else as it can: "wrong-RULE".
#include <array>
#include <atomic>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <unistd.h>

#include <omnistore/driver.h>
#include <omnistore/ext/explain.h>
#include <omnistore/ext/health.h>
#include <omnistore/ext/lag.h>
#include <omnistore/ext/revalidate.h>
#include <omnistore/ext/stats.h>
#include <omnistore/ext/validate.h>
#include <omnistore/value.hpp>

#include "map.hpp"
#include "map_rules.hpp"

using namespace wrong_map;

namespace {

constexpr const char *schema = R"({"type": "object", "properties": {"name": {"type": "string"}}})";

Map &of(void *self) { return *static_cast<Map *>(self); }

// ------------------------------------------------------------------------------------------------------- the table

omnistore_status open_as(std::string_view rule, const omnistore_host *host, omnistore_call *call,
                         const omnistore_open_request *request, omnistore_traits *traits, void **self) {
  static std::atomic<int> open_stores;
  const std::string_view options = as_view(request->options);
  if (rule == "open-failed") {
    if (!options.starts_with('{')) std::thread([] { pause(); }).detach();
  }
  if (!options.starts_with('{')) return fail(call, OMNISTORE_INVALID, "the options are no JSON object");
  if (rule == "open-close" && ++open_stores > 2) return fail(call, OMNISTORE_UNAVAILABLE, "it was open before");
  const auto claims = [&](std::uint64_t bits) { traits->capabilities |= bits; };
  if (rule == "list-cursor-lives" || rule == "keeps-through-close" || rule == "keeps-through-kills" ||
      rule == "shared-seen" || rule == "watch-others")
    traits->keeps = OMNISTORE_KEEPS_PROCESS;
  if (rule == "shared-seen" || rule == "watch-others") claims(OMNISTORE_SHARED);
  if (rule == "watch-others") traits->capabilities &= ~OMNISTORE_WATCHES_OWN;
  if (rule == "list-refused") claims(OMNISTORE_CANNOT_LIST);
  if (rule == "claims-fit") traits->capabilities &= ~OMNISTORE_CAN_ETAG;
  if (rule == "read-only") traits->capabilities = OMNISTORE_READS_ONLY;
  if (rule == "keys-without-nesting") traits->capabilities &= ~OMNISTORE_NESTS;
  *self = new Map(host, rule);
  return OMNISTORE_OK;
}
template <std::size_t I>
omnistore_status OMNISTORE_CALL open(const omnistore_host *host, omnistore_call *call,
                                     const omnistore_open_request *request, omnistore_traits *traits, void **self) {
  return open_as(I < count ? rules[I] : "", host, call, request, traits, self);
}

void OMNISTORE_CALL close(void *self) { delete static_cast<Map *>(self); }
omnistore_status OMNISTORE_CALL get(void *self, omnistore_call *call, omnistore_bytes key,
                                    const omnistore_get_request *request, omnistore_sink *sink) {
  return of(self).get(call, as_view(key), *request, sink, true);
}
omnistore_status OMNISTORE_CALL stat(void *self, omnistore_call *call, omnistore_bytes key,
                                     const omnistore_get_request *request, omnistore_sink *sink) {
  return of(self).get(call, as_view(key), *request, sink, false);
}
omnistore_status OMNISTORE_CALL set(void *self, omnistore_call *call, omnistore_bytes key,
                                    const omnistore_set_request *request, omnistore_sink *result) {
  return of(self).set(call, as_view(key), *request, result);
}
omnistore_status OMNISTORE_CALL remove(void *self, omnistore_call *call, omnistore_bytes key,
                                       const omnistore_remove_request *request) {
  return of(self).remove(call, as_view(key), *request);
}
omnistore_status OMNISTORE_CALL list(void *self, omnistore_call *call, const omnistore_list_request *request,
                                     omnistore_page *page) {
  return of(self).list(call, *request, page);
}
omnistore_status OMNISTORE_CALL clear(void *self, omnistore_call *call, const omnistore_clear_request *request,
                                      omnistore_page *removed) {
  return of(self).clear(call, *request, removed);
}
omnistore_status OMNISTORE_CALL get_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                         std::uint32_t items, const omnistore_get_request *const *requests,
                                         omnistore_sink *const *sinks, omnistore_status *statuses) {
  for (std::uint32_t i = 0; i < items; ++i) {
    if (of(self).wrong("many-get-twice") && i && as_view(keys[i]) == as_view(keys[i - 1])) {
      statuses[i] = OMNISTORE_NOT_FOUND;
      continue;
    }
    statuses[i] = of(self).get(call, as_view(keys[i]), *requests[i], sinks[i], true);
    if (of(self).wrong("many-get") && i == 3) statuses[i] = OMNISTORE_OK;
    if (of(self).wrong("many-get-beside-failure") && statuses[i] == OMNISTORE_NO_SPACE) return OMNISTORE_NO_SPACE;
  }
  return OMNISTORE_OK;
}
omnistore_status OMNISTORE_CALL stat_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                          std::uint32_t items, const omnistore_get_request *const *requests,
                                          omnistore_sink *const *sinks, omnistore_status *statuses) {
  for (std::uint32_t i = 0; i < items; ++i)
    statuses[i] = of(self).get(call, as_view(keys[of(self).wrong("many-stat") ? 0 : i]), *requests[i], sinks[i], false);
  return OMNISTORE_OK;
}
omnistore_status OMNISTORE_CALL set_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                         std::uint32_t items, const omnistore_set_request *const *requests,
                                         omnistore_sink *const *results, omnistore_status *statuses) {
  Map &map = of(self);
  if (map.wrong("many-largest") && items > 200) return fail(call, OMNISTORE_INVALID, "more than 200 items");
  for (std::uint32_t n = 0; n < items; ++n) {
    const std::uint32_t i = map.wrong("many-set-last-wins") ? items - 1 - n : n;
    omnistore_set_request request{};
    std::memcpy(&request, requests[i], std::min<std::size_t>(requests[i]->size, sizeof request));
    if (map.wrong("many-set-expiries")) request.expiry = requests[0]->expiry;
    omnistore_sink *const result = results && !map.wrong("many-set-results") ? results[i] : nullptr;
    statuses[i] = map.wrong("many-set") && i == 5 ? OMNISTORE_OK : map.set(call, as_view(keys[i]), request, result, i);
  }
  return OMNISTORE_OK;
}
omnistore_status OMNISTORE_CALL remove_many(void *self, omnistore_call *call, const omnistore_bytes *keys,
                                            std::uint32_t items, const omnistore_remove_request *const *requests,
                                            omnistore_status *statuses) {
  for (std::uint32_t i = 0; i < items; ++i) {
    statuses[i] = of(self).remove(call, as_view(keys[i]), *requests[of(self).wrong("many-remove-conditions") ? 0 : i]);
    if (of(self).wrong("many-remove") && statuses[i] == OMNISTORE_NOT_FOUND) statuses[i] = OMNISTORE_OK;
  }
  return OMNISTORE_OK;
}
omnistore_status OMNISTORE_CALL touch(void *self, omnistore_call *call, omnistore_bytes key,
                                      const omnistore_touch_request *request) {
  return of(self).touch(call, as_view(key), *request);
}
omnistore_status OMNISTORE_CALL watch(void *self, omnistore_call *, const omnistore_watch_request *request,
                                      omnistore_watcher *watcher, void **watch) {
  return of(self).watch(*request, watcher, watch);
}
void OMNISTORE_CALL unwatch(void *self, void *watch) { of(self).unwatch(watch); }

omnistore_status OMNISTORE_CALL get_changed(void *self, omnistore_call *call, omnistore_bytes key,
                                            const omnistore_get_request *request, omnistore_bytes, omnistore_sink *sink,
                                            std::uint32_t *unchanged) {
  *unchanged = 0; // it never looks: right only for a driver that has changed
  return of(self).get(call, as_view(key), *request, sink, true);
}
omnistore_status OMNISTORE_CALL count_wrongly(void *, omnistore_call *, omnistore_sink *sink) {
  return omnistore::give(*sink, "three");
}
omnistore_status OMNISTORE_CALL count_anew(void *, omnistore_call *, omnistore_sink *sink) {
  static std::atomic<int> calls;
  return omnistore::give(*sink, R"({"counters": {"call_)" + std::to_string(++calls) + R"(": 1}})");
}
omnistore_status OMNISTORE_CALL explain_and_remove(void *self, omnistore_call *call, omnistore_bytes key,
                                                   omnistore_sink *sink) {
  const omnistore_remove_request request{sizeof request, 0, OMNISTORE_ALWAYS, 0, {nullptr, 0}};
  of(self).remove(call, as_view(key), request);
  return omnistore::give(*sink, "{}");
}
std::int64_t OMNISTORE_CALL lag_of_none(void *, void *) { return 0; }
omnistore_status OMNISTORE_CALL explain_wrongly(void *, omnistore_call *, omnistore_bytes, omnistore_sink *sink) {
  return omnistore::give(*sink, "it is a value like any other");
}
omnistore_status OMNISTORE_CALL be_ill(void *, omnistore_call *call) {
  return fail(call, OMNISTORE_UNAVAILABLE, "it is ill for ever");
}
omnistore_status OMNISTORE_CALL find_wrong(omnistore_call *, omnistore_bytes, std::uint32_t,
                                           omnistore_problems *problems) {
  problems->add(problems, as_bytes("name"), as_bytes("it is never right"));
  return OMNISTORE_OK;
}
const void *OMNISTORE_CALL extension(void *self, const char *id) {
  static constexpr omnistore_revalidate changed{sizeof changed, 0, get_changed};
  static constexpr omnistore_stats stats{sizeof stats, 0, count_wrongly};
  static constexpr omnistore_explain explain{sizeof explain, 0, explain_wrongly};
  static constexpr omnistore_health health{sizeof health, 0, be_ill};
  static constexpr omnistore_stats anew{sizeof anew, 0, count_anew};
  static constexpr omnistore_explain removes{sizeof removes, 0, explain_and_remove};
  static constexpr omnistore_lag lag{sizeof lag, 0, lag_of_none, nullptr};
  if (!self) return nullptr;
  if (of(self).wrong("stats-steady") && std::string_view(id) == OMNISTORE_STATS) return &anew;
  if (of(self).wrong("explain-changes-nothing") && std::string_view(id) == OMNISTORE_EXPLAIN) return &removes;
  if (of(self).wrong("lag-proves") && std::string_view(id) == OMNISTORE_LAG) return &lag;
  if (of(self).wrong("health") && std::string_view(id) == OMNISTORE_HEALTH) return &health;
  if (of(self).wrong("extensions-named")) return &changed;
  if (of(self).wrong("explain") && std::string_view(id) == OMNISTORE_EXPLAIN) return &explain;
  if (of(self).wrong("revalidate") && std::string_view(id) == OMNISTORE_REVALIDATE) return &changed;
  if (of(self).wrong("stats-numbers") && std::string_view(id) == OMNISTORE_STATS) return &stats;
  return nullptr;
}
const void *OMNISTORE_CALL extension_of_driver(void *, const char *id) {
  static constexpr omnistore_validate validate{sizeof validate, 0, find_wrong};
  return std::string_view(id) == OMNISTORE_VALIDATE ? &validate : nullptr;
}

constexpr omnistore_traits traits_of(std::string_view rule) {
  omnistore_traits traits{};
  traits.size = sizeof traits;
  traits.thread_model = rule == "traits-stated" ? 0 : OMNISTORE_PARALLEL;
  traits.capabilities = OMNISTORE_NEVER_BLOCKS | OMNISTORE_NESTS | OMNISTORE_CAN_TTL | OMNISTORE_CAN_META |
                        OMNISTORE_CAN_ETAG | OMNISTORE_CAN_IF_ABSENT | OMNISTORE_CAN_IF_PRESENT |
                        OMNISTORE_CAN_IF_MATCH | OMNISTORE_CAN_RANGE | OMNISTORE_CAN_STREAM | OMNISTORE_CAN_DEPTH |
                        OMNISTORE_CAN_LIST_META | OMNISTORE_WATCHES_OWN | OMNISTORE_CAN_LIST_RANGE |
                        OMNISTORE_CAN_LIST_REVERSE | OMNISTORE_CAN_LIST_FOLDERS;
  if (rule == "read-only") traits.capabilities = OMNISTORE_READS_ONLY;
  traits.max_key_size = longest_key;
  traits.max_value_size = largest_value;
  traits.keeps = OMNISTORE_KEEPS_NOTHING;
  traits.order = OMNISTORE_ORDER_KEYS;
  return traits;
}

struct Table {
  omnistore_traits traits;
  omnistore_driver driver;
  std::string name;
};

template <std::size_t I>
void fill(std::array<Table, count + 1> &tables) {
  const std::string_view rule = I < count ? rules[I] : "";
  Table &table = tables[I];
  table.name = rule.empty() ? "right" : "wrong-" + std::string(rule);
  if (rule == "names") table.name = "wrong-names_";
  table.traits = traits_of(rule);
  omnistore_driver &driver = table.driver;
  driver = {};
  driver.size = sizeof driver;
  driver.name = table.name.c_str();
  driver.version = "1.0.0";
  driver.summary = "A map for tests";
  driver.options_schema = rule == "schema" ? R"({"type": "object", "properties": {"name": {"type": "text"}}})" : schema;
  driver.traits = &table.traits;
  driver.open = open<I>;
  driver.close = close;
  driver.get = get;
  driver.stat = stat;
  driver.set = set;
  driver.remove = remove;
  driver.list = rule == "table-whole" ? nullptr : list;
  driver.clear = clear;
  driver.get_many = get_many;
  driver.stat_many = stat_many;
  driver.set_many = set_many;
  driver.remove_many = remove_many;
  driver.touch = touch;
  driver.watch = watch;
  driver.unwatch = unwatch;
  driver.extension = rule == "validate" ? extension_of_driver : extension;
}

} // namespace

extern "C" OMNISTORE_EXPORT const omnistore_plugin *OMNISTORE_CALL omnistore_plugin_entry(const omnistore_abi *) {
  static std::array<Table, count + 1> tables;
  static std::array<const omnistore_driver *, count + 1> drivers;
  static const omnistore_plugin plugin = [] {
    [&]<std::size_t... I>(std::index_sequence<I...>) { (fill<I>(tables), ...); }
    (std::make_index_sequence<count + 1>());
    for (std::size_t i = 0; i <= count; ++i) drivers[i] = &tables[i].driver;
    omnistore_plugin made{};
    made.size = sizeof made;
    made.abi_major = OMNISTORE_ABI_MAJOR;
    made.abi_minor = OMNISTORE_ABI_MINOR;
    made.name = "map";
    made.version = "1.0.0";
    made.driver_count = static_cast<std::uint32_t>(count + 1);
    made.drivers = drivers.data();
    return made;
  }();
  return &plugin;
}
