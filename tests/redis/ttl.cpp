// SPDX-License-Identifier: Apache-2.0
#include "driven.hpp"

using test::eventually;
using test::Got;
using test::now_ms;
using test::RedisClient;
using test::shared_server;
using test::Store;

namespace {

constexpr int64_t HOUR = 3'600'000;

int64_t expiry_of(Store &store, std::string_view key) {
  Got got;
  REQUIRE(store.get(key, got) == OMNISTORE_OK);
  return got.expiry;
}

std::string with_ttl(int64_t ttl) {
  return "{" + test::option("url", shared_server().url()) + "," + test::option("base", Store::own_base()) +
         ",\"ttl\":" + std::to_string(ttl) + "}";
}

} // namespace

TEST_CASE("an expiry is kept to the millisecond, and another client sees it") {
  Store store;
  RedisClient other(shared_server());
  const int64_t expiry = now_ms() + HOUR + 123;
  REQUIRE(store.set("k", "v", {.expiry = expiry}) == OMNISTORE_OK);
  CHECK(other.number({"PEXPIRETIME", store.full("k")}) == expiry);
  CHECK(other.number({"PTTL", store.full("k")}) > HOUR);
  CHECK(expiry_of(store, "k") == expiry);
  Got stat, meta, range;
  store.stat("k", stat);
  store.stat("k", meta, OMNISTORE_GET_META);
  store.get("k", range, 0, 1);
  CHECK(stat.expiry == expiry);
  CHECK(meta.expiry == expiry);
  CHECK(range.expiry == expiry);
}

TEST_CASE("an expiry that another client set is reported") {
  Store store;
  RedisClient other(shared_server());
  other({"SET", store.full("k"), "v", "EX", "3600"});
  CHECK(expiry_of(store, "k") == other.number({"PEXPIRETIME", store.full("k")}));
  other({"PERSIST", store.full("k")});
  CHECK(expiry_of(store, "k") == 0);
}

TEST_CASE("a set without an expiry takes the older one away") {
  Store store;
  store.set("k", "v", {.expiry = now_ms() + HOUR});
  store.set("k", "w");
  CHECK(expiry_of(store, "k") == 0);
}

TEST_CASE("a value is gone when its time is over: not given, not listed, no condition holds") {
  Store store;
  REQUIRE(store.set("k", "v", {.expiry = now_ms() + 30}) == OMNISTORE_OK);
  REQUIRE(eventually([&] { return !store.get("k"); }));
  CHECK(store.list().empty());
  CHECK(store.set("k", "w", {.condition = OMNISTORE_IF_PRESENT}) == OMNISTORE_CONFLICT);
  CHECK(store.set("k", "w", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_OK);
}

TEST_CASE("a set whose expiry has passed removes the key") {
  Store store;
  for (const int64_t expiry : {now_ms() - 1, now_ms() - HOUR, int64_t{1}, int64_t{-5}}) {
    store.set("k", "v");
    REQUIRE(store.set("k", "w", {.expiry = expiry}) == OMNISTORE_OK);
    CHECK(store.get("k") == std::nullopt);
    CHECK(store.list().empty());
  }
}

TEST_CASE("touch gives another expiry, or takes it away, and leaves the value") {
  Store store;
  store.set("k", "v");
  const int64_t expiry = now_ms() + HOUR;
  CHECK(store.touch("k", expiry) == OMNISTORE_OK);
  CHECK(expiry_of(store, "k") == expiry);
  CHECK(store.touch("k", 0) == OMNISTORE_OK);
  CHECK(store.touch("k", 0) == OMNISTORE_OK);
  CHECK(expiry_of(store, "k") == 0);
  CHECK(store.get("k") == "v");
  CHECK(store.touch("k", now_ms() - 5) == OMNISTORE_OK);
  CHECK(store.get("k") == std::nullopt);
}

TEST_CASE("touch of a key without a value is not found") {
  Store store;
  CHECK(store.touch("none", 0) == OMNISTORE_NOT_FOUND);
  CHECK(store.touch("none", now_ms() + HOUR) == OMNISTORE_NOT_FOUND);
}

TEST_CASE("the option ttl is for sets without an expiry, but not for meta") {
  Store store(with_ttl(HOUR));
  const int64_t before = now_ms();
  store.set("k", "v");
  CHECK(expiry_of(store, "k") >= before + HOUR);
  CHECK(expiry_of(store, "k") <= now_ms() + HOUR);
  store.set("k", "v", {.expiry = before + 2 * HOUR});
  CHECK(expiry_of(store, "k") == before + 2 * HOUR);
  store.set("k$", "{}");
  CHECK(expiry_of(store, "k$") == 0);
}
