// SPDX-License-Identifier: Apache-2.0
// Values, expiries and conditions, and the table as another program sees it.
#include <vector>

#include "driven.hpp"

using namespace test;

TEST_CASE("a value lies in the table as it was set") {
  Fixture f;
  REQUIRE(f.store.set("a:b", std::string("x\0y", 3)) == OMNISTORE_OK);
  CHECK(f.sql("SELECT encode(value, 'hex') FROM t WHERE key = 'a:b'") == "780079");
}

TEST_CASE("a value that another program inserted has an etag and is read") {
  Fixture f;
  f.sql("INSERT INTO t (key, value) VALUES ('k', 'hello')");
  CHECK(f.store.get("k") == "hello");
  CHECK(f.store.etag("k").size() == 16);
}

TEST_CASE("a long value is read whole and in part") {
  Fixture f;
  std::string value(3 << 20, 'a');
  value[2 << 20] = 'b';
  REQUIRE(f.store.set("k", value) == OMNISTORE_OK);
  CHECK(f.store.get("k") == value);
  Got part;
  CHECK(f.store.get("k", part, (2 << 20) - 1, 3) == OMNISTORE_OK);
  CHECK(part.bytes == "aba");
  CHECK(part.value_size == value.size());
}

TEST_CASE("a value that has expired is hidden, and the sweep removes its row") {
  Fixture f;
  REQUIRE(f.store.set("k", "v", {.expiry = f.host.time + 1000}) == OMNISTORE_OK);
  f.host.time += 1000;
  CHECK(f.store.get("k") == std::nullopt);
  CHECK(f.sql("SELECT count(*) FROM t") == "1");
  f.host.run_for(61'000);
  CHECK(f.sql("SELECT count(*) FROM t") == "0");
  CHECK(f.host.take_expired() == std::vector<std::string>{"k"});
}

TEST_CASE("of two stores that set a key if it is absent, one wins") {
  Fixture f;
  Store other(f.host, f.options);
  const How absent{.condition = OMNISTORE_IF_ABSENT};
  CHECK(f.store.set("k", "first", absent) == OMNISTORE_OK);
  CHECK(other.set("k", "second", absent) == OMNISTORE_CONFLICT);
  CHECK(other.get("k") == "first");
}

TEST_CASE("an etag matches until another store sets the key, and never again") {
  Fixture f;
  Store other(f.host, f.options);
  REQUIRE(f.store.set("k", "v") == OMNISTORE_OK);
  const std::string etag = f.store.etag("k");
  REQUIRE(other.remove("k") == OMNISTORE_OK);
  REQUIRE(other.set("k", "v") == OMNISTORE_OK);
  CHECK(f.store.set("k", "w", {.condition = OMNISTORE_IF_MATCH, .etag = etag}) == OMNISTORE_CONFLICT);
  CHECK(f.store.set("k", "w", {.condition = OMNISTORE_IF_MATCH, .etag = f.store.etag("k")}) == OMNISTORE_OK);
}

TEST_CASE("gets of many threads at once each find their own value") {
  Fixture f;
  for (int i = 0; i < 16; ++i) REQUIRE(f.store.set("k" + std::to_string(i), std::to_string(i)) == OMNISTORE_OK);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i)
    threads.emplace_back([&, i] {
      for (int turn = 0; turn < 100; ++turn)
        if (f.store.get("k" + std::to_string(i)) != std::to_string(i)) ++wrong;
    });
  for (std::thread &thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("a batch with conditions has an outcome for each item, and the others are written") {
  Fixture f;
  for (const char *key : {"there", "old"}) REQUIRE(f.store.set(key, "before") == OMNISTORE_OK);
  const std::string etag = f.store.etag("there");
  REQUIRE(f.store.set("old", "newer") == OMNISTORE_OK);
  const omnistore_set_request requests[] = {
      Driven::set_request("1", {.condition = OMNISTORE_IF_ABSENT}),
      Driven::set_request("2", {.condition = OMNISTORE_IF_ABSENT}),
      Driven::set_request("3", {.condition = OMNISTORE_IF_MATCH, .etag = etag}),
      Driven::set_request("4", {.condition = OMNISTORE_IF_MATCH, .etag = etag}),
      Driven::set_request("5", {.condition = OMNISTORE_IF_PRESENT}),
      Driven::set_request("6"),
  };
  const char *const names[] = {"fresh", "there", "there", "old", "none", "plain"};
  omnistore_bytes keys[6];
  const omnistore_set_request *pointers[6];
  omnistore_status statuses[6];
  for (std::size_t i = 0; i < 6; ++i) keys[i] = omnistore::as_bytes(names[i]), pointers[i] = &requests[i];
  Call call;
  REQUIRE(f.store.driver().set_many(f.store.self(), &call, keys, 6, pointers, nullptr, statuses) == OMNISTORE_OK);
  CHECK(std::vector<omnistore_status>(statuses, statuses + 6) ==
        std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_CONFLICT, OMNISTORE_OK, OMNISTORE_CONFLICT,
                                      OMNISTORE_CONFLICT, OMNISTORE_OK});
  CHECK(f.store.get("fresh") == "1");
  CHECK(f.store.get("there") == "3");
  CHECK(f.store.get("old") == "newer");
  CHECK(f.store.get("none") == std::nullopt);
  CHECK(f.store.get("plain") == "6");
}

TEST_CASE("a touch changes the expiry or the user meta, and leaves the value and its etag") {
  Fixture f;
  REQUIRE(f.store.set("k", "v", {.user = "mine"}) == OMNISTORE_OK);
  const std::string etag = f.store.etag("k");
  CHECK(f.store.touch("k", f.host.time + 1000) == OMNISTORE_OK);
  CHECK(f.store.touch_user("k", "other") == OMNISTORE_OK);
  CHECK(f.store.user("k") == "other");
  CHECK(f.store.etag("k") == etag);
  CHECK(f.store.touch("none", f.host.time + 1000) == OMNISTORE_NOT_FOUND);
  f.host.time += 1000;
  CHECK(f.store.get("k") == std::nullopt);
  CHECK(f.store.touch("k", 0) == OMNISTORE_NOT_FOUND);
}
