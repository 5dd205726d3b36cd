// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <thread>

#include "driven.hpp"

using test::Host;
using test::Keys;
using test::numbered;
using test::Store;

namespace {
std::string with_size(size_t size) { return "{\"size\":" + std::to_string(size) + "}"; }
std::string with_bytes(size_t size) { return "{\"maxBytes\":" + std::to_string(size) + "}"; }

size_t count(const std::vector<Host::Told> &events, uint32_t cause) {
  return static_cast<size_t>(
      std::count_if(events.begin(), events.end(), [&](const auto &event) { return event.cause == cause; }));
}
} // namespace

TEST_CASE("a store holds exactly its size", "[long]") {
  const size_t size = GENERATE(1, 2, 1000, 5000, 100'000);
  Store store(with_size(size));
  for (size_t i = 0; i < size; ++i) store.set(numbered("k", i), "v");
  REQUIRE(store.host.take_events().empty());
  REQUIRE(store.list().size() == size);
  for (size_t i = 0; i < size / 2 + 10; ++i) {
    store.set(numbered("new", i), "v");
    REQUIRE(store.get(numbered("new", i)) == "v");
  }
  REQUIRE(store.list().size() == size);
  REQUIRE(count(store.host.take_events(), OMNISTORE_CAUSE_EVICTED) == size / 2 + 10);
}

TEST_CASE("many threads that set new keys at once leave exactly the store's size") {
  const size_t size = GENERATE(100, 20'000);
  Store store(with_size(size));
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < size; ++i) {
        store.set(numbered("k" + std::to_string(t) + ":", i), "v");
        if (i % 16 == 0) store.remove(numbered("k" + std::to_string(t) + ":", i / 2));
      }
      for (size_t i = 0; i < size / 4 + 1; ++i) store.set(numbered("z" + std::to_string(t) + ":", i), "v");
    });
  for (std::thread &thread : threads) thread.join();
  REQUIRE(store.list("", OMNISTORE_ANY_DEPTH, 1000).size() == size);
}

TEST_CASE("the value that was set first is evicted first, if none was used since") {
  Store store(with_size(3));
  for (const char *key : {"a", "b", "c", "d", "e"}) store.set(key, "v");
  REQUIRE(store.list() == Keys{"c", "d", "e"});
  REQUIRE(store.host.take_events() ==
          std::vector<Host::Told>{{OMNISTORE_CAUSE_EVICTED, "a"}, {OMNISTORE_CAUSE_EVICTED, "b"}});
}

