// SPDX-License-Identifier: Apache-2.0
// Reading through layers: each rule by its sentence.
#include <chrono>
#include <string>

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;
using omnistore::Status;

TEST_CASE("layers are read in order, and the first hit wins") {
  Layers layers("{}", {"memory", "jar", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "one");
  storage.set("l2:a", "two");
  storage.set("l2:b", "two");
  CHECK(storage.get("o:a") == "one");
  CHECK(storage.get("o:b") == "two");
  storage.set("o:a", "zero");
  CHECK(storage.get("o:a") == "zero");
  CHECK(storage.get("l1:a") == "one");
  CHECK(storage.keys("o").all() == Keys{"o:a", "o:b"});
}

TEST_CASE("a part of a value is read from the layer that has it") {
  Layers layers("{}", {GENERATE("memory", "jar", "unsized"), "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "0123456789");
  storage.set("o:b", "abcdefghij");
  storage.set("o:long", std::string(100'000, 'x'));
  omnistore::GetOptions part;
  part.offset = 2;
  part.length = 3;
  CHECK(storage.get("o:a", part) == "234");
  CHECK(storage.get("o:b", part) == "cde");
  CHECK(storage.get("o:long") == std::string(100'000, 'x'));
}

TEST_CASE("a batch asks each layer for what those above do not have") {
  Layers layers("{}", {"memory", "jar", "unsized"});
  auto storage = layers.open();
  storage.set("o:a", "0");
  storage.set("l1:b", "1");
  storage.set("l2:c", "2");
  storage.set("l2:a", "hidden");
  const auto got = storage.get_many(Keys{"o:c", "o:none", "o:a", "o:b"});
  CHECK(got[0].entry.value == "2");
  CHECK(got[1].status == Status::not_found);
  CHECK(got[2].entry.value == "0");
  CHECK(got[3].entry.value == "1");
}

TEST_CASE("a value that has expired in one layer does not hide another's") {
  Layers layers("{}", {"memory", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "below");
  const auto end = std::chrono::system_clock::now() + std::chrono::milliseconds(60);
  omnistore::SetOptions brief;
  brief.ttl = std::chrono::milliseconds(40);
  storage.set("o:a", "above", brief);
  wait_until(end);
  CHECK(storage.get("o:a") == "below");
}
