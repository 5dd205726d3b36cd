// SPDX-License-Identifier: Apache-2.0
// Stale copies: served at once, and refreshed in the background.
#include <catch2/catch.hpp>

#include <ctime>

#include <atomic>
#include <thread>

#include "fixture.hpp"

using namespace test;
using omnistore::Event;
using omnistore::Storage;

TEST_CASE("a stale copy is served while the origin's response is still awaited, and the new value follows") {
  Origin origin;
  origin.serve("/k", "old", "\"1\"");
  Storage storage = open(cached(origin, R"({ "maxAge": 60 })"));
  make_stale(storage, "pages:k");
  origin.serve("/k", "new", "\"2\"");
  origin.hold();
  CHECK(storage.get("pages:k") == "old"); // it would not come back, did it wait for the origin
  REQUIRE(origin.await(2));
  CHECK(storage.get("pages:k") == "old");
  origin.release();
  CHECK(other_than(storage, "pages:k", "old") == "new");
  CHECK(origin.count() == 2);
}

TEST_CASE("a hundred readers of a stale copy bring one refresh") {
  Origin origin;
  origin.serve("/k", "old", "\"1\"");
  Storage storage = open(cached(origin, R"({ "maxAge": 60 })"));
  make_stale(storage, "pages:k");
  origin.serve("/k", "new", "\"2\"");
  origin.hold();
  std::atomic<int> good{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 100; ++i) readers.emplace_back([&] { good += storage.get("pages:k") == "old"; });
  for (std::thread &reader : readers) reader.join();
  REQUIRE(origin.await(2));
  origin.release();
  CHECK(other_than(storage, "pages:k", "old") == "new");
  CHECK(good == 100);
  CHECK(origin.count() == 2);
}

TEST_CASE("a key that is read all the while is fetched once each time that it gets stale") {
  Origin origin;
  origin.serve("/k", "0", "\"0\"");
  const Folder folder;
  const std::string files = R"("driver": "fs", "options": { "base": ")" + (folder / "copies") + "\" }";
  Storage storage = open(cached(origin, R"({ "maxAge": 60 })", GENERATE_COPY(memory_copies, files)));
  storage.get("pages:k");
  std::atomic<bool> over{false};
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i)
    readers.emplace_back([&] {
      while (!over) storage.get("pages:k");
    });
  constexpr int rounds = 100;
  bool all = true;
  for (int i = 1; i <= rounds; ++i) {
    const std::string value = std::to_string(i);
    origin.serve("/k", value, "\"" + value + "\"");
    omnistore::advance_clock(61'000);
    all = all && other_than(storage, "pages:k", std::to_string(i - 1)) == value;
  }
  over = true;
  for (std::thread &reader : readers) reader.join();
  CHECK(all);
  CHECK(origin.count() == 1 + rounds);
}

TEST_CASE("headOnly sends HEAD, and fetches no value if nothing changed") {
  Origin origin;
  origin.serve("/k", "v", "\"1\"");
  {
    Storage storage = open(cached(origin, R"({ "maxAge": 60, "headOnly": true })"));
    make_stale(storage, "pages:k");
    CHECK(storage.get("pages:k") == "v");
    REQUIRE(origin.await(1, "HEAD"));
  } // the refresh is over
  CHECK(origin.count("GET") == 1);
  CHECK(origin.count("HEAD") == 1);
}

TEST_CASE("headOnly fetches the value if the etag has changed") {
  Origin origin;
  origin.serve("/k", "v", "\"1\"");
  Storage storage = open(cached(origin, R"({ "maxAge": 60, "headOnly": true })"));
  make_stale(storage, "pages:k");
  origin.serve("/k", "w", "\"2\"");
  CHECK(other_than(storage, "pages:k", "v") == "w");
  CHECK(origin.count("HEAD") == 1);
  CHECK(origin.count("GET") == 2);
}

TEST_CASE("without headOnly a refresh is one GET with If-None-Match, and 304 makes the copy fresh") {
  Origin origin;
  origin.serve("/k", "v", "\"1\"");
  Storage storage = open(cached(origin, R"({ "maxAge": 60, "revalidate": false })"));
  make_stale(storage, "pages:k");
  CHECK(storage.get("pages:k") == "v");
  CHECK(origin.count() == 2);
  CHECK(origin.last().header("if-none-match") == "\"1\"");
  CHECK(storage.get("pages:k") == "v");
  CHECK(origin.count() == 2);
}

