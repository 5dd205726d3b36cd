// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;
using omnistore::Status;
using omnistore::Storage;

TEST_CASE("readonly refuses every kind of write and changes nothing") {
  const Folder folder;
  write_file(folder / "a", "old");
  const std::string files = R"("driver": "fs", "options": { "base": ")" + folder.path().string() + "\" }";
  Storage storage = open_through(layer("readonly"), files);
  CHECK(status_of([&] { storage.set("a", "new"); }) == Status::read_only);
  CHECK(status_of([&] { storage.remove("a"); }) == Status::read_only);
  CHECK(status_of([&] { storage.clear(); }) == Status::read_only);
  CHECK(status_of([&] { storage.touch("a", std::chrono::seconds(1)); }) == Status::read_only);
  const std::vector<std::string> keys = {"a"};
  CHECK(storage.remove_many(keys).at(0).status == Status::read_only);
  CHECK(storage.get("a") == "old");
  CHECK(read_file(folder / "a") == "old");
}

TEST_CASE("readonly hands reads, meta and listings down") {
  const Folder folder;
  write_file(folder / "a", "value");
  write_file(folder / "b/c", "other");
  const std::string files = R"("driver": "fs", "options": { "base": ")" + folder.path().string() + "\" }";
  Storage storage = open_through(layer("readonly"), files);
  CHECK(storage.get("b:c") == "other");
  CHECK(storage.meta("a")->size == 5);
  CHECK(storage.list("").items.size() == 2);
}
