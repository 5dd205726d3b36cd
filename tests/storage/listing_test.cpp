// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "fixture.hpp"

using omnistore::ListOptions;
using omnistore::Status;
using omnistore::Storage;
using Keys = std::vector<std::string>;

namespace {

Keys sorted(Keys keys) {
  std::sort(keys.begin(), keys.end());
  return keys;
}

Keys by_pages(const Storage &storage, const std::string &base, std::uint32_t limit,
              std::uint32_t depth = ListOptions::any_depth) {
  Keys keys;
  ListOptions options;
  options.limit = limit;
  options.depth = depth;
  do {
    const omnistore::Page page = storage.list(base, options);
    CHECK(page.items.size() <= limit);
    for (const auto &item : page.items) keys.push_back(item.key);
    options.cursor = page.cursor;
  } while (!options.cursor.empty());
  return keys;
}

Storage filled() {
  Storage storage =
      test::open(R"({ "": { "driver": "memory" }, "m": { "driver": "bare" }, "m:deep": { "driver": "memory" },
                                    "z": { "driver": "bare" } })");
  for (const char *key : {"a", "a:b", "a:b:c", "n", "m:x", "m:x:y", "m:deep:1", "m:deep:2:3", "z:1"})
    storage.set(key, "value");
  return storage;
}

} // namespace

TEST_CASE("a listing of everything spans all mounts") {
  const Storage storage = filled();
  CHECK(sorted(storage.keys().all()) ==
        Keys{"a", "a:b", "a:b:c", "m:deep:1", "m:deep:2:3", "m:x", "m:x:y", "n", "z:1"});
}

TEST_CASE("a listing of a base spans the mount that holds it and those below") {
  const Storage storage = filled();
  CHECK(sorted(storage.keys("m").all()) == Keys{"m:deep:1", "m:deep:2:3", "m:x", "m:x:y"});
  CHECK(sorted(storage.keys("m:deep").all()) == Keys{"m:deep:1", "m:deep:2:3"});
  CHECK(sorted(storage.keys("a:b").all()) == Keys{"a:b:c"});
  CHECK(storage.keys("no:such").all().empty());
}

TEST_CASE("depth counts from the queried base, across mounts") {
  const Storage storage = filled();
  CHECK(sorted(storage.keys("", 0).all()) == Keys{"a", "n"});
  CHECK(sorted(storage.keys("", 1).all()) == Keys{"a", "a:b", "m:x", "n", "z:1"});
  CHECK(sorted(storage.keys("m", 0).all()) == Keys{"m:x"});
  CHECK(sorted(storage.keys("m", 1).all()) == Keys{"m:deep:1", "m:x", "m:x:y"});
  CHECK(sorted(storage.keys("m:deep", 0).all()) == Keys{"m:deep:1"});
}

TEST_CASE("pages of any size give the same keys as one listing") {
  const Storage storage = filled();
  for (std::uint32_t limit : {1u, 2u, 3u, 5u, 100u})
    for (const char *base : {"", "m", "m:deep", "z", "a"})
      CHECK(by_pages(storage, base, limit) == storage.keys(base).all());
}

TEST_CASE("keys that a deeper mount covers are masked in the one above") {
  Storage storage = test::open(R"({ "": { "driver": "memory" } })");
  storage.set("m:hidden", "1");
  storage.set("mm", "1");
  omnistore::MountConfig memory;
  memory.store.driver = "memory";
  storage.mount("m", memory);
  CHECK(storage.keys().all() == Keys{"mm"});
  CHECK(storage.keys("m").all().empty());
}

TEST_CASE("meta keys are never listed") {
  Storage storage = test::open(R"({ "": { "driver": "memory" }, "b": { "driver": "bare" } })");
  for (const char *key : {"x", "x$", "b:y", "b:y$"}) storage.set(key, "{}");
  CHECK(sorted(storage.keys().all()) == Keys{"b:y", "x"});
  CHECK(by_pages(storage, "", 1).size() == 2);
}

