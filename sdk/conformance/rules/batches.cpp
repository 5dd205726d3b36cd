// SPDX-License-Identifier: Apache-2.0
// get_many, set_many and remove_many.
#include "expect.hpp"
#include "rule.hpp"

namespace omnistore::kit {
namespace {

std::size_t most(Store &store, std::size_t wanted) {
  const std::uint32_t stated = store.traits().max_batch;
  return stated && stated < wanted ? stated : wanted;
}

void gets_many(Bench &bench) {
  Store &store = bench.store();
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < most(store, 40); ++i) {
    keys.push_back(bench.key("g" + std::to_string(i)));
    if (i % 3) put(store, keys[i], bytes_of(i * 100, static_cast<unsigned>(i)));
  }
  const std::vector<GetResult> all = store.get_many(keys, {.flags = OMNISTORE_GET_META});
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::string what = "item " + std::to_string(i) + " of get_many";
    if (i % 3)
      expect_value(all[i], bytes_of(i * 100, static_cast<unsigned>(i)), what);
    else
      expect_none(all[i], what);
    if (all[i].meta && !all[i].known_meta().etag.empty() && i % 3)
      require(all[i].known_meta().etag == store.stat(keys[i], OMNISTORE_GET_META).known_meta().etag,
              what + " has another etag than stat gives");
  }
}

void gets_twice(Bench &bench) {
  Store &store = bench.store();
  if (most(store, 3) < 3) throw Skipped("it takes no three items");
  put(store, bench.key("g"), "value");
  for (const GetResult &each : store.get_many({bench.key("g"), bench.key("g"), bench.key("g")}))
    expect_value(each, "value", "a key that is in get_many three times");
}

void gets_beside_a_failure(Bench &bench) {
  Store &store = bench.store();
  if (most(store, 3) < 3) throw Skipped("it takes no three items");
  for (const std::string name : {"a", "b", "c"}) put(store, bench.key(name), "value of " + name);
  const std::vector<GetResult> all = store.get_many({bench.key("a"), bench.key("b"), bench.key("c")}, {}, 1);
  expect(all[1], OMNISTORE_NO_SPACE, "the item of get_many whose sink returned NO_SPACE");
  expect_value(all[0], "value of a", "the item before it");
  expect_value(all[2], "value of c", "the item after it");
}

void sets_many(Bench &bench) {
  Store &store = bench.store();
  std::vector<Store::Item> items;
  const std::size_t count = most(store, 40);
  for (std::size_t i = 0; i < count; ++i)
    items.push_back({bench.key("s" + std::to_string(i)), bytes_of(i * 100, static_cast<unsigned>(i))});
  for (const CallResult &each : store.set_many(items)) expect_ok(each, "an item of set_many");
  for (const Store::Item &each : items) expect_value(store.get(each.key), each.value, "get after set_many");
}

void last_wins(Bench &bench) {
  Store &store = bench.store();
  if (most(store, 3) < 3) throw Skipped("it takes no three items");
  for (const CallResult &each :
       store.set_many({{bench.key("s"), "one"}, {bench.key("s"), "two"}, {bench.key("s"), "three"}}))
    expect_ok(each, "an item of set_many");
  expect_value(store.get(bench.key("s")), "three", "get of a key that stood in set_many three times");
}

void sets_with_conditions(Bench &bench) {
  Store &store = bench.store();
  if (most(store, 3) < 3) throw Skipped("it takes no three items");
  put(store, bench.key("there"), "old");
  const std::vector<CallResult> all = store.set_many({{bench.key("new"), "value", {.condition = OMNISTORE_IF_ABSENT}},
                                                      {bench.key("there"), "value", {.condition = OMNISTORE_IF_ABSENT}},
                                                      {bench.key("always"), "value"}});
  expect_ok(all[0], "the item of set_many whose condition holds");
  expect(all[1], OMNISTORE_CONFLICT, "the item of set_many whose condition does not hold");
  expect_ok(all[2], "the item of set_many after it");
  expect_value(store.get(bench.key("there")), "old", "get after an item that conflicted");
  expect_value(store.get(bench.key("always")), "value", "get of the item after it");
}

