// SPDX-License-Identifier: Apache-2.0
// The guide: Caching Strategies, Stale-While-Revalidate.
#include <catch2/catch.hpp>

#include <thread>

#include "base/clock.hpp"
#include "guide.hpp"
#include "support/origin.hpp"

TEST_CASE("guide, stale-while-revalidate: stale items are returned at once and updated in the background") {
  const test::Workplace here;
  test::Origin origin;
  origin.serve("/page", "first", "\"1\"");
  omnistore::Storage storage = test::guide("stale-while-revalidate", {{"ORIGIN", origin.url()}});
  CHECK(storage.get("page") == "first");
  CHECK(test::read_file(".cache/page") == "first");
  omnistore::advance_clock(61'000); // maxAge
  origin.serve("/page", "second", "\"2\"");
  origin.hold();
  CHECK(storage.get("page") == "first"); // an immediate response, even if stale
  REQUIRE(origin.await(1, "HEAD"));      // headOnly
  origin.release();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (storage.get("page") != "second" && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  CHECK(storage.get("page") == "second"); // updated in the background
  CHECK(test::read_file(".cache/page") == "second");
}

TEST_CASE("guide, stale-while-revalidate: a request to an origin that fails is repeated three times") {
  const test::Workplace here;
  test::Origin origin;
  origin.serve("/page", "value");
  const omnistore::Storage storage = test::guide("stale-while-revalidate", {{"ORIGIN", origin.url()}});
  origin.fail(3);
  CHECK(storage.get("page") == "value");
  CHECK(origin.count() == 4);
}
