// SPDX-License-Identifier: Apache-2.0
// The guide: Storage Events.
#include <catch2/catch.hpp>

#include "guide.hpp"
#include "storage/fixture.hpp"

using omnistore::Event;

TEST_CASE("guide, events: one watch hears of everything, another of one key") {
  const test::Workplace here;
  omnistore::Storage storage = test::guide("events");
  test::Events all, preferences;
  const omnistore::Watch everything = storage.watch("", all.callback()),
                         one_key = storage.watch("user:preferences", preferences.callback());
  storage.set("user:name", "Ada");
  storage.set("user:preferences", "dark");
  storage.remove("user:preferences");
  CHECK(all.wait_for(3).size() == 3);
  const std::vector<Event> seen = preferences.wait_for(2);
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].type == Event::Type::update);
  CHECK(seen[1].type == Event::Type::remove);
  CHECK(seen[1].key == "user:preferences");
}
