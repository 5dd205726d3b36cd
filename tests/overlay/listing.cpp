// SPDX-License-Identifier: Apache-2.0
// Listings, which merge those of the layers.
#include <atomic>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;
using omnistore::Status;

TEST_CASE("a listing merges the layers' pages, each key once, in order") {
  const std::string kind = GENERATE("jar", "unordered", "fs", "memory");
  Layers layers("{}", {"memory", kind == "memory" ? "jar" : kind, "jar"});
  auto storage = layers.open();
  Keys expected;
  for (int i = 100; i < 500; ++i) {
    const std::string key = "k:" + std::to_string(i);
    if (i % 2) storage.set("l1:" + key, "1");
    if (i % 3) storage.set("l2:" + key, "2");
    if (i % 5 == 0) storage.set("o:" + key, "0");
    if (i % 2 || i % 3 || i % 5 == 0) expected.push_back("o:" + key);
  }
  omnistore::ListOptions options;
  options.limit = GENERATE(1u, 7u, 1000u);
  Keys keys;
  do {
    const omnistore::Page page = storage.list("o:k", options);
    for (const auto &item : page.items) keys.push_back(item.key);
    options.cursor = page.cursor;
  } while (!options.cursor.empty());
  CHECK(keys == expected);
}

TEST_CASE("a listing reads no values") {
  Layers layers("{}", {"jar", "jar"});
  auto storage = layers.open();
  for (int i = 0; i < 20; ++i) storage.set(i % 2 ? "l0:" + std::to_string(i) : "l1:" + std::to_string(i), "value");
  storage.remove("o:3");
  const std::string before = *storage.get("l0:!reads"), below = *storage.get("l1:!reads");
  CHECK(storage.keys("o").all().size() == 19);
  CHECK(storage.get("l0:!reads") == before);
  CHECK(storage.get("l1:!reads") == below);
}

TEST_CASE("a listing with a depth stops there") {
  Layers layers("{}", {"memory", "fs"});
  auto storage = layers.open();
  for (const char *key : {"o:a", "o:a:b", "l1:c", "l1:c:d:e"}) storage.set(key, "value");
  CHECK(storage.keys("o", 0).all() == Keys{"o:a", "o:c"});
  CHECK(storage.keys("o:a", 0).all() == Keys{"o:a:b"});
}

TEST_CASE("more listings than are kept under way go on, each where it was") {
  Layers layers("{}", {"memory", "unordered", "jar"});
  auto storage = layers.open();
  for (int i = 10; i < 60; ++i) storage.set((i % 2 ? "l1:" : "l2:") + std::to_string(i), "value");
  std::vector<omnistore::ListOptions> listings(40);
  std::vector<Keys> keys(listings.size());
  for (int page = 0; page < 10; ++page) {
    for (std::size_t i = 0; i < listings.size(); ++i) {
      listings[i].limit = 6;
      if (page > 0 && listings[i].cursor.empty()) continue;
      const omnistore::Page got = storage.list("o", listings[i]);
      for (const auto &item : got.items) keys[i].push_back(item.key);
      listings[i].cursor = got.cursor;
    }
  }
  for (const Keys &one : keys) CHECK(one == storage.keys("o").all());
}

TEST_CASE("a listing that runs while others write gives every key that was there throughout, none twice") {
  Layers layers(R"({ "promote": true })", {"memory", "jar", "unordered"});
  auto storage = layers.open();
  for (int i = 1000; i < 1300; ++i) storage.set((i % 2 ? "l1:" : "l2:") + std::to_string(i), "stays");
  std::atomic<bool> done{false};
  std::thread writer([&] {
    for (unsigned i = 0; !done; ++i) {
      const std::string key = std::to_string(1000 + i * 7 % 300);
      storage.get("o:" + key); // promotes it
      storage.set("o:" + key + "x", "comes");
      storage.remove("o:" + key + "x");
      storage.set("o:" + key, "again");
    }
  });
  for (int run = 0; run < 20; ++run) {
    omnistore::ListOptions options;
    options.limit = 23;
    Keys stayed, all;
    do {
      const omnistore::Page page = storage.list("o", options);
      for (const auto &item : page.items) {
        all.push_back(item.key);
        if (!item.key.ends_with('x')) stayed.push_back(item.key);
      }
      options.cursor = page.cursor;
    } while (!options.cursor.empty());
    CHECK(stayed.size() == 300);
    CHECK(std::adjacent_find(all.begin(), all.end(), std::greater_equal<>()) == all.end());
  }
  done = true;
  writer.join();
}

TEST_CASE("a cursor of another store is refused") {
  Layers layers("{}", {"memory", "jar"});
  auto storage = layers.open();
  for (const char *key : {"o:a:1", "o:a:2", "o:b:1", "o:b:2", "l1:a"}) storage.set(key, "value");
  omnistore::ListOptions options;
  options.limit = 1;
  options.cursor = storage.list("o:a", options).cursor;
  CHECK(status_of([&] { storage.list("o:b", options); }) == Status::invalid);
  options.cursor = storage.list("l1", options.cursor.empty() ? options : omnistore::ListOptions{}).cursor;
}

TEST_CASE("an overlay over stores that never block never blocks") {
  CHECK(Layers("{}", {"memory", "memory"}).open().route("o:a").never_blocks);
  CHECK_FALSE(Layers("{}", {"memory", "fs"}).open().route("o:a").never_blocks);
}
