// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <map>
#include <random>

#include "driven.hpp"

using test::Got;
using test::Host;
using test::Keys;
using test::numbered;
using test::Store;

TEST_CASE("a value is there until its expiry and not from then on") {
  Store store;
  store.set("key", "v", {.expiry = store.now() + 100});
  store.host.time += 99;
  REQUIRE(store.get("key") == "v");
  store.host.time += 1;
  Got got;
  SECTION("get") { REQUIRE(store.get("key", got) == OMNISTORE_NOT_FOUND); }
  SECTION("stat") { REQUIRE(store.stat("key", got) == OMNISTORE_NOT_FOUND); }
  SECTION("list") { REQUIRE(store.list().empty()); }
  SECTION("remove") { REQUIRE(store.remove("key") == OMNISTORE_NOT_FOUND); }
  SECTION("touch") { REQUIRE(store.touch("key", store.now() + 100) == OMNISTORE_NOT_FOUND); }
  SECTION("clear") {
    test::Page removed;
    store.clear("", &removed);
    REQUIRE(removed.items.empty());
  }
  REQUIRE(got.begun == 0);
}

TEST_CASE("an expired value is reported once, whoever finds it") {
  Store store;
  store.set("key", "v", {.expiry = store.now() + 100});
  store.host.time += 100;
  SECTION("a read") { store.get("key"); }
  SECTION("a write") { store.set("key", "w"); }
  SECTION("a clear") { store.clear(); }
  SECTION("a clear of a base") { store.clear("k:"); }
  SECTION("a sweep") {}
  store.host.run_tasks();
  REQUIRE(store.host.take_events() == std::vector<Host::Told>{{OMNISTORE_CAUSE_EXPIRED, "key"}});
}

TEST_CASE("an expired value is removed without being read") {
  Store store;
  for (size_t i = 0; i < 5000; ++i) store.set(numbered("k", i), "v", {.expiry = store.now() + 50});
  store.set("stays", "v");
  store.host.time += 50;
  store.host.run_tasks();
  REQUIRE(store.host.take_events().size() == 5000);
  REQUIRE(store.host.tasks.empty());
  REQUIRE(store.list() == Keys{"stays"});
}

TEST_CASE("each entry is swept soon after its own expiry, in whatever order they were set") {
  Store store;
  std::mt19937 random(1);
  std::map<std::string, int64_t> left;
  const int64_t start = store.now();
  for (size_t i = 0; i < 2000; ++i) {
    const int64_t expiry = start + 1 + random() % 100'000;
    store.set(numbered("k", i), "v", {.expiry = expiry});
    left[numbered("k", i)] = expiry;
  }
  while (!left.empty()) {
    store.host.time += 100;
    store.host.run_tasks();
    for (const Host::Told &told : store.host.take_events()) {
      REQUIRE(told.cause == OMNISTORE_CAUSE_EXPIRED);
      REQUIRE(left.at(told.key) <= store.now());
      left.erase(told.key);
    }
    for (const auto &[key, expiry] : left) REQUIRE(expiry + 400 > store.now());
  }
}

TEST_CASE("a nearer expiry brings the sweep forward, and the tasks under way stay few") {
  Store store;
  store.set("far", "v", {.expiry = store.now() + 3'600'000});
  for (size_t i = 0; i < 5'000; ++i)
    store.set(numbered("k", i), "v", {.expiry = store.now() + 60'000 - static_cast<int64_t>(i) * 10});
  REQUIRE(store.host.tasks.size() < 300);
  store.set("near", "v", {.expiry = store.now() + 100});
  store.host.time += 100;
  store.host.run_tasks();
  const auto events = store.host.take_events();
  REQUIRE(std::count(events.begin(), events.end(), Host::Told{OMNISTORE_CAUSE_EXPIRED, "near"}) == 1);
}

TEST_CASE("a task that comes too early sees to it that another one comes") {
  Store store;
  store.set("key", "v", {.expiry = store.now() + 100});
  const Host::Task early = store.host.tasks.at(0);
  store.host.tasks.clear();
  test::Call call;
  store.host.time += 99;
  early.run(early.argument, &call);
  REQUIRE(store.host.tasks.size() == 1);
  store.host.time += 1;
  store.host.run_tasks();
  REQUIRE(store.host.take_events().size() == 1);
}

TEST_CASE("if the host takes no task, expired values stay hidden and a later write tries again") {
  Store store;
  store.host.refuses = true;
  store.set("one", "v", {.expiry = store.now() + 100});
  store.host.refuses = false;
  store.host.time += 100;
  REQUIRE(store.list().empty());
  store.set("two", "v", {.expiry = store.now() + 100});
  store.host.time += 100;
  store.host.run_tasks();
  REQUIRE(store.host.take_events().size() == 2);
}

TEST_CASE("touch moves an expiry, or takes it away") {
  Store store;
  store.set("later", "v", {.expiry = store.now() + 100});
  store.set("never", "v", {.expiry = store.now() + 100});
  store.set("sooner", "v", {.expiry = store.now() + 1000});
  store.set("begins", "v");
  REQUIRE(store.touch("later", store.now() + 200) == OMNISTORE_OK);
  REQUIRE(store.touch("never", 0) == OMNISTORE_OK);
  REQUIRE(store.touch("sooner", store.now() + 50) == OMNISTORE_OK);
  REQUIRE(store.touch("begins", store.now() + 150) == OMNISTORE_OK);
  const auto at = [&](int64_t step) {
    store.host.time += step;
    return store.list();
  };
  REQUIRE(at(50) == Keys{"begins", "later", "never"});
  REQUIRE(at(100) == Keys{"later", "never"});
  REQUIRE(at(50) == Keys{"never"});
  store.host.run_tasks();
  REQUIRE(store.host.take_events().size() == 3);
}

TEST_CASE("touch with a moment that has passed removes the key") {
  Store store;
  store.set("key", "v");
  REQUIRE(store.touch("key", store.now()) == OMNISTORE_OK);
  REQUIRE(store.get("key") == std::nullopt);
  REQUIRE(store.touch("key", 0) == OMNISTORE_NOT_FOUND);
}

TEST_CASE("a set whose expiry has passed removes the key") {
  Store store;
  store.set("key", "v");
  REQUIRE(store.set("key", "w", {.expiry = store.now()}) == OMNISTORE_OK);
  REQUIRE(store.get("key") == std::nullopt);
  REQUIRE(store.list().empty());
}

TEST_CASE("a set replaces the expiry with the value") {
  const size_t size = GENERATE(1, 1000); // in the old value's place, and in another
  Store store;
  store.set("key", "v", {.expiry = store.now() + 100});
  store.set("key", std::string(size, 'w'));
  store.set("other", "v");
  store.set("other", std::string(size, 'w'), {.expiry = store.now() + 100});
  store.host.time += 100;
  store.host.run_tasks();
  REQUIRE(store.list() == Keys{"key"});
  REQUIRE(store.host.take_events() == std::vector<Host::Told>{{OMNISTORE_CAUSE_EXPIRED, "other"}});
}
