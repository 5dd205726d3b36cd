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

TEST_CASE("only one of two stores that set a key if it is absent succeeds") {
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

TEST_CASE("the sweep removes a row when the expiry that a touch gave it is over") {
  Fixture f;
  REQUIRE(f.store.set("k", "v") == OMNISTORE_OK);
  REQUIRE(f.store.touch("k", f.host.time + 1000) == OMNISTORE_OK);
  f.host.run_for(10'000);
  CHECK(f.sql("SELECT count(*) FROM t") == "0");
}

TEST_CASE("a touch with an expiry that is over removes the row") {
  Fixture f;
  REQUIRE(f.store.set("k", "v") == OMNISTORE_OK);
  CHECK(f.store.touch("k", f.host.time - 1) == OMNISTORE_OK);
  CHECK(f.sql("SELECT count(*) FROM t") == "0");
}

TEST_CASE("a batch of removals has an outcome for each item") {
  Fixture f;
  for (const char *key : {"a", "b", "c"}) REQUIRE(f.store.set(key, "v") == OMNISTORE_OK);
  const std::string etag = f.store.etag("a");
  const omnistore_remove_request plain{sizeof plain, 0, OMNISTORE_ALWAYS, 0, {}};
  const omnistore_remove_request match{sizeof match, 0, OMNISTORE_IF_MATCH, 0, omnistore::as_bytes(etag)};
  const omnistore_bytes keys[] = {omnistore::as_bytes("a"), omnistore::as_bytes("b"), omnistore::as_bytes("c"),
                                  omnistore::as_bytes("none")};
  const omnistore_remove_request *requests[] = {&match, &match, &plain, &plain};
  omnistore_status statuses[4];
  Call call;
  REQUIRE(f.store.driver().remove_many(f.store.self(), &call, keys, 4, requests, statuses) == OMNISTORE_OK);
  CHECK(std::vector<omnistore_status>(statuses, statuses + 4) ==
        std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_CONFLICT, OMNISTORE_OK, OMNISTORE_NOT_FOUND});
  CHECK(f.store.list() == Keys{"b"});
}
