// SPDX-License-Identifier: Apache-2.0
// The guide: Multi-tier Storage with Mountpoints.
#include <catch2/catch.hpp>

#include "guide.hpp"
#include "support/redis_server.hpp"

TEST_CASE("guide, mountpoints: each tier holds the keys that were set under it, and one listing shows all") {
  const test::Workplace here;
  const test::RedisServer redis;
  const std::map<std::string, std::string> variables = {{"REDIS_URL", redis.url()}};
  {
    omnistore::Storage storage = test::guide("mountpoints", variables);
    storage.set("memory:frequently-accessed", "data1");
    storage.set("local:large-dataset", "data2");
    storage.set("shared:global-config", "data3");
    CHECK(storage.get("memory:frequently-accessed") == "data1");
    CHECK(storage.get("local:large-dataset") == "data2");
    CHECK(storage.get("shared:global-config") == "data3");
    CHECK(storage.keys().all() ==
          std::vector<std::string>{"local:large-dataset", "memory:frequently-accessed", "shared:global-config"});
    CHECK(test::read_file(".cache/large-dataset") == "data2");
  }
  // Another host: what the tiers keep is there, and memory is not.
  omnistore::Storage other = test::guide("mountpoints", variables);
  CHECK_FALSE(other.get("memory:frequently-accessed"));
  CHECK(other.get("local:large-dataset") == "data2");
  CHECK(other.get("shared:global-config") == "data3");
}
