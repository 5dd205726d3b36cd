// SPDX-License-Identifier: Apache-2.0
// A server that hangs delays its own mount alone.
#include <atomic>
#include <thread>

#include <catch2/catch.hpp>

#include <omnistore/storage.hpp>

#include "support/postgres_server.hpp"

TEST_CASE("other mounts serve while a PostgreSQL server hangs") {
  test::PostgresServer server;
  omnistore::Config config;
  config.plugin_paths = {OMNISTORE_BUILD "/plugins"};
  config.mounts["memory"].store.driver = "memory";
  config.mounts["shared"].store.driver = "postgres";
  config.mounts["shared"].store.options = "{" + server.options() + "}";
  omnistore::Storage storage(config);
  storage.set("shared:k", "v");
  server.freeze();
  std::atomic<int> ended{0};
  std::vector<std::thread> callers;
  for (int i = 0; i < 16; ++i)
    callers.emplace_back([&] {
      if (storage.get("shared:k") == "v") ++ended;
    });
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = "memory:" + std::to_string(i % 100);
    storage.set(key, "v");
    if (storage.get(key) != "v") FAIL("a miss");
  }
  CHECK(ended == 0);
  server.thaw();
  for (std::thread &caller : callers) caller.join();
  CHECK(ended == 16);
}