TEST_CASE("a listing that runs while others write gives every key that stays, none twice") {
  for (const char *driver : {"memory", "bare"}) {
    Storage storage = test::open(std::string(R"({ "": { "driver": ")") + driver + R"(" } })");
    std::set<std::string> staying;
    for (int i = 0; i < 500; ++i) staying.insert("stay:" + std::to_string(i));
    for (const auto &key : staying) storage.set(key, "1");
    std::atomic<bool> stop{false};
    std::thread writing([&] {
      for (int i = 0; !stop; ++i) {
        storage.set("stay:new" + std::to_string(i % 97), "1");
        storage.remove("stay:new" + std::to_string((i + 50) % 97));
      }
    });
    for (int round = 0; round < 10; ++round) {
      Keys keys = by_pages(storage, "stay", 7);
      std::set<std::string> seen(keys.begin(), keys.end());
      CHECK(seen.size() == keys.size());
      CHECK(std::includes(seen.begin(), seen.end(), staying.begin(), staying.end()));
    }
    stop = true;
    writing.join();
  }
}

TEST_CASE("meta comes with the keys if the request wants it") {
  Storage storage =
      test::open(R"({ "": { "driver": "memory" }, "b": { "driver": "bare", "options": { "etags": true } } })");
  storage.set("x", "four");
  storage.set("b:y", "three");
  ListOptions options;
  options.meta = true;
  const auto page = storage.list("", options);
  REQUIRE(page.items.size() == 2);
  CHECK(page.items[0].meta.size == 4);
  CHECK(page.items[1].key == "b:y");
  CHECK(page.items[1].meta.size == 5);
  CHECK(page.items[1].meta.mtime == 1000);
}

TEST_CASE("a cursor whose mount is gone continues with the next one") {
  Storage storage = filled();
  ListOptions options;
  options.limit = 4; // a, a:b, a:b:c, n
  std::string cursor = storage.list("", options).cursor;
  REQUIRE_FALSE(cursor.empty());
  storage.unmount("m");
  options.cursor = cursor;
  options.limit = 100;
  Keys keys;
  for (const auto &item : storage.list("", options).items) keys.push_back(item.key);
  CHECK(keys == Keys{"m:deep:1", "m:deep:2:3", "z:1"});
}

TEST_CASE("a cursor of a replaced store begins with the new one's first key, and the same store continues") {
  omnistore::Storage storage = test::open(R"({ "a": { "driver": "memory" }, "b": { "driver": "memory" } })");
  for (const char *key : {"a:1", "a:2", "a:3", "b:1"}) storage.set(key, "");
  omnistore::ListOptions options;
  options.limit = 2;
  options.cursor = storage.list("", options).cursor;
  CHECK(storage.list("", options).items.front().key == "a:3");
  omnistore::MountConfig other;
  other.store.driver = "bare";
  storage.mount("a", other);
  for (const char *key : {"a:1", "a:4"}) storage.set(key, "");
  options.limit = 10;
  std::vector<std::string> keys;
  do {
    const omnistore::Page page = storage.list("", options);
    for (const auto &item : page.items) keys.push_back(item.key);
    options.cursor = page.cursor;
  } while (!options.cursor.empty());
  CHECK(keys == std::vector<std::string>{"a:1", "a:4", "b:1"});
}

TEST_CASE("a limit of none and a cursor of somebody else's are refused") {
  const Storage storage = filled();
  ListOptions options;
  options.limit = 0;
  CHECK(test::status_of([&] { storage.list("", options); }) == Status::invalid);
  options.limit = 1;
  options.cursor = "nonsense";
  CHECK(test::status_of([&] { storage.list("", options); }) == Status::invalid);
}

TEST_CASE("clear of a base removes it in the mount that holds it and in every mount below, and nothing else") {
  Storage storage = filled();
  storage.set("mx", "1");
  CHECK(storage.clear("m") == 4);
  CHECK(sorted(storage.keys().all()) == Keys{"a", "a:b", "a:b:c", "mx", "n", "z:1"});
  CHECK(storage.clear("a:b") == 1);
  CHECK(storage.get("a:b") == "value");
  CHECK(storage.clear() == 5);
  CHECK(storage.keys().all().empty());
}

TEST_CASE("clear removes the meta too") {
  for (const char *driver : {"memory", "bare"}) {
    Storage storage = test::open(std::string(R"({ "": { "driver": ")") + driver + R"(" } })");
    storage.set("a:x", "1");
    storage.set("a:x$", R"({"note":1})");
    CHECK(storage.clear("a") == 1);
    CHECK_FALSE(storage.has("a:x$"));
  }
}

TEST_CASE("clear over a read-only mount clears nothing and names it") {
  Storage storage = test::open(R"({ "": { "driver": "memory" }, "r": { "driver": "memory", "readOnly": true } })");
  storage.set("x", "1");
  std::string message;
  CHECK(test::status_of([&] { storage.clear(); }, &message) == Status::read_only);
  CHECK_THAT(message, Catch::Contains("mount r"));
  CHECK(storage.has("x"));
}
