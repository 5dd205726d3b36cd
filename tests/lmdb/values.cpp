// SPDX-License-Identifier: Apache-2.0
// Values go out of the map, and are copied at most once on the way.
#include "driven.hpp"

using namespace test;

TEST_CASE("a long value is lent out of the map, and stays while it is replaced and removed") {
  Fixture f;
  const std::string value = bytes_of(3'000'000);
  REQUIRE(f.store.set("k", value) == OMNISTORE_OK);
  Borrower first, second;
  REQUIRE(get(f.store, "k", first) == OMNISTORE_OK);
  REQUIRE(get(f.store, "k", second) == OMNISTORE_OK);
  CHECK(first.data == second.data); // neither is a copy
  REQUIRE(f.store.set("k", bytes_of(3'000'000, 9)) == OMNISTORE_OK);
  REQUIRE(f.store.remove("k") == OMNISTORE_OK);
  REQUIRE(f.store.set("other", bytes_of(6'000'000, 5)) == OMNISTORE_OK);
  CHECK(first.bytes() == value);
  first.give_back();
  CHECK(second.bytes() == value);
  second.give_back();
}

TEST_CASE("a value goes to a sink without a buffer in one piece") {
  Fixture f;
  REQUIRE(f.store.set("k", bytes_of(1'000'000)) == OMNISTORE_OK);
  Got got;
  got.offers_buffer = false;
  REQUIRE(f.store.get("k", got) == OMNISTORE_OK);
  CHECK(got.bytes == bytes_of(1'000'000));
  CHECK(got.writes == 1);
}

TEST_CASE("a part of a value is read") {
  Fixture f;
  const std::string value = bytes_of(500'000);
  REQUIRE(f.store.set("v", value) == OMNISTORE_OK);
  Got middle, behind;
  CHECK(f.store.get("v", middle, 250'000, 100) == OMNISTORE_OK);
  CHECK(middle.bytes == value.substr(250'000, 100));
  CHECK(middle.value_size == value.size());
  CHECK(f.store.get("v", behind, 600'000, 5) == OMNISTORE_OK);
  CHECK(behind.bytes.empty());
}

TEST_CASE("a reader delays no writer") {
  Fixture f;
  REQUIRE(f.store.set("k", "old") == OMNISTORE_OK);
  Got got;
  got.offers_buffer = false;
  got.on_write = [&] {
    CHECK(f.store.set("k", "new") == OMNISTORE_OK);
    CHECK(f.store.get("k") == "new");
    return OMNISTORE_OK;
  };
  CHECK(f.store.get("k", got) == OMNISTORE_OK);
  CHECK(got.bytes == "old");
}

TEST_CASE("keys have up to 511 bytes, and longer ones are refused") {
  Fixture f;
  CHECK(f.store.traits.max_key_size == 511);
  const std::string longest(511, 'k'), longer(512, 'k');
  CHECK(f.store.set(longest, "v") == OMNISTORE_OK);
  CHECK(f.store.get(longest) == "v");
  CHECK(f.store.list() == Keys{longest});
  CHECK(f.store.set(longer, "v") == OMNISTORE_TOO_LARGE);
  CHECK(f.store.message().find("511") != std::string::npos);
  CHECK(f.store.remove(longer) == OMNISTORE_NOT_FOUND);
}

TEST_CASE("a listing of folders skips the keys in them, and misses no neighbour") {
  Fixture f;
  for (int i = 0; i < 3000; ++i) REQUIRE(f.store.set("folder:" + std::to_string(i), "x") == OMNISTORE_OK);
  for (const char *key : {"a", "folder", "folder;", "z"}) REQUIRE(f.store.set(key, "x") == OMNISTORE_OK);
  CHECK(f.store.list("", 0) == Keys{"a", "folder", "folder;", "z"});
  CHECK(f.store.list("", 0, 1) == Keys{"a", "folder", "folder;", "z"});
  CHECK(f.store.list("folder:", 0).size() == 3000);
}

TEST_CASE("a clear goes in pieces, and reports each key") {
  Fixture f;
  for (int i = 0; i < 2500; ++i)
    REQUIRE(f.store.set("a:" + std::to_string(i), "x", {.expiry = i % 2 ? f.host.time + 1000 : 0}) == OMNISTORE_OK);
  REQUIRE(f.store.set("b", "x") == OMNISTORE_OK);
  Page removed;
  REQUIRE(f.store.clear("a:", &removed) == OMNISTORE_OK);
  CHECK(removed.items.size() == 2500);
  CHECK(f.store.list() == Keys{"b"});
  REQUIRE(f.store.clear() == OMNISTORE_OK);
  CHECK(f.store.list().empty());
}
