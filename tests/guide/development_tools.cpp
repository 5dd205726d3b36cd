// SPDX-License-Identifier: Apache-2.0
// The guide: Development Tools.
#include <catch2/catch.hpp>

#include "guide.hpp"

TEST_CASE("guide, development tools: keys with value and expiry, as its inspector reads them") {
  const test::Workplace here;
  omnistore::Storage storage = test::guide("development-tools");
  storage.set("wayback:example.com", R"({"snapshots":1})");
  storage.set("other", "not asked for");
  std::vector<std::string> keys;
  for (const auto &[key, entry] : storage.entries("wayback:")) {
    keys.push_back(key);
    CHECK(entry.value == R"({"snapshots":1})");
    CHECK(entry.meta.expiry > 1'600'000'000'000); // Unix milliseconds, for new Date(expiry)
  }
  CHECK(keys == std::vector<std::string>{"wayback:example.com"});
  CHECK(storage.meta("other")->expiry == 0);
}

TEST_CASE("guide, development tools: explain names the layer that has the value") {
  const test::Workplace here;
  test::write_file(".archive/example.com", "old page");
  omnistore::Storage storage = test::guide("development-tools");
  const omnistore::Explanation below = storage.explain("wayback:example.com");
  CHECK(below.answered == std::vector<std::uint32_t>{1});
  storage.set("wayback:example.com", "new page");
  const omnistore::Explanation above = storage.explain("wayback:example.com");
  CHECK(above.answered == std::vector<std::uint32_t>{0});
  CHECK(above.store.children[1].outcome == omnistore::Hop::Outcome::not_asked);
}
