// SPDX-License-Identifier: Apache-2.0
// The guide: Dynamically Switching Storage Drivers, by environment.
#include <catch2/catch.hpp>

#include "guide.hpp"
#include "support/redis_server.hpp"

TEST_CASE("guide, switching: each environment has its driver and its prefix") {
  const test::Workplace here;
  const test::RedisServer redis;
  const std::map<std::string, std::string> variables = {{"REDIS_URL", redis.url()}};
  {
    omnistore::Storage storage = test::guide("switching", variables, "test");
    storage.set("key", "of the tests");
    CHECK(storage.mounts().at(0).store.driver == "memory");
    CHECK(storage.mounts().at(0).prefix == "test");
  }
  {
    omnistore::Storage storage = test::guide("switching", variables, "development");
    CHECK_FALSE(storage.get("key"));
    storage.set("key", "of development");
    CHECK(test::read_file(".dev-cache/dev/key") == "of development");
  }
  omnistore::Storage storage = test::guide("switching", variables, "production");
  CHECK_FALSE(storage.get("key"));
  storage.set("key", "of production");
  CHECK(storage.mounts().at(0).store.driver == "redis");
  CHECK(storage.get("key") == "of production");
}

TEST_CASE("guide, switching: production without its server's address is an error that names the variable") {
  const test::Workplace here;
  CHECK_THROWS_WITH(test::guide("switching", {}, "production"), Catch::Contains("REDIS_URL"));
}

TEST_CASE("guide, switching: the environment changes while the storage is open") {
  const test::Workplace here;
  const test::RedisServer redis;
  const std::map<std::string, std::string> variables = {{"REDIS_URL", redis.url()}};
  omnistore::Storage storage = test::guide("switching", variables, "test");
  storage.set("key", "of the tests");
  for (const char *profile : {"development", "production"}) {
    const auto changes = storage.reload(test::guide_config("switching", variables, profile));
    CHECK(changes.at(0).kind == omnistore::MountChange::Kind::replaced);
    CHECK_FALSE(storage.get("key"));
    storage.set("key", profile);
  }
  // Each store kept what it was given.
  storage.reload(test::guide_config("switching", variables, "development"));
  CHECK(storage.get("key") == "development");
  CHECK(storage.mounts().at(0).prefix == "dev");
  storage.reload(test::guide_config("switching", variables, "production"));
  CHECK(storage.get("key") == "production");
}

TEST_CASE("guide, switching: one store is put in another's place by hand") {
  const test::Workplace here;
  omnistore::Storage storage = test::guide("switching", {}, "test");
  omnistore::MountConfig files;
  files.store.driver = "fs";
  files.store.options = R"({ "base": "./.by-hand" })";
  storage.mount("", files);
  storage.set("key", "in a file");
  CHECK(test::read_file(".by-hand/test/key") == "in a file");
  CHECK(storage.unmount(""));
  CHECK(storage.mounts().empty());
}
