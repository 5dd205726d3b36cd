// SPDX-License-Identifier: Apache-2.0
// Ranges, folders and the descending order over many shards. The kit tests their meaning.
#include <algorithm>
#include <set>

#include "driven.hpp"

using test::Keys;
using test::numbered;
using test::Store;

namespace {

constexpr std::uint32_t folders = OMNISTORE_LIST_FOLDERS, reverse = OMNISTORE_LIST_REVERSE;

/// Folders of 300 keys each, with keys between them.
Keys plant(Store &store) {
  Keys keys;
  for (size_t i = 0; i < 40; ++i) {
    for (size_t j = 0; j < 300; ++j) keys.push_back(numbered(numbered("f", i) + ":sub:k", j * 7919 % 300));
    keys.push_back(numbered("f", i) + "!");
    keys.push_back(numbered("f", i) + ";");
  }
  for (const std::string &key : keys) store.set(key, "v");
  std::sort(keys.begin(), keys.end());
  return keys;
}

Keys descending(Keys keys) {
  std::reverse(keys.begin(), keys.end());
  return keys;
}

} // namespace

TEST_CASE("keys in descending order are those in ascending order, whatever the page's size", "[long]") {
  Store store;
  const Keys keys = plant(store);
  for (const uint32_t limit : {1u, 7u, 64u, 1000u, 12080u, 12081u, UINT32_MAX})
    REQUIRE(store.list("", OMNISTORE_ANY_DEPTH, limit, reverse) == descending(keys));
  REQUIRE(store.list("f0000001:", OMNISTORE_ANY_DEPTH, 100, reverse) == descending(store.list("f0000001:")));
  REQUIRE(Store().list("", OMNISTORE_ANY_DEPTH, 100, reverse).empty());
}

TEST_CASE("keys in descending order are right after some were set out of order and removed") {
  Store store;
  std::set<std::string> left;
  for (size_t i = 0; i < 3000; ++i) left.insert(numbered("k", i * 7919 % 3000));
  for (const std::string &key : left) store.set(key, "v");
  for (size_t i = 0; i < 3000; ++i) {
    if (i % 5 == 0) continue;
    store.remove(numbered("k", i));
    left.erase(numbered("k", i));
  }
  REQUIRE(store.list("", OMNISTORE_ANY_DEPTH, 9, reverse) == Keys(left.rbegin(), left.rend()));
}

TEST_CASE("a folder comes once, though each shard has keys of it, between the keys that its name lies between") {
  Store store;
  plant(store);
  Keys right, deeper;
  for (size_t i = 0; i < 40; ++i) {
    const std::string name = numbered("f", i);
    for (const char *end : {"!", ":", ";"}) right.push_back(name + end);
    for (const char *end : {"!", ":sub:", ";"}) deeper.push_back(name + end);
  }
  for (const uint32_t limit : {1u, 2u, 3u, 7u, 119u, 120u, 121u, 1000u}) {
    REQUIRE(store.list("", 0, limit, folders) == right);
    REQUIRE(store.list("", 0, limit, folders | reverse) == descending(right));
    REQUIRE(store.list("", 1, limit, folders) == deeper);
  }
  REQUIRE(store.list("f0000003:", 0, 5, folders) == Keys{"f0000003:sub:"});
  REQUIRE(store.list("", 2, 1000, folders) == store.list("", 2, 1000));
}

TEST_CASE("a range gives the keys between its bounds in both directions") {
  Store store;
  const Keys keys = plant(store);
  const std::string start = keys[200], end = keys[9000];
  const Keys right(keys.begin() + 200, keys.begin() + 9000);
  for (const uint32_t limit : {13u, 5000u}) {
    REQUIRE(store.list("", OMNISTORE_ANY_DEPTH, limit, 0, start, end) == right);
    REQUIRE(store.list("", OMNISTORE_ANY_DEPTH, limit, reverse, start, end) == descending(right));
  }
}

TEST_CASE("a folder whose values have all expired is not listed") {
  Store store;
  for (size_t i = 0; i < 300; ++i) store.set(numbered("gone:k", i), "v", {.expiry = store.now() + 10});
  store.set("stays:k", "v");
  store.set("stays:other", "v", {.expiry = store.now() + 10});
  store.host.time += 20;
  REQUIRE(store.list("", 0, 10, folders) == Keys{"stays:"});
  REQUIRE(store.list("", 0, 10, folders | reverse) == Keys{"stays:"});
}
