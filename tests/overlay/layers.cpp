// SPDX-License-Identifier: Apache-2.0
// Reading and writing through layers: each rule by its sentence.
#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;

TEST_CASE("layers are read in order, and the first hit wins") {
  Layers layers(R"({})", {"memory", "jar", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "one");
  storage.set("l2:a", "two");
  storage.set("l2:b", "two");
  CHECK(storage.get("o:a") == "one");
  CHECK(storage.get("o:b") == "two");
  storage.set("o:a", "zero");
  CHECK(storage.get("o:a") == "zero");
  CHECK(storage.get("l1:a") == "one");
  CHECK(storage.keys("o") == Keys{"o:a", "o:b"});
}

TEST_CASE("a removal never lets a lower layer's value reappear") {
  const std::string top = GENERATE("memory", "jar", "private", "fs");
  Layers layers(R"({})", {top, "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "old");
  storage.set("o:a", "new");
  CHECK(storage.remove("o:a"));
  CHECK_FALSE(storage.get("o:a"));
  CHECK_FALSE(storage.has("o:a"));
  CHECK_FALSE(storage.meta("o:a"));
  CHECK(storage.keys("o").empty());
  CHECK(storage.get_many(std::vector<std::string>{"o:a"})[0].status == omnistore::Status::not_found);
  CHECK_FALSE(storage.remove("o:a"));
  storage.set("o:a", "again");
  CHECK(storage.get("o:a") == "again");
  CHECK(storage.get("l1:a") == "old");
}
