// SPDX-License-Identifier: Apache-2.0
// Listings with folders through layers: a folder is shown if one of its keys is.
#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;

namespace {

Keys folders_by(const omnistore::Storage &storage, const std::string &base, std::uint32_t limit) {
  omnistore::ListOptions options;
  options.depth = 0;
  options.folders = true;
  options.limit = limit;
  Keys names;
  do {
    const omnistore::Page page = storage.list(base, options);
    for (const auto &item : page.items) names.push_back(item.key);
    options.cursor = page.cursor;
  } while (!options.cursor.empty());
  return names;
}

Keys folders_of(const omnistore::Storage &storage, const std::string &base = "o") {
  Keys names = folders_by(storage, base, 100);
  CHECK(folders_by(storage, base, 1) == names);
  return names;
}

Layers over(const std::string &lower) { return Layers("{}", {GENERATE("memory", "jar", "unordered", "fs"), lower}); }

} // namespace

TEST_CASE("folders of all layers are shown once, in the order of their names") {
  const Layers layers("{}", {"memory", GENERATE("jar", "unordered"), "fs"});
  auto storage = layers.open();
  for (const char *key : {"o:a:1", "o:b", "l1:a:2", "l1:c:d:e", "l2:c:d:f", "l2:a!", "l2:z:1"}) storage.set(key, "v");
  CHECK(folders_of(storage) == Keys{"o:a!", "o:a:", "o:b", "o:c:", "o:z:"});
  CHECK(folders_of(storage, "o:c") == Keys{"o:c:d:"});
}

TEST_CASE("a folder whose keys were all removed through the overlay is not shown") {
  const Layers layers = over(GENERATE("jar", "unordered", "fs"));
  auto storage = layers.open();
  for (const char *key : {"l1:a:1", "l1:a:2", "l1:b:1", "l1:b:2", "l1:c:d:1"}) storage.set(key, "v");
  CHECK(folders_of(storage) == Keys{"o:a:", "o:b:", "o:c:"});
  for (const char *key : {"o:a:1", "o:a:2", "o:b:1", "o:c:d:1"}) CHECK(storage.remove(key));
  CHECK(folders_of(storage) == Keys{"o:b:"});
  CHECK(folders_of(storage, "o:c").empty());
}

TEST_CASE("a folder that was cleared through the overlay is shown again when a key of it is set") {
  const Layers layers = over("jar");
  auto storage = layers.open();
  for (const char *key : {"l1:a:1", "l1:a:2", "l1:b:1"}) storage.set(key, "v");
  storage.clear("o:a");
  CHECK(folders_of(storage) == Keys{"o:b:"});
  storage.set("o:a:3", "v");
  CHECK(folders_of(storage) == Keys{"o:a:", "o:b:"});
  CHECK(storage.remove("o:a:3"));
  CHECK(folders_of(storage) == Keys{"o:b:"});
}

TEST_CASE("a folder that holds nothing but unstorage's markers is not shown") {
  const Layers layers("{}", {"jar", "jar"});
  auto storage = layers.open();
  storage.set("l0:a:1", removed_marker);
  storage.set("l1:a:1", "v");
  storage.set("l0:b:1", removed_marker);
  storage.set("l1:b:2", "v");
  CHECK(folders_of(storage) == Keys{"o:b:"});
}

TEST_CASE("the records of an overlay are no folder of it") {
  const Layers layers("{}", {"jar", "jar"});
  auto storage = layers.open();
  storage.set("l1:a:1", "v");
  CHECK(storage.remove("o:a:1"));
  CHECK(folders_of(storage).empty());
}

TEST_CASE("a range is passed on to each layer") {
  const Layers layers("{}", {"memory", GENERATE("jar", "unordered"), "fs"});
  auto storage = layers.open();
  for (const char *key : {"o:a", "l1:b", "l2:c", "l1:d:1", "o:e"}) storage.set(key, "v");
  omnistore::ListOptions options;
  options.start = "o:b";
  options.end = "o:d:2";
  Keys names;
  for (const auto &item : storage.list("o", options).items) names.push_back(item.key);
  CHECK(names == Keys{"o:b", "o:c", "o:d:1"});
}
