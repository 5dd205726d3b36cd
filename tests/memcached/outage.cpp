// SPDX-License-Identifier: Apache-2.0
// Servers that are killed, frozen and started again.
#include <atomic>
#include <thread>

#include "driven.hpp"
#include "support/forwarder.hpp"

using test::Batch;
using test::eventually;
using test::Got;
using test::MemcachedServer;
using test::seen;
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

TEST_CASE("the health check fails if any server does not respond, whichever it is") {
  MemcachedServer one, two;
  Store store({&one, &two}, hurried);
  REQUIRE(store.health() == OMNISTORE_OK);
  for (MemcachedServer *each : {&one, &two}) {
    each->freeze();
    CHECK(store.health() != OMNISTORE_OK);
    CHECK(store.message().find(each->address()) != std::string::npos);
    each->thaw();
    CHECK(eventually([&] { return store.health() == OMNISTORE_OK; }));
    each->kill();
    CHECK(store.health() == OMNISTORE_UNAVAILABLE);
    CHECK(store.message().find(each->address()) != std::string::npos);
    each->start();
    CHECK(eventually([&] { return store.health() == OMNISTORE_OK; }));
  }
}

TEST_CASE("the health check notices that a server responds again") {
  MemcachedServer one, two;
  Store store({&one, &two}, hurried);
  two.kill();
  CHECK(store.health() == OMNISTORE_UNAVAILABLE);
  two.start();
  CHECK(eventually([&] { return store.health() == OMNISTORE_OK; }));
  for (const std::string &key : names(20)) CHECK(store.set(key, "v") == OMNISTORE_OK);
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

TEST_CASE("while one server hangs the keys of the others are read at full speed") {
  MemcachedServer one, two;
  Store store({&one, &two}, R"(,"connectTimeout":1000,"commandTimeout":1000)");
  const auto keys = names(200);
  for (const std::string &key : keys) REQUIRE(store.set(key, "v") == OMNISTORE_OK);
  two.freeze();
  std::vector<std::string> good;
  for (const std::string &key : keys) { // the first key of the server waits, the others fail at once
    Got got;
    if (store.get(key, got) == OMNISTORE_OK) good.push_back(key);
  }
  REQUIRE(good.size() > 40);
  const auto start = std::chrono::steady_clock::now();
  for (int round = 0; round < 10; ++round)
    for (const std::string &key : good) CHECK(store.get(key) == "v");
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(1)); // less than one wait for the other server
  two.thaw();
  CHECK(eventually([&] { return Batch(store, keys).statuses == std::vector<omnistore_status>(200, OMNISTORE_OK); }));
}

TEST_CASE("a batch of sets does not wait for each reply") {
  const MemcachedServer server;
  test::Forwarder forwarder(server.port());
  Store store(forwarder.port());
  const auto keys = names(400);
  forwarder.switch_after(100, server.port()); // each set that waits is a piece of its own
  CHECK(test::set_all(store, keys, keys) == std::vector<omnistore_status>(400, OMNISTORE_OK));
  CHECK_FALSE(forwarder.switched());
  for (const std::string key : {"k0", "k199", "k399"})
    CHECK(seen(server, key) == "VALUE " + key + " 0 " + std::to_string(key.size()) + "\r\n" + key + "\r\nEND\r\n");
}

TEST_CASE("a batch of sets whose connection is cut fails, and the next one works") {
  const MemcachedServer server;
  test::Forwarder forwarder(server.port());
  Store store(forwarder.port());
  forwarder.switch_after(1, server.port());
  CHECK(test::set_all(store, {"a", "b"}, {"1", "2"}) == std::vector<omnistore_status>(2, OMNISTORE_UNAVAILABLE));
  CHECK(eventually([&] { return test::set_all(store, {"a"}, {"3"}).front() == OMNISTORE_OK; }));
  CHECK(store.get("a") == "3");
}

TEST_CASE("a server that is away fails only its own keys of a batch of sets") {
  MemcachedServer one, two;
  Store store({&one, &two}, hurried);
  const auto keys = names(100);
  two.kill();
  std::size_t good = 0, away = 0;
  for (const omnistore_status status : test::set_all(store, keys, keys)) {
    good += status == OMNISTORE_OK;
    away += status == OMNISTORE_UNAVAILABLE;
  }
  CHECK(good > 20);
  CHECK(good + away == keys.size());
  two.start();
  CHECK(
      eventually([&] { return test::set_all(store, keys, keys) == std::vector<omnistore_status>(100, OMNISTORE_OK); }));
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
