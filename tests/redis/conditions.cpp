// SPDX-License-Identifier: Apache-2.0
#include "driven.hpp"

using test::Got;
using test::RedisClient;
using test::shared_server;
using test::Store;

namespace {

/// Runs the same on so many threads at once.
template <class Run>
void at_once(int count, Run run) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back([&run, i] { run(i); });
  for (std::thread &thread : threads) thread.join();
}

} // namespace

TEST_CASE("if-absent holds if there is no value, if-present if there is one") {
  Store store;
  CHECK(store.set("k", "a", {.condition = OMNISTORE_IF_PRESENT}) == OMNISTORE_CONFLICT);
  CHECK(store.get("k") == std::nullopt);
  CHECK(store.set("k", "a", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_OK);
  CHECK(store.set("k", "b", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_CONFLICT);
  CHECK(store.get("k") == "a");
  CHECK(store.set("k", "c", {.condition = OMNISTORE_IF_PRESENT}) == OMNISTORE_OK);
  CHECK(store.get("k") == "c");
  CHECK(store.remove("k", OMNISTORE_IF_PRESENT) == OMNISTORE_OK);
  CHECK(store.remove("k", OMNISTORE_IF_PRESENT) == OMNISTORE_NOT_FOUND);
}

TEST_CASE("if-match holds for the etag of the live value alone") {
  Store store;
  store.set("k", "a");
  const std::string etag = store.etag("k");
  CHECK(store.set("k", "b", {.condition = OMNISTORE_IF_MATCH, .etag = "x"}) == OMNISTORE_CONFLICT);
  Got result;
  CHECK(store.set("k", "b", {.condition = OMNISTORE_IF_MATCH, .etag = etag}, &result) == OMNISTORE_OK);
  CHECK(result.etag == store.etag("k"));
  CHECK(store.set("k", "c", {.condition = OMNISTORE_IF_MATCH, .etag = etag}) == OMNISTORE_CONFLICT);
  CHECK(store.get("k") == "b");
  CHECK(store.remove("k", OMNISTORE_IF_MATCH, etag) == OMNISTORE_CONFLICT);
  CHECK(store.remove("k", OMNISTORE_IF_MATCH, result.etag) == OMNISTORE_OK);
  CHECK(store.remove("k", OMNISTORE_IF_MATCH, result.etag) == OMNISTORE_CONFLICT);
  CHECK(store.set("k", "d", {.condition = OMNISTORE_IF_MATCH, .etag = etag}) == OMNISTORE_CONFLICT);
}

TEST_CASE("an if-match set keeps its expiry, and without one takes the older away") {
  Store store;
  RedisClient other(shared_server());
  const int64_t expiry = test::now_ms() + 3'600'000;
  store.set("k", "a");
  REQUIRE(store.set("k", "b", {expiry, OMNISTORE_IF_MATCH, store.etag("k")}) == OMNISTORE_OK);
  CHECK(other.number({"PEXPIRETIME", store.full("k")}) == expiry);
  REQUIRE(store.set("k", "c", {0, OMNISTORE_IF_MATCH, store.etag("k")}) == OMNISTORE_OK);
  CHECK(other.number({"PEXPIRETIME", store.full("k")}) == -1);
}

TEST_CASE("a write of another client breaks a match") {
  Store store;
  store.set("k", "a");
  const std::string etag = store.etag("k");
  RedisClient other(shared_server());
  other({"SET", store.full("k"), "theirs"});
  CHECK(store.set("k", "b", {.condition = OMNISTORE_IF_MATCH, .etag = etag}) == OMNISTORE_CONFLICT);
  CHECK(store.get("k") == "theirs");
}

TEST_CASE("a server that forgot its scripts is given them again") {
  test::RedisServer server;
  Store store("{" + test::option("url", server.url()) + "}");
  store.set("k", "a");
  const std::string first = store.etag("k");
  CHECK(RedisClient(server)({"SCRIPT", "FLUSH"}) == "OK");
  CHECK(store.etag("k") == first);
  CHECK(RedisClient(server)({"SCRIPT", "FLUSH"}) == "OK");
  CHECK(store.set("k", "b", {.condition = OMNISTORE_IF_MATCH, .etag = first}) == OMNISTORE_OK);
}

TEST_CASE("exactly one of many if-absent sets at once does its work") {
  Store store;
  std::atomic<int> done = 0, refused = 0;
  at_once(16, [&](int i) {
    for (int round = 0; round < 20; ++round) {
      const auto status = store.set("k" + std::to_string(round), std::to_string(i), {.condition = OMNISTORE_IF_ABSENT});
      ++(status == OMNISTORE_OK ? done : refused);
    }
  });
  CHECK(done == 20);
  CHECK(refused == 16 * 20 - 20);
}

TEST_CASE("a counter that many raise by if-match loses no step") {
  Store store;
  store.set("n", "0");
  at_once(8, [&](int) {
    for (int step = 0; step < 25;) {
      Got got;
      if (store.get("n", got, 0, UINT64_MAX, OMNISTORE_GET_META) != OMNISTORE_OK) return;
      const std::string next = std::to_string(std::stoi(got.bytes) + 1);
      const auto status = store.set("n", next, {.condition = OMNISTORE_IF_MATCH, .etag = got.etag});
      if (status == OMNISTORE_OK) ++step;
    }
  });
  CHECK(store.get("n") == "200");
}