TEST_CASE("a value that was read or set lately survives") {
  const size_t size = GENERATE(1000, 50'000);
  Store store(with_size(size));
  for (size_t i = 0; i < size; ++i) store.set(numbered("k", i), "v");
  for (size_t i = 0; i < size / 4; ++i)
    if (i % 2)
      store.get(numbered("k", i));
    else
      store.set(numbered("k", i), "w");
  for (size_t i = 0; i < size / 4; ++i) store.set(numbered("new", i), "v");
  for (size_t i = 0; i < size / 4; ++i) REQUIRE(store.get(numbered("k", i)));
}

TEST_CASE("an expired entry goes before a live one") {
  Store store(with_size(3));
  store.set("a", "v");
  store.set("b", "v", {.expiry = store.now() + 10});
  store.set("c", "v");
  store.host.time += 10;
  store.set("d", "v");
  REQUIRE(store.list() == Keys{"a", "c", "d"});
  REQUIRE(store.host.take_events() == std::vector<Host::Told>{{OMNISTORE_CAUSE_EXPIRED, "b"}});
}

TEST_CASE("setting over and refused writes make nothing go") {
  Store store(with_size(3));
  for (const char *key : {"a", "b", "c"}) store.set(key, "v");
  store.set("a", std::string(1000, 'w'));
  store.set("d", "v", {.condition = OMNISTORE_IF_PRESENT});
  store.set("e", "v", {.expiry = store.now() - 1});
  REQUIRE(store.list() == Keys{"a", "b", "c"});
  REQUIRE(store.host.take_events().empty());
}

TEST_CASE("a removal and a clear make room") {
  Store store(with_size(3));
  for (const char *key : {"a", "b", "c:d"}) store.set(key, "v");
  SECTION("remove") { store.remove("c:d"); }
  SECTION("clear of a base") { store.clear("c:"); }
  SECTION("clear") { store.clear(), store.set("a", "v"), store.set("b", "v"); }
  store.set("e", "v");
  REQUIRE(store.list() == Keys{"a", "b", "e"});
  REQUIRE(store.host.take_events().empty());
}

TEST_CASE("threads that evict at once do not evict one too many") {
  const size_t size = 4096; // several shards
  Store store(with_size(size));
  for (size_t i = 0; i < size; ++i) store.set(numbered("k", i), "v");
  for (size_t round = 0; round < 50; ++round) {
    std::vector<std::thread> threads;
    for (size_t t = 0; t < 3; ++t)
      threads.emplace_back([&, t] {
        for (size_t i = 0; i < 50; ++i) store.set(numbered(std::to_string(t) + ":", round * 50 + i), "v");
      });
    for (std::thread &thread : threads) thread.join();
    REQUIRE(store.host.take_events().size() == 150);
  }
}

TEST_CASE("a shard that holds nothing but the new entry makes others give", "[long]") {
  const size_t most = 64 << 20, size = 4 << 20; // many shards, few entries
  Store store(with_bytes(most));
  for (size_t i = 0; i < 40; ++i) {
    const std::string key = numbered("k", i);
    store.set(key, std::string(size, 'v'));
    test::Got got;
    REQUIRE(store.stat(key, got) == OMNISTORE_OK);
    REQUIRE(store.list().size() == std::min<size_t>(i + 1, most / size - 1));
  }
}

TEST_CASE("maxBytes bounds the memory of the entries") {
  const size_t most = GENERATE(100'000, 10'000'000);
  Store store(with_bytes(most));
  size_t set = 0;
  while (count(store.host.events, OMNISTORE_CAUSE_EVICTED) < 100)
    store.set(numbered("k", set++), std::string(100, 'v'));
  const size_t held = store.list("", OMNISTORE_ANY_DEPTH, 1000).size();
  REQUIRE(held == set - 100);
  // 108 bytes of key and value, and at least the header and the table beside them, but less than twice that in all.
  REQUIRE(held * (108 + 32) < most);
  REQUIRE(held * 180 > most);
}

TEST_CASE("maxBytes makes several small entries go for a large one") {
  Store store(with_bytes(100'000));
  for (size_t i = 0; i < 100; ++i) store.set(numbered("k", i), std::string(500, 'v'));
  REQUIRE(store.list().size() == 100);
  store.set("large", std::string(60'000, 'v'));
  REQUIRE(store.get("large"));
  const size_t left = store.list().size();
  REQUIRE(left < 75);
  REQUIRE(left > 50);
  store.set("large", "small now");
  for (size_t i = 0; i < 40; ++i) store.set(numbered("n", i), std::string(500, 'v'));
  REQUIRE(store.list().size() == left + 40);
}

TEST_CASE("a value larger than maxBytes is refused and nothing goes for it") {
  Store store(with_bytes(10'000));
  store.set("a", "v");
  REQUIRE(store.set("b", std::string(10'000, 'v')) == OMNISTORE_TOO_LARGE);
  REQUIRE(store.message().find("maxBytes is 10000") != std::string::npos);
  REQUIRE(store.set("a", std::string(9'800, 'v')) == OMNISTORE_OK);
  REQUIRE(store.list() == Keys{"a"});
  REQUIRE(store.traits.max_value_size < 10'000);
}

TEST_CASE("a maxBytes that holds no entry is refused") {
  REQUIRE_THROWS_WITH(Store(with_bytes(50)), Catch::Contains("maxBytes: 50 holds no entry"));
}
