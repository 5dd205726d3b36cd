// SPDX-License-Identifier: Apache-2.0
// Layers that fail, by the option onLayerError.
#include <string>

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;
using omnistore::Status;

TEST_CASE("onLayerError fail: a layer that fails and is reached fails the read, and is named") {
  Layers layers("{}", {"memory", "jar", "jar"});
  auto storage = layers.open();
  storage.set("o:a", "above");
  storage.set("l2:b", "below");
  storage.set("l1:!fail", "90");
  CHECK(storage.get("o:a") == "above");
  std::string message;
  CHECK(status_of([&] { storage.get("o:b"); }, &message) == Status::unavailable);
  CHECK_THAT(message, Catch::Contains("get o:b (mount o, driver overlay): layer 1 (jar): told to fail"));
  CHECK(status_of([&] { storage.has("o:b"); }) == Status::unavailable);
  CHECK(status_of([&] { storage.keys("o").all(); }) == Status::unavailable);
  const auto many = storage.get_many(Keys{"o:a", "o:b"});
  CHECK(many[0].status == Status::ok);
  CHECK(many[1].status == Status::unavailable);
  CHECK_THAT(many[1].message, Catch::Contains("layer 1 (jar): told to fail"));
}

TEST_CASE("onLayerError skip: a layer that fails counts as empty for a read") {
  Layers layers(R"({ "onLayerError": "skip" })", {"memory", "jar", "jar"});
  auto storage = layers.open();
  storage.set("l2:b", "below");
  storage.set("l1:c", "lost");
  storage.set("l1:!fail", "110");
  CHECK(storage.get("o:b") == "below");
  CHECK_FALSE(storage.has("o:c"));
  CHECK(storage.keys("o").all() == Keys{"o:b"});
  CHECK(storage.get_many(Keys{"o:b", "o:c"})[0].status == Status::ok);
  CHECK(storage.get_many(Keys{"o:b", "o:c"})[1].status == Status::not_found);
  storage.set("l1:!fail", "0");
  CHECK(storage.get("o:c") == "lost");
}

TEST_CASE("onLayerError stale: what is below is served, and nothing is said to be absent") {
  Layers layers(R"({ "onLayerError": "stale" })", {"memory", "jar", "jar"});
  auto storage = layers.open();
  storage.set("l2:b", "below");
  storage.set("l1:!fail", "90");
  CHECK(storage.get("o:b") == "below");
  std::string message;
  CHECK(status_of([&] { storage.get("o:c"); }, &message) == Status::unavailable);
  CHECK_THAT(message, Catch::Contains("layer 1 (jar): told to fail"));
  CHECK(status_of([&] { storage.keys("o").all(); }) == Status::unavailable);
  const auto many = storage.get_many(Keys{"o:b", "o:c"});
  CHECK(many[0].status == Status::ok);
  CHECK(many[1].status == Status::unavailable);
}

TEST_CASE("a write needs every layer that it goes to, whatever onLayerError says") {
  Layers layers(R"({ "onLayerError": "skip" })", {"jar", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "below");
  storage.set("l0:!fail", "90");
  CHECK(status_of([&] { storage.set("o:b", "value"); }) == Status::unavailable);
  CHECK(status_of([&] { storage.remove("o:a"); }) == Status::unavailable);
  storage.set("l0:!fail", "0");
  CHECK(storage.get("o:a") == "below");
}

TEST_CASE("a request that is wrong is no failure of a layer") {
  Layers layers(R"({ "onLayerError": "skip" })", {"jar", "jar"});
  auto storage = layers.open();
  storage.set("l0:!fail", "20");
  CHECK(status_of([&] { storage.get("o:a"); }) == Status::invalid);
}

TEST_CASE("a copy that a layer does not take is no failure of the read") {
  Layers layers(R"({ "promote": true, "onLayerError": "skip" })", {"jar", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "below");
  storage.set("l0:!fail", "100");
  CHECK(storage.get("o:a") == "below");
}
