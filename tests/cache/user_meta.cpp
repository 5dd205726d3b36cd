// SPDX-License-Identifier: Apache-2.0
// A fresh copy serves all reads by itself, and carries the origin's user meta.
#include <catch2/catch.hpp>

#include "fixture.hpp"

using omnistore::GetOptions;
using omnistore::SetOptions;
using omnistore::Storage;
using test::cached;
using test::open;
using test::Origin;

TEST_CASE("a fresh copy serves has, meta, get and a range without its origin, even if that is away") {
  for (const bool in_files : {false, true}) {
    const test::Folder folder;
    Origin origin;
    origin.serve("/k", "0123456789", "\"tag\"");
    Storage storage = open(cached(origin, "{}", in_files ? test::in_files(folder) : test::memory_copies));
    CHECK(storage.get("pages:k") == "0123456789");
    CHECK(origin.count() == 1);
    for (const bool away : {false, true}) {
      if (away) origin.stop();
      CHECK(storage.has("pages:k"));
      CHECK(storage.meta("pages:k")->size == 10);
      CHECK_FALSE(storage.meta("pages:k", {.user = false})->etag.empty());
      GetOptions part;
      part.offset = 7;
      part.meta = true;
      CHECK(storage.get("pages:k", part) == "789");
      CHECK(origin.count() == 1);
    }
  }
}

TEST_CASE("a copy carries the user meta of its origin, and a new one is seen in it") {
  const test::Folder folder;
  Storage storage = open(R"({ "there": { "driver": "fs", "options": { "base": ")" + folder.path().string() + R"(" } },
    "pages": { "driver": "memory", "invalidation": {}, "origin": { "driver": "fs", "options": { "base": ")" +
                         folder.path().string() + R"(" } } } })");
  SetOptions options;
  options.user = "mine";
  storage.set("there:k", "1", options);
  CHECK(storage.get("pages:k") == "1");
  CHECK(storage.get("pages:k$") == "mine");
  storage.remove("there:k"); // the copy is fresh, and serves by itself
  CHECK(storage.get("pages:k$") == "mine");
  CHECK(storage.meta("pages:k")->user == "mine");
  storage.set("pages:k", "2", options);
  CHECK(storage.get("there:k$") == "mine");
  CHECK(storage.get("pages:k$") == "mine");
  storage.set("pages:k$", "other");
  CHECK(storage.get("there:k$") == "other");
  CHECK(storage.get("pages:k$") == "other");
  storage.set("pages:k", "3");
  CHECK_FALSE(storage.has("there:k$"));
  CHECK_FALSE(storage.has("pages:k$"));
}

TEST_CASE("a refresh of an unchanged value brings new user meta") {
  const test::Folder folder;
  Storage storage = open(R"({ "there": { "driver": "fs", "options": { "base": ")" + folder.path().string() + R"(" } },
    "pages": { "driver": "memory", "invalidation": {}, "origin": { "driver": "fs", "options": { "base": ")" +
                         folder.path().string() + R"(" } } } })");
  storage.set("there:k", "1");
  storage.set("there:k$", "old");
  CHECK(storage.get("pages:k") == "1");
  storage.set("there:k$", "new");
  CHECK(storage.get("pages:k$") == "old");
  test::make_stale(storage, "pages:k");
  CHECK(test::other_than(storage, "pages:k$", "old") == "new");
}

TEST_CASE("user meta that the origin did not give with the value is read under key$ alone, once") {
  Origin origin;
  origin.serve("/k", "v", "\"tag\"");
  origin.serve("/k%24", R"({"n":1.10})");
  Storage storage = open(cached(origin, "{}"));
  CHECK(storage.get("pages:k") == "v");
  CHECK(origin.count() == 1);
  CHECK(storage.meta("pages:k")->size == 1);
  CHECK(origin.count() == 1);
  CHECK(storage.get("pages:k$") == R"({"n":1.10})");
  const auto asked = origin.count();
  CHECK(storage.get("pages:k$") == R"({"n":1.10})");
  CHECK(storage.meta("pages:k")->user == R"({"n":1.10})");
  CHECK(origin.count() == asked);
}
