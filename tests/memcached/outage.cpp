// SPDX-License-Identifier: Apache-2.0
// Servers that are killed, frozen and started again.
#include <atomic>
#include <thread>

#include "driven.hpp"

using test::Batch;
using test::eventually;
using test::Got;
using test::MemcachedServer;
using test::Store;

namespace {

constexpr const char *hurried = R"(,"connectTimeout":500,"commandTimeout":500)";

std::vector<std::string> names(int count) {
  std::vector<std::string> result;
  for (int i = 0; i < count; ++i) result.push_back("k" + std::to_string(i));
  return result;
}

} // namespace

TEST_CASE("a server that is away fails calls at once, and works when it is back") {
  MemcachedServer server;
  Store store({&server}, hurried);
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  server.kill();
  Got got;
  CHECK(store.get("k", got) == OMNISTORE_UNAVAILABLE);
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 100; ++i) CHECK(store.get("k", got) == OMNISTORE_UNAVAILABLE);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
  server.start();
  CHECK(eventually([&] { return store.set("k", "w") == OMNISTORE_OK; }));
  CHECK(store.get("k") == "w");
}

TEST_CASE("a store opens while its server is away") {
  MemcachedServer server;
  server.kill();
  Store store({&server}, hurried);
  CHECK(store.set("k", "v") == OMNISTORE_UNAVAILABLE);
  server.start();
  CHECK(eventually([&] { return store.set("k", "v") == OMNISTORE_OK; }));
}

TEST_CASE("a get after a restart that nobody has noticed is a miss") {
  MemcachedServer server;
  Store store({&server});
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  server.kill();
  server.start();
  CHECK(store.get("k") == std::nullopt);
  CHECK(store.set("k", "w") == OMNISTORE_OK);
}

TEST_CASE("a frozen server fails a get within the timeout, and then at once") {
  MemcachedServer server;
  Store store({&server}, hurried);
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  server.freeze();
  Got got;
  const auto start = std::chrono::steady_clock::now();
  CHECK(store.get("k", got) == OMNISTORE_TIMEOUT);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
  CHECK(store.get("k", got) == OMNISTORE_UNAVAILABLE);
  server.thaw();
  CHECK(eventually([&] { return store.get("k", got) == OMNISTORE_OK; }));
}

TEST_CASE("a server that is away fails only its own keys of a batch") {
  MemcachedServer one, two;
  Store store({&one, &two}, hurried);
  const auto keys = names(100);
  for (const std::string &key : keys) REQUIRE(store.set(key, "v") == OMNISTORE_OK);
  two.kill();
  const Batch batch(store, keys);
  std::size_t good = 0, away = 0;
  for (const omnistore_status status : batch.statuses) {
    good += status == OMNISTORE_OK;
    away += status == OMNISTORE_UNAVAILABLE;
  }
  CHECK(good > 20);
  CHECK(away > 20);
  CHECK(good + away == keys.size());
}

TEST_CASE("threads share a pool of connections, and each gets its own value") {
  const MemcachedServer one, two;
  Store store({&one, &two}, R"(,"poolSize":2)" + Store::patient());
  std::atomic<int> right = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        const std::string key = "t" + std::to_string(t) + ":" + std::to_string(i), value = "v" + key;
        if (store.set(key, value) == OMNISTORE_OK && store.get(key) == value) ++right;
      }
    });
  for (std::thread &thread : threads) thread.join();
  CHECK(right == 800);
  const std::string stats = one.ask("stats\r\n", "END\r\n");
  CHECK(std::stoi(stats.substr(stats.find("curr_connections ") + 17)) <= 2 + 2); // memcached's own, and this client
}