void sets_with_expiries(Bench &bench) {
  Store &store = bench.store();
  if (most(store, 2) < 2) throw Skipped("it takes no two items");
  const std::int64_t end = KitHost::time() + 3'600'000;
  for (const CallResult &each :
       store.set_many({{bench.key("ends"), "value", {.expiry = end}}, {bench.key("stays"), "value"}}))
    expect_ok(each, "an item of set_many");
  const std::int64_t told = store.stat(bench.key("ends")).known_meta().expiry;
  require(told >= end && told <= end + 1000, "an item of set_many has another expiry than it was given");
  require(store.stat(bench.key("stays")).known_meta().expiry == 0, "an item of set_many has the expiry of another");
}

void stats_many(Bench &bench) {
  Store &store = bench.store();
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < most(store, 30); ++i) {
    keys.push_back(bench.key("s" + std::to_string(i)));
    if (i % 3) put(store, keys[i], bytes_of(i * 10));
  }
  const std::vector<GetResult> all = store.get_many(keys, {.flags = OMNISTORE_GET_META}, {}, true);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const std::string what = "item " + std::to_string(i) + " of stat_many";
    expect(all[i], i % 3 ? OMNISTORE_OK : OMNISTORE_NOT_FOUND, what);
    if (i % 3 == 0) continue;
    const GetResult one = store.stat(keys[i], OMNISTORE_GET_META);
    require(all[i].known_meta().size == one.known_meta().size && all[i].known_meta().etag == one.known_meta().etag &&
                all[i].known_meta().expiry == one.known_meta().expiry &&
                all[i].known_meta().mtime == one.known_meta().mtime,
            what + " gives another meta than stat");
  }
}

void sets_with_results(Bench &bench) {
  Store &store = bench.store();
  if (most(store, 3) < 3) throw Skipped("it takes no three items");
  std::vector<Store::Item> items = {{bench.key("a"), "one"}, {bench.key("b"), "two"}, {bench.key("c"), "three"}};
  items[0].how.wants_meta = items[2].how.wants_meta = true;
  const std::vector<CallResult> all = store.set_many(items);
  for (std::size_t i = 0; i < items.size(); ++i) expect_ok(all[i], "item " + std::to_string(i) + " of set_many");
  for (const std::size_t i : {0u, 2u})
    require(all[i].known_meta().etag == etag_of(store, items[i].key),
            "item " + std::to_string(i) + " of set_many gives another etag than stat");
  require(!all[1].meta, "set_many gave the meta of an item whose result is null");
}

void removes_with_conditions(Bench &bench) {
  Store &store = bench.store();
  if (most(store, 3) < 3) throw Skipped("it takes no three items");
  for (const std::string name : {"a", "b", "c"}) put(store, bench.key(name), "value of " + name);
  const std::vector<CallResult> all = store.remove_many({bench.key("a"), bench.key("b"), bench.key("c")},
                                                        {etag_of(store, bench.key("a")), "other", ""});
  expect_ok(all[0], "the item of remove_many whose etag matches");
  expect(all[1], OMNISTORE_CONFLICT, "the item of remove_many whose etag does not match");
  expect_ok(all[2], "the item of remove_many without a condition");
  expect_listed(store, bench.base(), {bench.key("b")}, "a listing after remove_many with conditions");
}

void removes_many(Bench &bench) {
  Store &store = bench.store();
  std::vector<std::string> keys;
  const std::size_t count = most(store, 30);
  for (std::size_t i = 0; i < count; ++i) {
    keys.push_back(bench.key("r" + std::to_string(i)));
    if (i % 3) put(store, keys[i], "value");
  }
  put(store, bench.key("stays"), "value");
  const std::vector<CallResult> all = store.remove_many(keys);
  for (std::size_t i = 0; i < keys.size(); ++i)
    expect(all[i], i % 3 ? OMNISTORE_OK : OMNISTORE_NOT_FOUND, "item " + std::to_string(i) + " of remove_many");
  expect_listed(store, bench.base(), {bench.key("stays")}, "a listing after remove_many");
}

