// SPDX-License-Identifier: Apache-2.0
// Several stores on one etcd.
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "etcd/driven.hpp"

using namespace test;

TEST_CASE("two stores with one prefix see each other's values, and another prefix sees none") {
  Fixture f;
  Store second(f.host, shared_etcd(), f.prefix), elsewhere(f.host, shared_etcd(), own_prefix());
  f.store.set("a", "1");
  CHECK(second.get("a") == "1");
  CHECK_FALSE(elsewhere.get("a"));
  CHECK(elsewhere.list().empty());
}

TEST_CASE("exactly one of many that set a key if it is absent succeeds") {
  Fixture f;
  Store second(f.host, shared_etcd(), f.prefix);
  std::atomic<int> done{0}, refused{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      const auto status = (i % 2 ? second : f.store).set("a", std::to_string(i), {.condition = OMNISTORE_IF_ABSENT});
      (status == OMNISTORE_OK ? done : refused)++;
    });
  for (std::thread &each : threads) each.join();
  CHECK(done == 1);
  CHECK(refused == 7);
}

TEST_CASE("a clear removes the keys under its base, and leaves another prefix") {
  Fixture f;
  Store elsewhere(f.host, shared_etcd(), own_prefix());
  elsewhere.set("a:1", "1");
  for (const char *key : {"a", "a:1", "a:2", "b"}) f.store.set(key, "1");
  Page removed;
  REQUIRE(f.store.clear("a:", &removed) == OMNISTORE_OK);
  CHECK(removed.keys() == Keys{"a:1", "a:2"});
  CHECK(f.store.list() == Keys{"a", "b"});
  REQUIRE(f.store.clear() == OMNISTORE_OK);
  CHECK(f.store.list().empty());
  CHECK(elsewhere.list() == Keys{"a:1"});
}
