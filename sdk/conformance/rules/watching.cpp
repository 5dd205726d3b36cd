// SPDX-License-Identifier: Apache-2.0
// Watches, and the events of a store's own removals.
#include <thread>

#include "expect.hpp"
#include "rule.hpp"

namespace omnistore::kit {
namespace {

bool is_about(const Change &change, std::uint32_t type, const std::string &key) {
  return change.type == OMNISTORE_EVENT_RESYNC || (change.type == type && change.key == key);
}

/// Skips the rule if the watch has said that it does not report all changes of others.
void skip_if_limited(const Watch &watch) {
  for (const Change &each : watch.changes())
    if (each.type == OMNISTORE_EVENT_LIMITED) throw Skipped("a watch reports only a part of the changes: " + each.key);
}

/// Throws unless the watch reports this change of another store.
void expect_change(const Watch &watch, std::uint32_t type, const std::string &key, const std::string &what) {
  if (watch.wait([&](const Change &c) { return is_about(c, type, key); }, Store::patience)) return;
  skip_if_limited(watch);
  throw Broken("a watch did not report " + what);
}

/// Skips the rule unless a store can see the changes of another store with the same options.
Store &shared(Bench &bench) {
  if (bench.is_layer()) throw Skipped("the stores below it report the changes of others");
  Store &store = bench.store();
  if (!store.can(OMNISTORE_SHARED)) throw Skipped("only this store changes what it holds");
  if (store.traits().keeps < OMNISTORE_KEEPS_PROCESS) throw Skipped("no other store sees what it holds");
  return store;
}

void reports_own(Bench &bench) {
  Store &store = bench.store();
  const std::unique_ptr<Watch> watch = store.watch(bench.key("w:"));
  put(store, bench.key("w:a"), "value");
  require(watch->wait([&](const Change &c) { return is_about(c, OMNISTORE_EVENT_UPDATE, bench.key("w:a")); },
                      Store::patience),
          "it claims OMNISTORE_WATCHES_OWN, and a watch did not report a set");
  expect_ok(store.remove(bench.key("w:a")), "remove");
  require(watch->wait([&](const Change &c) { return is_about(c, OMNISTORE_EVENT_REMOVE, bench.key("w:a")); },
                      Store::patience),
          "it claims OMNISTORE_WATCHES_OWN, and a watch did not report a removal");
}

void tells_others(Bench &bench) {
  Store &store = shared(bench);
  const std::unique_ptr<Watch> watch = store.watch(bench.key("w:"));
  const std::unique_ptr<Store> other = bench.another();
  put(*other, bench.key("w:a"), "value");
  expect_change(*watch, OMNISTORE_EVENT_UPDATE, bench.key("w:a"), "a set by another store");
  expect_ok(other->remove(bench.key("w:a")), "remove by another store");
  expect_change(*watch, OMNISTORE_EVENT_REMOVE, bench.key("w:a"), "a removal by another store");
}

void tells_its_base(Bench &bench) {
  Store &store = bench.store();
  const bool own = store.can(OMNISTORE_WATCHES_OWN);
  if (!own) shared(bench);
  const std::unique_ptr<Watch> watch = store.watch(bench.key("w:"));
  const std::unique_ptr<Store> other = own ? nullptr : bench.another();
  Store &writer = own ? store : *other;
  for (const std::string name : {"v:a", "ww:a", "x"}) put(writer, bench.key(name), "value");
  put(writer, bench.key("w:last"), "value");
  expect_change(*watch, OMNISTORE_EVENT_UPDATE, bench.key("w:last"), "a set under its base");
  for (const Change &each : watch->changes())
    require((each.type != OMNISTORE_EVENT_UPDATE && each.type != OMNISTORE_EVENT_REMOVE) ||
                each.key.starts_with(bench.key("w:")),
            "a watch of " + shown(bench.key("w:")) + " reported " + shown(each.key));
}

void ends(Bench &bench) {
  Store &store = bench.store();
  for (std::size_t i = 0; i < bench.times(20); ++i) {
    const std::unique_ptr<Watch> watch = store.watch(bench.base());
    if (!store.can(OMNISTORE_READS_ONLY)) put(store, bench.key("w" + std::to_string(i)), "value");
    watch->end(); // a later event uses unmapped memory and faults
    if (!store.can(OMNISTORE_READS_ONLY)) put(store, bench.key("w"), "value");
  }
}

void limits_have_reasons(Bench &bench) {
  Store &store = bench.store();
  const std::unique_ptr<Watch> watch = store.watch(bench.base());
  if (!store.can(OMNISTORE_READS_ONLY)) put(store, bench.key("w"), "value");
  const auto is_limit = [](const Change &c) { return c.type == OMNISTORE_EVENT_LIMITED; };
  if (!watch->wait(is_limit, std::chrono::milliseconds(300))) throw Skipped("its watches report no limit");
  for (const Change &each : watch->changes()) {
    if (!is_limit(each)) continue;
    require(!each.key.empty(), "a watch said that it does not report all changes, and gave no reason");
    require(!each.key.starts_with(bench.base()), "a key in place of the reason why a watch is limited");
    require(each.key.find('\n') == std::string::npos && !each.key.ends_with('.'),
            "the reason why a watch is limited is not one line without a full stop: " + shown(each.key));
  }
}

void many_watches(Bench &bench) {
  Store &store = bench.store();
  std::vector<std::unique_ptr<Watch>> watches;
  for (int i = 0; i < 8; ++i) watches.push_back(store.watch(i % 2 ? bench.base() : ""));
  if (!store.can(OMNISTORE_READS_ONLY)) put(store, bench.key("w"), "value");
  watches.erase(watches.begin(), watches.begin() + 4);
  if (!store.can(OMNISTORE_READS_ONLY)) put(store, bench.key("w"), "value");
}

void announces_truth(Bench &bench) {
  Store &store = bench.store();
  const std::int64_t end = KitHost::time() + 100;
  put(store, bench.key("ends"), "value", {.expiry = end});
  put(store, bench.key("later"), "value", {.expiry = end + 3'600'000});
  put(store, bench.key("stays"), "value");
  put(store, bench.key("removed"), "value");
  expect_ok(store.remove(bench.key("removed")), "remove");
  while (KitHost::time() <= end + 300) {
    store.get(bench.key("ends"));
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  for (const auto &[cause, key] : store.host().events()) {
    require(cause == OMNISTORE_CAUSE_EXPIRED || cause == OMNISTORE_CAUSE_EVICTED,
            "it announced the cause " + std::to_string(cause) + " for " + shown(key) + ", which only the host reports");
    if (cause == OMNISTORE_CAUSE_EXPIRED)
      require(key == bench.key("ends"), "it announced that " + shown(key) + " has expired, which it has not");
  }
}

} // namespace

std::span<const Rule> watch_rules() {
  static constexpr Rule rules[] = {
      {"watch-own", "watch also reports the changes made through this store's functions", OMNISTORE_WATCHES_OWN,
       reports_own},
      {"watch-others", "Starts to report to `watcher` the changes under a base that others made", 0, tells_others},
      {"watch-base", "changes of keys that start with it", 0, tells_its_base},
      {"watch-limited", "is not a key but the reason, a text for people.", for_readers, limits_have_reasons},
      {"watch-ends", "Ends a watch, and returns after its last event has been reported.", for_readers, ends},
      {"watch-many", "Starts to report to `watcher` the changes under a base", for_readers, many_watches},
      {"announces-truth", "Reports a removal that the store made by itself (causes EXPIRED and EVICTED).",
       OMNISTORE_CAN_TTL, announces_truth},
  };
  return rules;
}

} // namespace omnistore::kit
