// SPDX-License-Identifier: Apache-2.0
// The guide: Caching Strategies, TTL-Based Expiration.
#include <catch2/catch.hpp>

#include "base/clock.hpp"
#include "guide.hpp"

namespace {

constexpr std::int64_t minute = 60'000, hour = 60 * minute;

/// Milliseconds that a value has left, about; -1: it lives for ever.
std::int64_t left(const omnistore::Storage &storage, const std::string &key) {
  const std::int64_t expiry = storage.meta(key).value().expiry;
  return expiry == 0 ? -1 : expiry - omnistore::now_ms();
}

} // namespace

TEST_CASE("guide, ttl: an item's ttl comes before its mount's, and that before the config's") {
  const test::Workplace here;
  omnistore::Storage storage = test::guide("ttl");
  omnistore::SetOptions five_minutes;
  five_minutes.ttl = std::chrono::minutes(5);
  storage.set("key", "value", five_minutes);
  storage.set("global", "value");
  storage.set("local:mounted", "value");
  storage.set("kept:for-ever", "value");
  CHECK(left(storage, "key") == Approx(5 * minute).margin(1000));
  CHECK(left(storage, "global") == Approx(hour).margin(1000));
  CHECK(left(storage, "local:mounted") == Approx(7 * 24 * hour).margin(1000));
  CHECK(left(storage, "kept:for-ever") == -1);
}

TEST_CASE("guide, ttl: an expired value is not returned, listed or counted, and its end is an event") {
  const test::Workplace here;
  omnistore::Storage storage = test::guide("ttl");
  test::Events events;
  const omnistore::Watch watch = storage.watch("", events.callback());
  omnistore::SetOptions short_life;
  short_life.ttl = std::chrono::seconds(30);
  storage.set("short", "value", short_life);
  storage.set("local:short", "value", short_life);
  storage.set("long", "value");
  omnistore::advance_clock(31'000);
  CHECK_FALSE(storage.get("short"));
  CHECK_FALSE(storage.has("local:short"));
  CHECK(storage.keys().all() == std::vector<std::string>{"long"});
  CHECK(storage.clear() == 1);
  std::size_t expired = 0;
  for (const omnistore::Event &event : events.wait_for(6)) expired += event.cause == omnistore::Event::Cause::expired;
  CHECK(expired == 2);
}

TEST_CASE("guide, ttl: a touch renews, and files keep their end over a restart") {
  const test::Workplace here;
  omnistore::SetOptions short_life;
  short_life.ttl = std::chrono::seconds(30);
  {
    omnistore::Storage storage = test::guide("ttl");
    storage.set("local:a", "value", short_life);
    storage.set("local:b", "value", short_life);
    CHECK(storage.touch("local:b", std::chrono::hours(1)));
    CHECK_FALSE(storage.touch("local:c", std::chrono::hours(1)));
  }
  omnistore::advance_clock(31'000);
  const omnistore::Storage storage = test::guide("ttl");
  CHECK_FALSE(storage.get("local:a"));
  CHECK(storage.get("local:b") == "value");
}
