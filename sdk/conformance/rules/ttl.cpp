// SPDX-License-Identifier: Apache-2.0
// Expiries. They use the system's clock, from which the clock of a remote backend may differ, so that each expiry has
// some seconds of tolerance.
#include <algorithm>
#include <thread>

#include "expect.hpp"
#include "rule.hpp"

namespace omnistore::kit {
namespace {

using std::chrono::milliseconds;

/// Returns a moment soon: late enough for the driver to keep it, and early enough to wait for it.
std::int64_t soon(Store &) { return KitHost::time() + 150; }

void wait_past(std::int64_t expiry) {
  while (KitHost::time() <= expiry) std::this_thread::sleep_for(milliseconds(5));
}

/// Waits until `over` is true. Returns false if it does not become true.
bool becomes(const std::function<bool()> &over) {
  const auto end = std::chrono::steady_clock::now() + Store::patience;
  while (!over()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

void values_end(Bench &bench) {
  Store &store = bench.store();
  const std::int64_t end = soon(store);
  put(store, bench.key("t"), "value", {.expiry = end});
  put(store, bench.key("stays"), "value");
  if (KitHost::time() < end - 50) expect_value(store.get(bench.key("t")), "value", "get before the expiry");
  wait_past(end);
  require(becomes([&] { return store.get(bench.key("t")).status == OMNISTORE_NOT_FOUND; }),
          "get gives a value " + std::to_string(KitHost::time() - end) + " ms after its expiry");
  expect_none(store.stat(bench.key("t")), "stat after the expiry");
  expect_listed(store, bench.base(), {bench.key("stays")}, "a listing after the expiry");
  expect(store.remove(bench.key("t")), OMNISTORE_NOT_FOUND, "remove after the expiry");
}

void expiry_is_told(Bench &bench) {
  Store &store = bench.store();
  const std::int64_t end = KitHost::time() + 3'600'000;
  put(store, bench.key("t"), "value", {.expiry = end});
  const GetResult found = store.stat(bench.key("t"));
  require(found.known_meta().expiry >= end && found.known_meta().expiry <= end + 1000,
          "stat gives the expiry " + std::to_string(found.known_meta().expiry) + "; " + std::to_string(end) +
              " was set");
  put(store, bench.key("t"), "value");
  require(store.stat(bench.key("t")).known_meta().expiry == 0, "a set without an expiry left that of the older value");
}

void set_in_the_past(Bench &bench) {
  Store &store = bench.store();
  put(store, bench.key("p"), "old");
  expect_ok(store.set(bench.key("p"), "new", {.expiry = KitHost::time() - 10'000}), "set with an expiry in the past");
  require(becomes([&] { return store.get(bench.key("p")).status == OMNISTORE_NOT_FOUND; }),
          "get gives a value whose expiry had passed when it was set, or the one before it");
  expect_listed(store, bench.base(), {}, "a listing after it");
}

void expiry_is_exact(Bench &bench) {
  Store &store = bench.store();
  const std::int64_t grain = std::max<std::int64_t>(store.traits().ttl_grain, 1);
  const auto check = [&](std::int64_t end, std::int64_t begun, const char *how) {
    const std::int64_t told = store.stat(bench.key("t")).known_meta().expiry;
    require(same_expiry(store, told, end, KitHost::time() - begun),
            "stat gives the expiry " + std::to_string(told) + ", and " + how + " " + std::to_string(end) +
                "; its ttl_grain is " + std::to_string(store.traits().ttl_grain));
  };
  for (const std::int64_t more : {3'600'001, 7'200'499}) {
    std::int64_t begun = KitHost::time();
    const std::int64_t end = (begun + more + grain - 1) / grain * grain;
    put(store, bench.key("t"), "value", {.expiry = end});
    check(end, begun, "set gave it");
    if (!store.driver().touch) continue;
    begun = KitHost::time();
    expect_ok(store.touch(bench.key("t"), end + grain), "touch of the expiry");
    check(end + grain, begun, "touch gave it");
  }
}

void condition_before_expiry(Bench &bench) {
  Store &store = bench.store();
  const SetOptions how{.expiry = KitHost::time() - 10'000, .condition = OMNISTORE_IF_ABSENT};
  put(store, bench.key("p"), "old");
  expect(store.set(bench.key("p"), "new", how), OMNISTORE_CONFLICT,
         "set if absent, with an expiry in the past, of a key that is there");
  expect_value(store.get(bench.key("p")), "old", "get after a set that conflicted");
  expect_ok(store.set(bench.key("q"), "new", how), "set if absent, with an expiry in the past, of a new key");
  require(becomes([&] { return store.get(bench.key("q")).status == OMNISTORE_NOT_FOUND; }),
          "get gives a value whose expiry had passed when it was set");
}

void touch_moves(Bench &bench) {
  Store &store = bench.store();
  const std::string key = bench.key("t");
  put(store, key, "value", {.expiry = KitHost::time() + 60'000});
  const GetResult before = store.stat(key, OMNISTORE_GET_META);
  expect_ok(store.touch(key, 0), "touch to no expiry");
  require(store.stat(key).known_meta().expiry == 0, "after touch to no expiry there is one");
  const std::int64_t end = KitHost::time() + 3'600'000;
  expect_ok(store.touch(key, end), "touch of the expiry");
  const GetResult after = store.stat(key, OMNISTORE_GET_META);
  require(after.known_meta().expiry >= end && after.known_meta().expiry <= end + 1000,
          "touch set another expiry than the requested one");
  require(after.known_meta().etag == before.known_meta().etag, "touch changed the etag");
  require(after.known_meta().mtime == before.known_meta().mtime, "touch changed the mtime");
  expect_value(store.get(key), "value", "get after touch");
  expect(store.touch(bench.key("missing"), end), OMNISTORE_NOT_FOUND, "touch of a key that was never set");
  expect_none(store.get(bench.key("missing")), "get after that touch");
}

void touch_in_the_past(Bench &bench) {
  Store &store = bench.store();
  put(store, bench.key("t"), "value");
  expect_ok(store.touch(bench.key("t"), KitHost::time() - 10'000), "touch to an expiry in the past");
  require(becomes([&] { return store.get(bench.key("t")).status == OMNISTORE_NOT_FOUND; }),
          "get gives a value that was touched to an expiry in the past");
}

void touch_ends(Bench &bench) {
  Store &store = bench.store();
  put(store, bench.key("t"), "value");
  const std::int64_t end = soon(store);
  expect_ok(store.touch(bench.key("t"), end), "touch of the expiry");
  wait_past(end);
  require(becomes([&] { return store.get(bench.key("t")).status == OMNISTORE_NOT_FOUND; }),
          "get gives a value after the expiry that touch has set");
}

void ended_is_absent(Bench &bench) {
  Store &store = bench.store();
  const auto ended = [&] {
    const std::int64_t end = soon(store);
    put(store, bench.key("t"), "old", {.expiry = end});
    wait_past(end);
    require(becomes([&] { return store.get(bench.key("t")).status == OMNISTORE_NOT_FOUND; }), "a value does not end");
  };
  ended();
  if (store.can(OMNISTORE_CAN_IF_PRESENT))
    expect(store.set(bench.key("t"), "new", {.condition = OMNISTORE_IF_PRESENT}), OMNISTORE_CONFLICT,
           "set if present of a value that has ended");
  if (store.can(OMNISTORE_CAN_IF_ABSENT))
    expect_ok(store.set(bench.key("t"), "new", {.condition = OMNISTORE_IF_ABSENT}),
              "set if absent of a value that has ended");
  else
    put(store, bench.key("t"), "new");
  expect_value(store.get(bench.key("t")), "new", "get of a value that was set after one that ended");
  require(store.stat(bench.key("t")).known_meta().expiry == 0, "the new value has the expiry of the one that ended");
}

} // namespace

std::span<const Rule> ttl_rules() {
  static constexpr Rule rules[] = {
      {"ttl-ends", "from the moment now() >= expiry on, a value is not given out or listed", OMNISTORE_CAN_TTL,
       values_end},
      {"ttl-told", "when the value expires, or 0 if never", OMNISTORE_CAN_TTL, expiry_is_told},
      {"ttl-grain", "expiries are multiples of it, in milliseconds; 0 if they are exact", OMNISTORE_CAN_TTL,
       expiry_is_exact},
      {"ttl-condition", "The driver checks the condition first.", OMNISTORE_CAN_TTL | OMNISTORE_CAN_IF_ABSENT,
       condition_before_expiry},
      {"ttl-past", "the set removes the key and returns OMNISTORE_OK", OMNISTORE_CAN_TTL, set_in_the_past},
      {"ttl-touch", "without rewriting it: its etag and mtime stay", OMNISTORE_CAN_TTL, touch_moves},
      {"ttl-touch-past", "An expiry that has passed removes the value.", OMNISTORE_CAN_TTL, touch_in_the_past},
      {"ttl-touch-ends", "the new expiry; 0 means never", OMNISTORE_CAN_TTL, touch_ends},
      {"ttl-ended-is-absent", "there is no live value", OMNISTORE_CAN_TTL, ended_is_absent},
  };
  return rules;
}

} // namespace omnistore::kit