TEST_CASE("headOnly compares time and size if the origin has no etags") {
  Origin origin;
  Origin::Answer answer;
  answer.headers = {{"Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT"}};
  answer.body = "v";
  origin.serve("/k", answer);
  Storage storage = open(cached(origin, R"({ "maxAge": 60, "headOnly": true, "revalidate": false })"));
  make_stale(storage, "pages:k");
  storage.get("pages:k");
  CHECK(origin.count("GET") == 1);
  omnistore::advance_clock(61'000);
  answer.headers[0].second = "Wed, 21 Oct 2015 07:28:01 GMT";
  answer.body = "w";
  origin.serve("/k", answer);
  CHECK(storage.get("pages:k") == "w");
  CHECK(origin.count("GET") == 2);
  CHECK(origin.count("HEAD") == 2);
}

TEST_CASE("headOnly sees a second change within the second of a Last-Modified") {
  const std::string date =
      GENERATE("Wed, 21 Oct 2015 07:28:00 GMT", "none"); // without a Date: of now, or of a clock that is ahead
  Origin origin;
  const auto time_of = [&](std::time_t at) {
    char text[64];
    std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", std::gmtime(&at));
    return std::string(text);
  };
  Origin::Answer answer;
  if (date == "none")
    answer.headers = {{"Last-Modified", time_of(std::time(nullptr) + 864'000)}};
  else
    answer.headers = {{"Last-Modified", date}, {"Date", date}};
  answer.body = "v";
  origin.serve("/k", answer);
  Storage storage = open(cached(origin, R"({ "maxAge": 60, "headOnly": true, "revalidate": false })"));
  CHECK(storage.get("pages:k") == "v");
  answer.body = "w"; // of the same size, in the same second
  origin.serve("/k", answer);
  omnistore::advance_clock(61'000);
  CHECK(storage.get("pages:k") == "w");
}

TEST_CASE("headOnly takes a Last-Modified a second before the Date for proof") {
  Origin origin;
  Origin::Answer answer;
  answer.headers = {{"Last-Modified", "Wed, 21 Oct 2015 07:28:00 GMT"}, {"Date", "Wed, 21 Oct 2015 07:28:01 GMT"}};
  answer.body = "v";
  origin.serve("/k", answer);
  Storage storage = open(cached(origin, R"({ "maxAge": 60, "headOnly": true, "revalidate": false })"));
  make_stale(storage, "pages:k");
  storage.get("pages:k");
  CHECK(origin.count("GET") == 1);
  CHECK(origin.count("HEAD") == 1);
}

TEST_CASE("after maxStale the origin is read first") {
  Origin origin;
  origin.serve("/k", "old", "\"1\"");
  Storage storage = open(cached(origin, R"({ "maxAge": 60, "maxStale": 100 })"));
  storage.get("pages:k");
  origin.serve("/k", "new", "\"2\"");
  omnistore::advance_clock(161'000);
  CHECK(storage.get("pages:k") == "new");
}

TEST_CASE("a refresh that changes a value is an event, one that finds it gone a removal") {
  Origin origin;
  origin.serve("/k", "old", "\"1\"");
  Storage storage = open(cached(origin, R"({ "maxAge": 60 })"));
  make_stale(storage, "pages:k");
  Events events;
  const omnistore::Watch watch = storage.watch("pages", events.callback());
  origin.serve("/k", "new", "\"2\"");
  storage.get("pages:k");
  std::vector<Event> told = events.wait_for(1);
  REQUIRE(told.size() == 1);
  CHECK(told[0].type == Event::Type::update);
  CHECK(told[0].key == "pages:k");
  omnistore::advance_clock(61'000);
  origin.remove("/k");
  CHECK(other_than(storage, "pages:k", "new") == "nothing");
  told = events.wait_for(2);
  REQUIRE(told.size() == 2);
  CHECK(told[1].type == Event::Type::remove);
}

TEST_CASE("no more refreshes run at once than the config says") {
  Origin origin;
  Storage storage = open(cached(origin, R"({ "maxAge": 60, "refreshes": 2 })"));
  std::vector<std::string> keys;
  for (int i = 0; i < 10; ++i) {
    keys.push_back("pages:k" + std::to_string(i));
    origin.serve("/k" + std::to_string(i), "old", "\"1\"");
    storage.get(keys.back());
  }
  omnistore::advance_clock(61'000);
  origin.forget();
  for (int i = 0; i < 10; ++i) origin.serve("/k" + std::to_string(i), "new", "\"2\"");
  origin.hold();
  for (const std::string &key : keys) CHECK(storage.get(key) == "old");
  REQUIRE(origin.await(2));
  CHECK(origin.count() == 2);
  origin.release();
  for (const std::string &key : keys) CHECK(other_than(storage, key, "old") == "new");
  CHECK(origin.connections() <= 3); // of two refreshes and this reader
}

TEST_CASE("a storage closes at once while a refresh waits for the origin") {
  Origin origin;
  origin.serve("/k", "old", "\"1\"");
  const auto before = std::chrono::steady_clock::now();
  {
    Storage storage = open(cached(origin, R"({ "maxAge": 60, "retry": 10 })"));
    make_stale(storage, "pages:k");
    origin.hold();
    storage.get("pages:k");
    REQUIRE(origin.await(2));
  }
  CHECK(std::chrono::steady_clock::now() - before < std::chrono::seconds(15)); // the request itself may take 30
}

TEST_CASE("a clear is not undone by a refresh that was under way") {
  Origin origin;
  origin.serve("/k", "old", "\"1\"");
  Storage storage = open(cached(origin, R"({ "maxAge": 60 })"));
  make_stale(storage, "pages:k");
  Origin::Answer late;
  late.headers = {{"ETag", "\"2\""}};
  late.body = "new";
  late.pause = 0;
  origin.serve("/k", late);
  storage.get("pages:k");
  REQUIRE(origin.await(2, "GET", "/k"));
  CHECK(storage.clear("pages") == 1);
  origin.release();
  CHECK(other_than(storage, "pages:k", "new") == "nothing");
}
