// SPDX-License-Identifier: Apache-2.0
// Writes: which layers they go to, and what becomes of the others.
#include <chrono>
#include <string>

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;
using omnistore::Status;

TEST_CASE("writes go to the layers of writeTo, to all of them, and to no other") {
  Layers layers(R"({ "writeTo": [0, 2] })", {"jar", "jar", "jar"});
  auto storage = layers.open();
  storage.set("o:a", "value");
  CHECK(storage.get("l0:a") == "value");
  CHECK_FALSE(storage.has("l1:a"));
  CHECK(storage.get("l2:a") == "value");
  CHECK(storage.set_many(std::vector<omnistore::SetItem>{{"o:b", "value", {}}})[0].status == Status::ok);
  CHECK(storage.has("l0:b"));
  CHECK(storage.has("l2:b"));
  CHECK(storage.remove("o:a"));
  CHECK_FALSE(storage.has("l0:a"));
  CHECK_FALSE(storage.has("l2:a"));
}

TEST_CASE("writeTo all is every layer") {
  Layers layers(R"({ "writeTo": "all" })", {"jar", "jar", "jar"});
  auto storage = layers.open();
  storage.set("o:a", "value");
  for (const char *key : {"l0:a", "l1:a", "l2:a"}) CHECK(storage.has(key));
  CHECK(storage.clear("o") == 1);
  for (const char *key : {"l0:a", "l1:a", "l2:a"}) CHECK_FALSE(storage.has(key));
}

TEST_CASE("a writeTo that names no layer says how many there are") {
  std::string message;
  const auto open_with = [&](const std::string &to) {
    Layers layers(R"({ "writeTo": )" + to + " }", {"memory", "memory"});
    return status_of([&] { layers.open(); }, &message);
  };
  CHECK(open_with("2") == Status::invalid);
  CHECK_THAT(message, Catch::Contains("options.writeTo: 2 is no layer; there are 2, 0 to 1"));
  CHECK(open_with("[0, 7]") == Status::invalid);
  CHECK_THAT(message, Catch::Contains("7 is no layer"));
  CHECK(open_with("[]") == Status::invalid);
  CHECK_THAT(message, Catch::Contains("name at least one"));
  CHECK(open_with("\"some\"") == Status::invalid);
  CHECK_THAT(message, Catch::Contains("expected an index, a list of indexes or \"all\", found \"some\""));
}

TEST_CASE("a write that only some layers took names those that did and those that did not") {
  Layers layers(R"({ "writeTo": "all" })", {"jar", "memory", "jar"});
  auto storage = layers.open();
  storage.set("o:a", "old");
  storage.set("l0:!fail", "90");
  std::string message;
  CHECK(status_of([&] { storage.set("o:a", "new"); }, &message) == Status::unavailable);
  CHECK_THAT(message, Catch::Contains("layer 0 (jar): told to fail; took it: layer 2 (jar), layer 1 (memory); did not: "
                                      "layer 0 (jar)"));
  CHECK(status_of([&] { storage.remove("o:a"); }, &message) == Status::unavailable);
  const auto many = storage.set_many(std::vector<omnistore::SetItem>{{"o:b", "1", {}}, {"o:c", "2", {}}});
  CHECK(many[1].status == Status::unavailable);
  CHECK_THAT(many[1].message, Catch::Contains("took it: layer 2 (jar), layer 1 (memory)"));
  storage.set("l0:!fail", "0");
  CHECK(storage.get("o:a") == "old"); // what is seen changes with the last step
}

TEST_CASE("a write that a layer above would hide is refused") {
  Layers layers(R"({ "writeTo": 1 })", {"jar", "jar", "jar"});
  auto storage = layers.open();
  storage.set("l0:a", "above");
  std::string message;
  CHECK(status_of([&] { storage.set("o:a", "new"); }, &message) == Status::read_only);
  CHECK_THAT(message, Catch::Contains("layer 0 (jar) has this key"));
  CHECK(status_of([&] { storage.remove("o:a"); }) == Status::read_only);
  CHECK(status_of([&] { storage.clear("o"); }) == Status::read_only);
  CHECK(storage.get("l0:a") == "above");
  storage.set("o:b", "new");
  CHECK(storage.get("l1:b") == "new");
}

TEST_CASE("an overlay whose write layer takes no writes takes none") {
  Folder folder;
  auto storage = open(R"({ "o": { "driver": "overlay", "layers": [
      { "driver": "fs", "options": { "base": ")" +
                      folder.path().string() + R"(", "readOnly": true } } ] } })");
  CHECK(status_of([&] { storage.set("o:a", "value"); }) == Status::read_only);
}

TEST_CASE("a new ttl for a value of a layer that is not written to goes with a copy") {
  Layers layers("{}", {"memory", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "below");
  CHECK(storage.touch("o:a", std::chrono::hours(1)));
  CHECK(storage.get("o:a") == "below");
  CHECK(storage.meta("o:a")->expiry > 0);
  CHECK(storage.meta("l1:a")->expiry == 0);
  CHECK_FALSE(storage.touch("o:none", std::chrono::hours(1)));
}

TEST_CASE("the user's meta is seen through the layers, and goes with its key") {
  Layers layers("{}", {"memory", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "below");
  storage.set("l1:a$", R"({"by":"me"})");
  CHECK(storage.meta("o:a")->user == R"({"by":"me"})");
  CHECK(storage.remove("o:a"));
  storage.set("o:a", "new");
  CHECK(storage.meta("o:a")->user.empty());
}
