// SPDX-License-Identifier: Apache-2.0
// Conditional writes, alone and against other writers.
#include <atomic>
#include <thread>

#include "expect.hpp"
#include "rule.hpp"
#include "together.hpp"

namespace omnistore::kit {
namespace {

void if_absent(Bench &bench) {
  Store &store = bench.store();
  expect_ok(store.set(bench.key("c"), "first", {.condition = OMNISTORE_IF_ABSENT}), "set if absent of a new key");
  expect(store.set(bench.key("c"), "second", {.condition = OMNISTORE_IF_ABSENT}), OMNISTORE_CONFLICT,
         "set if absent of a key that is there");
  expect_value(store.get(bench.key("c")), "first", "get after a set that conflicted");
  expect_ok(store.remove(bench.key("c")), "remove");
  expect_ok(store.set(bench.key("c"), "third", {.condition = OMNISTORE_IF_ABSENT}), "set if absent after remove");
}

void if_present(Bench &bench) {
  Store &store = bench.store();
  expect(store.set(bench.key("c"), "first", {.condition = OMNISTORE_IF_PRESENT}), OMNISTORE_CONFLICT,
         "set if present of a new key");
  expect_none(store.get(bench.key("c")), "get after a set that conflicted");
  put(store, bench.key("c"), "old");
  expect_ok(store.set(bench.key("c"), "new", {.condition = OMNISTORE_IF_PRESENT}), "set if present");
  expect_value(store.get(bench.key("c")), "new", "get after set if present");
}

void if_match(Bench &bench) {
  Store &store = bench.store();
  const std::string key = bench.key("c");
  expect(store.set(key, "first", {.condition = OMNISTORE_IF_MATCH, .etag = "none"}), OMNISTORE_CONFLICT,
         "set if match of a new key");
  expect_none(store.get(key), "get after a set that conflicted");
  put(store, key, "one");
  const std::string first = etag_of(store, key);
  expect_ok(store.set(key, "two", {.condition = OMNISTORE_IF_MATCH, .etag = first}),
            "set if match of the value's etag");
  expect(store.set(key, "three", {.condition = OMNISTORE_IF_MATCH, .etag = first}), OMNISTORE_CONFLICT,
         "set if match of an older etag");
  expect_value(store.get(key), "two", "get after a set that conflicted");
}

void remove_if_match(Bench &bench) {
  Store &store = bench.store();
  const std::string key = bench.key("c");
  expect(store.remove(key, OMNISTORE_IF_MATCH, "none"), OMNISTORE_CONFLICT,
         "remove if match of a key that is not there");
  put(store, key, "one");
  const std::string first = etag_of(store, key);
  put(store, key, "two");
  expect(store.remove(key, OMNISTORE_IF_MATCH, first), OMNISTORE_CONFLICT, "remove if match of an older etag");
  expect_value(store.get(key), "two", "get after a remove that conflicted");
  expect_ok(store.remove(key, OMNISTORE_IF_MATCH, etag_of(store, key)), "remove if match of the value's etag");
  expect_none(store.get(key), "get after remove if match");
}

void remove_if_present(Bench &bench) {
  Store &store = bench.store();
  put(store, bench.key("c"), "value");
  expect_ok(store.remove(bench.key("c"), OMNISTORE_IF_PRESENT), "remove if present");
  expect_none(store.get(bench.key("c")), "get after remove if present");
  expect(store.remove(bench.key("c"), OMNISTORE_IF_PRESENT), OMNISTORE_NOT_FOUND,
         "remove if present of a key that is not there");
}

void one_first(Bench &bench) {
  Store &store = bench.store();
  constexpr int threads = 4;
  for (std::size_t round = 0; round < bench.times(100); ++round) {
    const std::string key = bench.key("first" + std::to_string(round));
    std::atomic<int> won = 0;
    std::atomic<int> winner = -1;
    together(threads, [&](int i) {
      const CallResult done = store.set(key, "thread " + std::to_string(i), {.condition = OMNISTORE_IF_ABSENT});
      if (done.ok()) {
        ++won;
        winner = i;
      } else {
        expect(done, OMNISTORE_CONFLICT, "set if absent beside others");
      }
    });
    require(won == 1,
            std::to_string(won) + " of " + std::to_string(threads) + " writers were each the first to set a key");
    expect_value(store.get(key), "thread " + std::to_string(winner), "get after one of several won");
  }
}

void nothing_lost(Bench &bench) {
  Store &store = bench.store();
  const std::string key = bench.key("count");
  put(store, key, "0");
  constexpr int threads = 4;
  const auto each = static_cast<int>(bench.times(50));
  together(threads, [&](int) {
    for (int added = 0; added < each;) {
      const GetResult got = store.stat(key, OMNISTORE_GET_META);
      expect_ok(got, "stat");
      const std::string etag = got.known_meta().etag;
      // get may read a later value than stat. Its etag then differs, and the set conflicts.
      const GetResult value = store.get(key);
      expect_ok(value, "get");
      const CallResult done =
          store.set(key, std::to_string(std::stoi(value.bytes) + 1), {.condition = OMNISTORE_IF_MATCH, .etag = etag});
      if (done.ok())
        ++added;
      else
        expect(done, OMNISTORE_CONFLICT, "set if match beside others");
    }
  });
  expect_value(store.get(key), std::to_string(threads * each), "a counter that four threads raised by set if match");
}

} // namespace

std::span<const Rule> condition_rules() {
  static constexpr Rule rules[] = {
      {"if-absent", "there is no live value", OMNISTORE_CAN_IF_ABSENT, if_absent},
      {"if-present", "there is a live value", OMNISTORE_CAN_IF_PRESENT, if_present},
      {"if-match", "there is a live value, and its etag is the request's", OMNISTORE_CAN_IF_MATCH, if_match},
      {"if-present-remove", "OMNISTORE_ALWAYS, OMNISTORE_IF_PRESENT (the same here)", OMNISTORE_CAN_IF_PRESENT,
       remove_if_present},
      {"if-match-remove", "(with OMNISTORE_IF_MATCH: OMNISTORE_CONFLICT)", OMNISTORE_CAN_IF_MATCH, remove_if_match},
      {"if-absent-one-wins", "OMNISTORE_IF_ABSENT, atomically, against every other writer", OMNISTORE_CAN_IF_ABSENT,
       one_first},
      {"if-match-loses-nothing", "OMNISTORE_IF_MATCH, likewise, for set and remove", OMNISTORE_CAN_IF_MATCH,
       nothing_lost},
  };
  return rules;
}

} // namespace omnistore::kit
