// SPDX-License-Identifier: Apache-2.0
#include <set>

#include "driven.hpp"

using test::Got;
using test::Store;

TEST_CASE("if-absent sets only if there is no value") {
  Store store;
  REQUIRE(store.set("key", "1", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_OK);
  REQUIRE(store.set("key", "2", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_CONFLICT);
  REQUIRE(store.get("key") == "1");
}

TEST_CASE("if-absent takes an expired value for none") {
  Store store;
  store.set("key", "1", {.expiry = store.now() + 10});
  store.host.time += 10;
  REQUIRE(store.set("key", "2", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_OK);
  REQUIRE(store.get("key") == "2");
}

TEST_CASE("if-present sets only if there is a value") {
  Store store;
  REQUIRE(store.set("key", "1", {.condition = OMNISTORE_IF_PRESENT}) == OMNISTORE_CONFLICT);
  REQUIRE(store.get("key") == std::nullopt);
  store.set("key", "1");
  REQUIRE(store.set("key", "2", {.condition = OMNISTORE_IF_PRESENT}) == OMNISTORE_OK);
  REQUIRE(store.get("key") == "2");
}

TEST_CASE("if-match sets and removes only over the etag that it names") {
  Store store;
  store.set("key", "1");
  const std::string first = store.etag("key");
  REQUIRE(store.set("key", "2", {.condition = OMNISTORE_IF_MATCH, .etag = first}) == OMNISTORE_OK);
  REQUIRE(store.set("key", "3", {.condition = OMNISTORE_IF_MATCH, .etag = first}) == OMNISTORE_CONFLICT);
  REQUIRE(store.remove("key", OMNISTORE_IF_MATCH, first) == OMNISTORE_CONFLICT);
  REQUIRE(store.get("key") == "2");
  REQUIRE(store.remove("key", OMNISTORE_IF_MATCH, store.etag("key")) == OMNISTORE_OK);
  REQUIRE(store.get("key") == std::nullopt);
}

TEST_CASE("if-match is a conflict if there is no value") {
  Store store;
  REQUIRE(store.set("key", "1", {.condition = OMNISTORE_IF_MATCH, .etag = "x"}) == OMNISTORE_CONFLICT);
  REQUIRE(store.remove("key", OMNISTORE_IF_MATCH, "x") == OMNISTORE_CONFLICT);
  REQUIRE(store.remove("key", OMNISTORE_IF_PRESENT) == OMNISTORE_NOT_FOUND);
}

TEST_CASE("a condition that is not known changes nothing") {
  Store store;
  REQUIRE(store.set("key", "1", {.condition = 77}) == OMNISTORE_UNSUPPORTED);
  REQUIRE(store.message() == "unknown condition 77");
  REQUIRE(store.get("key") == std::nullopt);
}

TEST_CASE("an etag changes with each write of a key, also with the same value and after a removal") {
  Store store;
  std::set<std::string> etags;
  for (int i = 0; i < 100; ++i) {
    store.set("key", "same");
    etags.insert(store.etag("key"));
    if (i % 3 == 0) store.remove("key");
    if (i % 10 == 0) store.clear();
  }
  REQUIRE(etags.size() == 100);
}

TEST_CASE("an etag does not come again when the store is reopened a moment later") {
  std::set<std::string> etags;
  for (int opened = 0; opened < 3; ++opened) {
    Store store("{}", opened);
    for (int i = 0; i < 1000; ++i) {
      store.set("key", "same");
      etags.insert(store.etag("key"));
    }
  }
  REQUIRE(etags.size() == 3000);
}

TEST_CASE("an etag is stable without writes, and short printable text") {
  Store store;
  store.set("key", "1");
  const std::string etag = store.etag("key");
  store.touch("key", store.now() + 1000);
  store.get("key");
  REQUIRE(store.etag("key") == etag);
  REQUIRE(!etag.empty());
  REQUIRE(etag.size() <= 16);
  for (const char c : etag) REQUIRE((('0' <= c && c <= '9') || ('a' <= c && c <= 'z')));
}

TEST_CASE("an etag is given only if the request wants it") {
  Store store;
  store.set("key", "1");
  Got plain;
  store.stat("key", plain, 0);
  REQUIRE(plain.etag.empty());
}

TEST_CASE("set returns the new value's meta") {
  Store store;
  Got result;
  REQUIRE(store.set("key", "12345", {.expiry = store.now() + 1000}, &result) == OMNISTORE_OK);
  REQUIRE(result.begun == 1);
  REQUIRE(result.etag == store.etag("key"));
  REQUIRE(result.value_size == 5);
  REQUIRE(result.mtime == store.now());
  REQUIRE(result.expiry == store.now() + 1000);
}