void messages_of_items(Bench &bench) {
  Store &store = bench.store();
  if (most(store, 3) < 3) throw Skipped("it takes no three items");
  const omnistore_traits &traits = store.traits();
  std::vector<Store::Item> items = {{bench.key("a"), "one"}, {bench.key("b"), "two"}, {bench.key("c"), "three"}};
  if (traits.max_key_size && traits.max_key_size < OMNISTORE_MAX_KEY_SIZE)
    items[1].key.append(traits.max_key_size, 'x');
  else if (traits.max_value_size && traits.max_value_size < (64u << 20))
    items[1].value.assign(traits.max_value_size + 1, 'x');
  else
    throw Skipped("it states no limit over which an item would fail");
  const std::vector<CallResult> all = store.set_many(items);
  if (all[1].ok()) throw Skipped("it takes more than it states");
  expect_ok(all[0], "the item before one that fails");
  expect_ok(all[2], "the item after one that fails");
  require(!all[1].message.empty(),
          "item 1 of set_many failed with " + name_of(all[1].status) + ", and gave no message with item 1");
}

void largest_batches(Bench &bench) {
  Store &store = bench.store();
  const std::size_t count = most(store, bench.times(256));
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < count; ++i) keys.push_back(bench.key("l" + std::to_string(i)));
  std::vector<Store::Item> items;
  for (const std::string &key : keys) items.push_back({key, "value of " + key});
  const std::string what = " of " + std::to_string(count) + " items";
  if (store.driver().set_many)
    for (const CallResult &each : store.set_many(items)) expect_ok(each, "an item of set_many" + what);
  else
    for (const Store::Item &each : items) put(store, each.key, each.value);
  if (store.driver().get_many)
    for (std::size_t i = 0; const GetResult &each : store.get_many(keys))
      expect_value(each, items[i++].value, "an item of get_many" + what);
  if (store.driver().remove_many)
    for (const CallResult &each : store.remove_many(keys)) expect_ok(each, "an item of remove_many" + what);
}

} // namespace

std::span<const Rule> batch_rules() {
  static constexpr Rule rules[] = {
      {"many-get", "The driver stores item i's outcome in statuses[i]", 0, gets_many},
      {"many-get-twice", "A key may stand in a batch twice", 0, gets_twice},
      {"many-get-beside-failure", "An item that fails, even because its sink does not take it, does not end the batch.",
       0, gets_beside_a_failure},
      {"many-messages", "gives its failure to `fail` with item i", 0, messages_of_items},
      {"many-largest", "items that one ..._many takes; 0 if there is no limit", 0, largest_batches},
      {"many-set", "The batches: get, stat, set and remove of `count` keys in fewer round trips than `count`.", 0,
       sets_many},
      {"many-set-last-wins", "then the last set wins", 0, last_wins},
      {"many-set-conditions", "The functions return OMNISTORE_OK if they stored every status, whatever it is",
       OMNISTORE_CAN_IF_ABSENT, sets_with_conditions},
      {"many-set-expiries", "when the value expires; 0 means never", OMNISTORE_CAN_TTL, sets_with_expiries},
      {"many-stat", "keys[i], *requests[i] and the sink of i belong together", 0, stats_many},
      {"many-set-results", "the driver calls the sink's begin with the new value's meta as set does",
       OMNISTORE_CAN_ETAG, sets_with_results},
      {"many-remove-conditions", "keys[i], *requests[i] and the sink of i belong together", OMNISTORE_CAN_IF_MATCH,
       removes_with_conditions},
      {"many-remove", "The driver stores item i's outcome in statuses[i]", 0, removes_many},
  };
  return rules;
}

} // namespace omnistore::kit
