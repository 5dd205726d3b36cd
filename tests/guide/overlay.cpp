// SPDX-License-Identifier: Apache-2.0
// The guide: Layered Storage (Overlay).
#include <catch2/catch.hpp>

#include "guide.hpp"

TEST_CASE("guide, overlay: memory is checked first, then the disk, and writes go to memory") {
  const test::Workplace here;
  test::write_file(".cache/kept", "on disk");
  test::write_file(".cache/both", "below");
  omnistore::Storage storage = test::guide("overlay");
  CHECK(storage.get("kept") == "on disk");
  storage.set("both", "above");
  storage.set("new", "in memory");
  CHECK(storage.get("both") == "above");
  CHECK(test::read_file(".cache/both") == "below");
  CHECK_FALSE(std::filesystem::exists(".cache/new"));
  CHECK(storage.keys().all() == std::vector<std::string>{"both", "kept", "new"});
}

TEST_CASE("guide, overlay: a removed key does not come back from the layer below") {
  const test::Workplace here;
  test::write_file(".cache/kept", "on disk");
  omnistore::Storage storage = test::guide("overlay");
  CHECK(storage.remove("kept"));
  CHECK_FALSE(storage.get("kept"));
  CHECK(storage.keys().all().empty());
  CHECK(test::read_file(".cache/kept") == "on disk");
}
