// SPDX-License-Identifier: Apache-2.0
// A value has one etag before and after its promotion, so that who reads, changes and writes it back alone succeeds.
#include <catch2/catch.hpp>

#include <filesystem>

#include "fixture.hpp"

using namespace test;
using omnistore::Condition;
using omnistore::Status;
using omnistore::Storage;

namespace {

bool set_if_match(Storage &storage, const std::string &etag, const std::string &value = "mine") {
  omnistore::SetOptions options;
  options.condition = {Condition::Kind::if_match, etag};
  return storage.set("o:k", value, options).stored;
}
bool remove_if_match(Storage &storage, const std::string &etag) {
  omnistore::RemoveOptions options;
  options.condition = {Condition::Kind::if_match, etag};
  try {
    return storage.remove("o:k", options);
  } catch (const omnistore::Error &error) {
    if (error.status() == Status::conflict) return false;
    throw;
  }
}
std::string etag_by_get(const Storage &storage) { return storage.entry("o:k", {.meta = true})->meta.etag; }
std::string etag_by_meta(const Storage &storage) { return storage.meta("o:k")->etag; }
std::string etag_by_batch(const Storage &storage) {
  return storage.get_many(Keys{"o:k"}, {.meta = true}).front().entry.meta.etag;
}
/// Empty if the layers give none in a listing.
std::string etag_by_list(const Storage &storage) {
  omnistore::ListOptions options;
  options.meta = true;
  return storage.list("o", options).items.front().meta.etag;
}

/// Layers with a value in the lowest, written to at `write_to`.
struct World {
  std::vector<std::string> kinds;
  int write_to;
  Layers layers{"{ \"promote\": true, \"writeTo\": " + std::to_string(write_to) + " }", kinds};
  Storage storage = layers.open();
  World(std::vector<std::string> of, int to) : kinds(std::move(of)), write_to(to) {
    if (write_to == 0)
      storage.set("l" + std::to_string(kinds.size() - 1) + ":k", "old");
    else
      storage.set("o:k", "old");
  }
};

World world() {
  switch (GENERATE(0, 1, 2, 3, 4, 5, 6)) {
  case 0:
    return World({"memory", "fs"}, 0);
  case 1:
    return World({"memory", "fs"}, 1);
  case 2:
    return World({"memory", "jar"}, 0);
  case 3:
    return World({"jar", "fs"}, 0);
  case 4:
    return World({"fs", "jar"}, 1);
  case 5:
    return World({"memory", "memory", "jar"}, 2);
  default:
    return World({"memory", "private", "fs"}, 0);
  }
}

} // namespace

TEST_CASE("the etag of a first read is good for a write, however it was read") {
  auto read = GENERATE(&etag_by_get, &etag_by_meta, &etag_by_batch);
  World w = world();
  INFO(w.kinds.front() << " over " << w.kinds.back() << ", writeTo " << w.write_to);
  CHECK(set_if_match(w.storage, read(w.storage)));
  CHECK(w.storage.get("o:k") == "mine");
  CHECK(set_if_match(w.storage, read(w.storage), "again"));
  CHECK(w.storage.get("o:k") == "again");
}

TEST_CASE("the etag of a first read is good for a removal, however it was read") {
  auto read = GENERATE(&etag_by_get, &etag_by_meta, &etag_by_batch);
  World w = world();
  INFO(w.kinds.front() << " over " << w.kinds.back() << ", writeTo " << w.write_to);
  CHECK(remove_if_match(w.storage, read(w.storage)));
  CHECK_FALSE(w.storage.has("o:k"));
}

TEST_CASE("get, meta, batches and listings give one etag, before and after a promotion") {
  World w = world();
  INFO(w.kinds.front() << " over " << w.kinds.back() << ", writeTo " << w.write_to);
  const std::string before = etag_by_meta(w.storage);
  CHECK_THAT(before, Catch::StartsWith(etag_by_list(w.storage)));
  CHECK(etag_by_get(w.storage) == before); // this one promotes
  CHECK(etag_by_get(w.storage) == before);
  CHECK(etag_by_meta(w.storage) == before);
  CHECK(etag_by_batch(w.storage) == before);
  CHECK_THAT(before, Catch::StartsWith(etag_by_list(w.storage)));
}

TEST_CASE("an etag is good after another reader has promoted the value") {
  World w = world();
  INFO(w.kinds.front() << " over " << w.kinds.back() << ", writeTo " << w.write_to);
  const std::string etag = etag_by_meta(w.storage);
  w.storage.get("o:k");
  CHECK(set_if_match(w.storage, etag));
}

TEST_CASE("an etag is good after another host has promoted the value") {
  World w({"jar", "fs"}, 0);
  const std::string etag = etag_by_meta(w.storage);
  Storage other = w.layers.open();
  other.get("o:k");
  CHECK(set_if_match(w.storage, etag));
}

TEST_CASE("an etag is good after a restart, although the copy has outlived it") {
  World w({"fs", "jar"}, 1);
  const std::string etag = etag_by_get(w.storage);
  Storage again = w.layers.open();
  CHECK(again.get("o:k") == "old");
  CHECK(set_if_match(again, etag));
}

TEST_CASE("the etag of a copy is good after the copy was evicted") {
  World w({"jar", "fs"}, 0);
  w.storage.get("o:k");
  const std::string etag = etag_by_get(w.storage);
  w.storage.remove("l0:k");
  CHECK(set_if_match(w.storage, etag));
}

TEST_CASE("an etag from before another's write is refused, whatever was promoted") {
  World w = world();
  INFO(w.kinds.front() << " over " << w.kinds.back() << ", writeTo " << w.write_to);
  const std::string etag = etag_by_get(w.storage);
  w.storage.set("o:k", "another's");
  CHECK_FALSE(set_if_match(w.storage, etag));
  CHECK_FALSE(remove_if_match(w.storage, etag));
  CHECK(w.storage.get("o:k") == "another's");
  CHECK(set_if_match(w.storage, etag_by_get(w.storage)));
}

TEST_CASE("an if-match keeps a write of another program below a copy, and the next read shows it") {
  World w({"memory", "jar"}, 1);
  const std::string etag = etag_by_get(w.storage);
  w.storage.set("l1:k", "another's");
  CHECK_FALSE(set_if_match(w.storage, etag));
  CHECK(w.storage.get("o:k") == "another's");
  CHECK(set_if_match(w.storage, etag_by_get(w.storage)));
  CHECK(w.storage.get("l1:k") == "mine");
}
