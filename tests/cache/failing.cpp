// SPDX-License-Identifier: Apache-2.0
// An origin that fails, or is away.
#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;
using omnistore::Status;
using omnistore::Storage;

TEST_CASE("a request to an origin that fails is repeated as often as retry says") {
  Origin origin;
  origin.serve("/k", "v");
  Storage storage = open(cached(origin, R"({ "retry": 3 })"));
  origin.fail(3);
  CHECK(storage.get("pages:k") == "v");
  CHECK(origin.count() == 4);
  origin.forget();
  origin.fail(4);
  CHECK(status_of([&] { storage.get("pages:other"); }) == Status::unavailable);
  CHECK(origin.count() == 4);
}

TEST_CASE("without retry the first failure is reported, in the origin's words") {
  Origin origin;
  Storage storage = open(cached(origin, "{}"));
  origin.stop();
  std::string message;
  CHECK(status_of([&] { storage.get("pages:k"); }, &message) == Status::unavailable);
  CHECK_THAT(message, Catch::Contains("get pages:k") && Catch::Contains("the origin (http)"));
}

TEST_CASE("a refresh that fails keeps the stale copy, and the key rests before the next") {
  Origin origin;
  origin.serve("/k", "old", "\"1\"");
  Storage storage = open(cached(origin, R"({ "maxAge": 60 })"));
  make_stale(storage, "pages:k");
  origin.forget();
  origin.fail(1);
  CHECK(storage.get("pages:k") == "old");
  REQUIRE(origin.await(1));
  origin.serve("/k", "new", "\"2\"");
  // It rests for a second of the host's clock, which the test advances.
  for (int i = 0; i < 100; ++i) CHECK(storage.get("pages:k") == "old");
  omnistore::advance_clock(2'000);
  CHECK(other_than(storage, "pages:k", "old") == "new");
}

TEST_CASE("fetches, refreshes and those that failed are counted") {
  Origin origin;
  origin.serve("/k", "old", "\"1\"");
  Storage storage = open(cached(origin, R"({ "maxAge": 60 })"));
  const auto counted = [&](const std::string &name) {
    for (const omnistore::MountStats &mount : storage.stats())
      for (const auto &[counter, count] : mount.counters)
        if (counter == name) return static_cast<int>(count);
    return -1;
  };
  make_stale(storage, "pages:k");
  std::vector<std::string> gauges;
  for (const omnistore::MountStats &mount : storage.stats())
    for (const auto &[gauge, amount] : mount.gauges) gauges.push_back(gauge);
  CHECK(gauges == std::vector<std::string>{"refreshes_running"});
  CHECK(counted("refreshes_running") == -1); // no counter
  CHECK(counted("fetches") == 1);
  CHECK(counted("refreshes") == 0);
  origin.fail(1);
  CHECK(storage.get("pages:k") == "old");
  while (counted("refresh_failures") == 0) std::this_thread::yield();
  CHECK(counted("refreshes") == 0);
  origin.serve("/k", "new", "\"2\"");
  omnistore::advance_clock(2'000);
  CHECK(other_than(storage, "pages:k", "old") == "new");
  while (counted("refreshes") == 0) std::this_thread::yield();
  CHECK(counted("refresh_failures") == 1);
  CHECK(counted("fetches") == 1);
}

TEST_CASE("a stale copy is served while the origin is down, and nothing is kept for ever") {
  Origin origin;
  origin.serve("/k", "v", "\"1\"");
  Storage storage = open(cached(origin, R"({ "maxAge": 60, "maxStale": 600, "staleIfError": 3600 })"));
  storage.get("pages:k");
  origin.stop();
  omnistore::advance_clock(61'000);
  CHECK(storage.get("pages:k") == "v");
  omnistore::advance_clock(700'000); // after maxStale the origin is called first, and fails
  CHECK(storage.get("pages:k") == "v");
  CHECK(storage.has("pages:k"));
  omnistore::advance_clock(3'600'000);
  CHECK(status_of([&] { storage.get("pages:k"); }) == Status::unavailable);
  origin.start();
  CHECK(storage.get("pages:k") == "v");
}

TEST_CASE("with staleIfError 0 a copy older than its maxStale is not served if the origin fails") {
  Origin origin;
  origin.serve("/k", "v", "\"1\"");
  Storage storage = open(cached(origin, R"({ "maxAge": 60, "maxStale": 0, "staleIfError": 0 })"));
  storage.get("pages:k");
  origin.stop();
  CHECK(storage.get("pages:k") == "v");
  omnistore::advance_clock(61'000);
  CHECK(status_of([&] { storage.get("pages:k"); }) == Status::unavailable);
}

TEST_CASE("a response that breaks off is no value") {
  Origin origin;
  Origin::Answer answer;
  answer.body = std::string(10'000, 'x');
  answer.cut = 5'000;
  origin.serve("/k", answer);
  Storage storage = open(cached(origin, "{}"));
  CHECK(status_of([&] { storage.get("pages:k"); }) != Status::ok);
  origin.serve("/k", "whole");
  CHECK(storage.get("pages:k") == "whole");
}
