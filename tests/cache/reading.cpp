// SPDX-License-Identifier: Apache-2.0
// Reads, and their cost for the origin.
#include <catch2/catch.hpp>

#include <atomic>
#include <optional>
#include <thread>

#include "fixture.hpp"

using namespace test;
using omnistore::Status;
using omnistore::Storage;

TEST_CASE("an absent value is fetched, and a fresh copy needs no request to the origin") {
  Origin origin;
  origin.serve("/a/b", "page", "\"1\"");
  Storage storage = open(cached(origin, R"({ "maxAge": 60 })"));
  CHECK(storage.get("pages:a:b") == "page");
  CHECK(origin.count() == 1);
  omnistore::advance_clock(59'000);
  for (int i = 0; i < 10; ++i) CHECK(storage.get("pages:a:b") == "page");
  CHECK(origin.count() == 1);
}

TEST_CASE("maxAge is seconds, or a text with a unit") {
  Origin origin;
  origin.serve("/k", "v");
  Storage storage = open(cached(origin, R"({ "maxAge": "2m", "revalidate": false })"));
  storage.get("pages:k");
  omnistore::advance_clock(119'000);
  storage.get("pages:k");
  CHECK(origin.count() == 1);
  omnistore::advance_clock(2'000);
  storage.get("pages:k");
  CHECK(origin.count() == 2);
}

TEST_CASE("a hundred readers of an absent value send the origin one request") {
  Origin origin;
  origin.serve("/k", "v");
  origin.hold();
  Storage storage = open(cached(origin, "{}"));
  std::atomic<int> good{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 100; ++i) readers.emplace_back([&] { good += storage.get("pages:k") == "v"; });
  REQUIRE(origin.await(1));
  origin.release();
  for (std::thread &reader : readers) reader.join();
  CHECK(good == 100);
  CHECK(origin.count() == 1);
}

TEST_CASE("a reader whose time is over does not wait for another's question to the origin") {
  Origin origin;
  origin.serve("/k", "v");
  origin.hold();
  Storage storage = open(cached(origin, "{}"));
  std::optional<std::string> found;
  std::thread first([&] { found = storage.get("pages:k"); });
  REQUIRE(origin.await(1));
  omnistore::GetOptions options;
  options.timeout = std::chrono::milliseconds(50);
  CHECK(status_of([&] { storage.get("pages:k", options); }) == Status::timeout);
  origin.release();
  first.join();
  CHECK(found == "v");
}

TEST_CASE("a miss is a request each time, unless negativeMaxAge remembers it") {
  Origin origin;
  {
    Storage storage = open(cached(origin, "{}"));
    CHECK_FALSE(storage.get("pages:k"));
    CHECK_FALSE(storage.get("pages:k"));
    CHECK(origin.count() == 2);
  }
  origin.forget();
  Storage storage = open(cached(origin, R"({ "negativeMaxAge": 10 })"));
  CHECK_FALSE(storage.get("pages:k"));
  CHECK_FALSE(storage.get("pages:k"));
  CHECK(origin.count() == 1);
  origin.serve("/k", "now");
  omnistore::advance_clock(11'000);
  CHECK(storage.get("pages:k") == "now");
}

TEST_CASE("a range is cut from the copy, also by the reader who fetches it") {
  Origin origin;
  origin.serve("/k", "0123456789");
  Storage storage = open(cached(origin, "{}"));
  omnistore::GetOptions part;
  part.offset = 3;
  part.length = 4;
  CHECK(storage.get("pages:k", part) == "3456");
  CHECK(storage.get("pages:k", part) == "3456");
  CHECK(storage.get("pages:k") == "0123456789");
  CHECK(origin.count() == 1);
}

TEST_CASE("meta is the origin's, and reading it does not fetch the value") {
  Origin origin;
  Origin::Answer answer;
  answer.headers = {{"ETag", "\"tag\""}, {"Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT"}};
  answer.body = "12345";
  origin.serve("/k", answer);
  Storage storage = open(cached(origin, "{}"));
  CHECK(storage.has("pages:k"));
  CHECK(origin.count("GET", "/k") == 0);
  storage.get("pages:k");
  origin.forget();
  const auto meta = storage.meta("pages:k");
  REQUIRE(meta);
  CHECK(meta->size == 5);
  CHECK(meta->mtime == 1445412480000);
  CHECK(meta->expiry == 0);
  omnistore::GetOptions with;
  with.meta = true;
  const auto entry = storage.entry("pages:k", with);
  REQUIRE(entry);
  CHECK_FALSE(entry->meta.etag.empty());
  CHECK(entry->meta.etag == meta->etag);
  CHECK(origin.count("", "/k") == 0);
}

TEST_CASE("a value larger than maxValueSize comes from the origin each time, whole or in part") {
  Origin origin;
  origin.serve("/k", std::string(3000, 'x') + "end");
  Storage storage = open(cached(origin, R"({ "maxValueSize": 1000 })"));
  CHECK(storage.get("pages:k")->size() == 3003);
  CHECK(storage.get("pages:k")->size() == 3003);
  omnistore::GetOptions part;
  part.offset = 3000;
  CHECK(storage.get("pages:k", part) == "end");
  CHECK(origin.count() >= 3);
}

TEST_CASE("a listing is the origin's, and of one that cannot list the keys that there are copies of") {
  Origin origin;
  origin.serve("/a/1", "v");
  origin.serve("/b", "v");
  Storage storage = open(cached(origin, "{}"));
  CHECK(storage.keys("pages").all() == std::vector<std::string>{"pages:a:1", "pages:b"});
  storage.get("pages:b");
  origin.handle([](const Origin::Request &request) -> std::optional<Origin::Answer> {
    if (!request.path.ends_with("/:") && !request.path.ends_with("/")) return std::nullopt;
    return Origin::Answer{404, {}, ""};
  });
  CHECK(storage.keys("pages").all() == std::vector<std::string>{"pages:b"});
}

TEST_CASE("invalidation without an origin is an error that says what is missing") {
  std::string message;
  const Status status =
      status_of([] { open(R"({ "pages": { "driver": "memory", "invalidation": { "maxAge": 60 } } })"); }, &message);
  CHECK(status == Status::invalid);
  CHECK_THAT(message, Catch::Contains("mounts.pages.invalidation") && Catch::Contains("the origin is missing"));
}

TEST_CASE("an error in an option of invalidation names its place") {
  Origin origin;
  std::string message;
  status_of([&] { open(cached(origin, R"({ "maxAgee": 60 })")); }, &message);
  CHECK_THAT(message, Catch::Contains("mounts.pages.invalidation.maxAgee") && Catch::Contains("maxAge"));
  status_of([&] { open(cached(origin, R"({ "maxStale": "400d" })")); }, &message);
  CHECK_THAT(message, Catch::Contains("maxStale: at most 366d"));
}
