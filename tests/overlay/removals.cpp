// SPDX-License-Identifier: Apache-2.0
// Removals and clears: nothing that was removed comes back from a layer below.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string>

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;
using omnistore::Status;

namespace {

/// The keys of a layer, with those that no listing of the storage shows.
Keys files(const std::string &folder) {
  Keys names;
  if (!std::filesystem::exists(folder)) return names;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(folder))
    if (entry.is_regular_file()) names.push_back(std::filesystem::relative(entry.path(), folder).string());
  std::sort(names.begin(), names.end());
  return names;
}

} // namespace

TEST_CASE("a removal never lets a lower layer's value reappear") {
  const std::string top = GENERATE("memory", "jar", "private", "fs");
  Layers layers("{}", {top, "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "old");
  storage.set("o:a", "new");
  CHECK(storage.remove("o:a"));
  CHECK_FALSE(storage.get("o:a"));
  CHECK_FALSE(storage.has("o:a"));
  CHECK_FALSE(storage.meta("o:a"));
  CHECK(storage.keys("o").all().empty());
  CHECK(storage.get_many(Keys{"o:a"})[0].status == Status::not_found);
  CHECK_FALSE(storage.remove("o:a"));
  CHECK(storage.clear("o") == 0);
  storage.set("o:a", "again");
  CHECK(storage.get("o:a") == "again");
  CHECK(storage.get("l1:a") == "old");
}

TEST_CASE("removals are kept across restarts where the write layer keeps") {
  const std::string top = GENERATE("memory", "jar", "private", "unordered", "fs");
  Layers layers("{}", {top, "jar"});
  {
    auto storage = layers.open();
    for (const char *key : {"l1:a", "l1:b:1", "l1:b:2", "l1:c"}) storage.set(key, "old");
    CHECK(storage.remove("o:a"));
    CHECK(storage.clear("o:b") == 2);
  }
  auto storage = layers.open();
  const bool kept = top != "memory";
  CHECK(storage.has("o:a") != kept);
  CHECK(storage.has("o:b:1") != kept);
  CHECK(storage.keys("o").all() == (kept ? Keys{"o:c"} : Keys{"o:a", "o:b:1", "o:b:2", "o:c"}));
}

TEST_CASE("what was removed stays removed when a later value has expired") {
  Layers layers("{}", {GENERATE("memory", "fs"), "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "old");
  storage.remove("o:a");
  const auto end = std::chrono::system_clock::now() + std::chrono::milliseconds(60);
  omnistore::SetOptions brief;
  brief.ttl = std::chrono::milliseconds(40);
  storage.set("o:a", "new", brief);
  wait_until(end);
  CHECK_FALSE(storage.get("o:a"));
}

TEST_CASE("a removal is recorded only where a lower layer has the key") {
  Layers layers("{}", {"fs", "jar"});
  auto storage = layers.open();
  storage.set("o:a", "value");
  CHECK(storage.remove("o:a"));
  CHECK(files(layers.folder(0)).empty());
  storage.set("l1:a", "below");
  CHECK(storage.remove("o:a"));
  CHECK(files(layers.folder(0)) == Keys{"overlay$/removed/a$"});
}

TEST_CASE("a cleared base is one record, and what is set later is seen") {
  Layers layers("{}", {"fs", "jar"});
  auto storage = layers.open();
  for (int i = 0; i < 50; ++i) storage.set("l1:a:" + std::to_string(i), "old");
  storage.set("l1:ab", "another base");
  storage.set("o:a:1", "above");
  storage.remove("o:a:2");
  CHECK(storage.clear("o:a") == 49);
  CHECK(files(layers.folder(0)) == Keys{"overlay$/cleared/a$"});
  CHECK(storage.keys("o").all() == Keys{"o:ab"});
  storage.set("o:a:1", "new");
  CHECK(storage.get("o:a:1") == "new");
  CHECK(storage.keys("o").all() == Keys{"o:a:1", "o:ab"});
  CHECK(storage.clear("o") == 2);
  CHECK(files(layers.folder(0)) == Keys{"overlay$/cleared$"});
  CHECK(storage.keys("o").all().empty());
}

TEST_CASE("a clear of everything keeps what was recorded of removals before it") {
  Layers layers(R"({ "writeTo": [0, 1] })", {"fs", "jar", "jar"});
  auto storage = layers.open();
  storage.set("l2:a", "old");
  CHECK(storage.remove("o:a"));
  storage.remove("l2:a"); // so that there is nothing to record any more
  CHECK(storage.clear("o") == 0);
  storage.set("l2:a", "back");
  CHECK_FALSE(storage.has("o:a"));
}

TEST_CASE("records are never listed, and no user's key or meta is taken for one") {
  Layers layers("{}", {"jar", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "old");
  storage.set("o:overlay$:removed:a", "a user's");
  storage.set("o:overlay$:removed:a$", "meta of it");
  storage.set("o:overlay$:b", "a user's");
  const Keys users{"o:overlay$:b", "o:overlay$:removed:a"};
  CHECK(storage.get("o:a") == "old");
  CHECK(storage.get("o:overlay$:removed:a$") == "meta of it");
  CHECK(storage.keys("o:overlay$").all() == users);
  CHECK(storage.remove("o:a"));
  CHECK(storage.keys("o").all() == users);
  CHECK(storage.get("o:overlay$:removed:a$") == "meta of it");
  CHECK(storage.clear("o:overlay$") == 2);
  CHECK_FALSE(storage.has("o:overlay$:removed:a$"));
  CHECK_FALSE(storage.has("o:a"));
}

TEST_CASE("an overlay can be a layer of another") {
  Layers layers("{}", {"jar", "jar", "jar"});
  const std::string inner = R"({ "driver": "overlay", "layers": [)" + layers.layer(0) + "," + layers.layer(1) + "] }";
  auto open = [&] {
    return layers.open(R"(, "n": { "driver": "overlay", "layers": [)" + inner + "," + layers.layer(2) + "] }");
  };
  {
    auto storage = open();
    storage.set("l1:a", "middle");
    storage.set("l2:a", "lowest");
    CHECK(storage.get("n:a") == "middle");
    CHECK(storage.remove("n:a"));
    CHECK_FALSE(storage.has("n:a"));
    for (const auto &mount : storage.mounts()) {
      if (mount.mountpoint != "n") continue;
      CHECK(mount.store.children.size() == 2);
      CHECK(mount.store.children[0].children.size() == 2);
    }
  }
  auto storage = open();
  CHECK_FALSE(storage.has("n:a"));
  CHECK(storage.keys("n").all().empty());
}

TEST_CASE("unstorage's marker means removed, whatever layer has it") {
  const std::string kind = GENERATE("jar", "unsized", "fs");
  const int at = GENERATE(0, 1, 2);
  Layers layers("{}", {kind, kind, kind});
  auto storage = layers.open();
  for (int i = at; i < 3; ++i) storage.set("l" + std::to_string(i) + ":a", i == at ? test::removed_marker : "old");
  storage.set("l2:b", "0123456789012345678"); // as long as the marker
  CHECK_FALSE(storage.get("o:a"));
  CHECK_FALSE(storage.has("o:a"));
  CHECK(storage.keys("o").all() == Keys{"o:b"});
  CHECK(storage.get("o:b") == "0123456789012345678");
  omnistore::GetOptions part;
  part.offset = 4;
  CHECK_FALSE(storage.get("o:a", part));
  CHECK(storage.get("o:b", part) == "456789012345678");
  CHECK(storage.get_many(Keys{"o:a", "o:b"})[0].status == Status::not_found);
  CHECK(storage.get_many(Keys{"o:a", "o:b"})[1].status == Status::ok);
  CHECK_FALSE(storage.remove("o:a"));
  storage.set("o:a", "new");
  CHECK(storage.get("o:a") == "new");
}

TEST_CASE("a value that would be taken for unstorage's marker is refused") {
  Layers layers("{}", {"memory", "jar"});
  auto storage = layers.open();
  CHECK(status_of([&] { storage.set("o:a", test::removed_marker); }) == Status::invalid);
  CHECK(storage.set_many(std::vector<omnistore::SetItem>{{"o:a", test::removed_marker, {}}})[0].status ==
        Status::invalid);
}
