// SPDX-License-Identifier: Apache-2.0
// A watch of a cache reports its values as another store's watch reports its own.
#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;

namespace {

std::string over(const std::string &origin) {
  return R"({ "c": { "driver": "memory", "invalidation": { "maxAge": 60 }, "origin": )" + origin + " } }";
}

} // namespace

TEST_CASE("a value that expires at the origin is reported once, as expired") {
  const Folder folder;
  const std::string origin =
      GENERATE_REF(as<std::string>(), R"({ "driver": "memory" })",
                   R"({ "driver": "fs", "options": { "base": ")" + folder.path().string() + R"(" } })");
  INFO(origin);
  Events events;
  omnistore::Storage storage = open(over(origin));
  const omnistore::Watch watch = storage.watch("c:", events.callback());
  storage.set("c:k", "v", {.ttl = std::chrono::milliseconds(30), .condition = {}, .user = {}});
  storage.set("c:stays", "v");
  const auto told = events.wait_for(3);
  REQUIRE(told.size() == 3);
  CHECK(told[2].key == "c:k");
  CHECK(told[2].type == omnistore::Event::Type::remove);
  CHECK(told[2].cause == omnistore::Event::Cause::expired);
  storage.remove("c:stays");
  const auto all = events.wait_for(4);
  REQUIRE(all.size() == 4);
  CHECK(all[3].key == "c:stays");
}

TEST_CASE("a watch of a base of a cache gets the expiries below that base only") {
  Events events;
  omnistore::Storage storage = open(over(R"({ "driver": "memory" })"));
  const omnistore::Watch watch = storage.watch("c:in:", events.callback());
  storage.set("c:out:k", "v", {.ttl = std::chrono::milliseconds(10), .condition = {}, .user = {}});
  storage.set("c:in:k", "v", {.ttl = std::chrono::milliseconds(30), .condition = {}, .user = {}});
  const auto told = events.wait_for(2);
  REQUIRE(told.size() == 2);
  CHECK(told[0].key == "c:in:k");
  CHECK(told[1].key == "c:in:k");
  CHECK(told[1].cause == omnistore::Event::Cause::expired);
}
