// SPDX-License-Identifier: Apache-2.0
// The report of `explain` on copies.
#include <catch2/catch.hpp>

#include <boost/json/parse.hpp>

#include "fixture.hpp"

using namespace test;
using omnistore::Explanation;
using omnistore::Hop;
using omnistore::Status;
using omnistore::Storage;
using Outcome = Hop::Outcome;
using Place = std::vector<std::uint32_t>;

namespace {

boost::json::object about(const Explanation &found) { return boost::json::parse(found.store.about).as_object(); }

} // namespace

TEST_CASE("explain of an absent value reports that there was no copy, and that the origin had the value") {
  Origin origin;
  origin.serve("/k", "value");
  Storage storage = open(cached(origin, R"({ "maxAge": 60 })"));
  const Explanation found = storage.explain("pages:k");
  CHECK(about(found).at("state") == "absent");
  CHECK(about(found).at("maxAge") == 60'000);
  CHECK_FALSE(about(found).contains("checked"));
  CHECK(found.answered == Place{1});
  CHECK(found.store.driver == "cache");
  CHECK(found.store.children[0].driver == "memory");
  CHECK(found.store.children[0].outcome == Outcome::miss);
  CHECK(found.store.children[1].driver == "http");
  CHECK(found.store.children[1].outcome == Outcome::hit);
}

TEST_CASE("explain of a fresh copy reports its age, and that the origin was not called") {
  const std::string copies = GENERATE(as<std::string>(), "memory", "fs");
  const Folder folder;
  Origin origin;
  origin.serve("/k", "value");
  Storage storage = open(
      cached(origin, R"({ "maxAge": 60 })",
             copies == "fs" ? R"("driver": "fs", "options": { "base": ")" + (folder / "c") + R"(" })" : memory_copies));
  storage.get("pages:k");
  const std::int64_t now = omnistore::now_ms();
  omnistore::advance_clock(20'000);
  const Explanation found = storage.explain("pages:k");
  CHECK(about(found).at("state") == "fresh");
  CHECK(about(found).at("age").as_int64() >= 20'000);
  CHECK(about(found).at("age").as_int64() < 60'000);
  CHECK(std::abs(about(found).at("checked").as_int64() - now) < 20'000);
  CHECK(about(found).at("refreshing") == false);
  CHECK(found.answered == Place{0});
  CHECK(found.store.children[0].asked == 1); // not the records beside the copy
  CHECK(found.store.children[1].outcome == Outcome::not_asked);
  CHECK(origin.count() == 1);
}

TEST_CASE("explain of a stale copy reports that, and starts its refresh as a get does") {
  Origin origin;
  origin.serve("/k", "old");
  Storage storage = open(cached(origin, R"({ "maxAge": 60 })"));
  make_stale(storage, "pages:k");
  origin.serve("/k", "new");
  origin.hold();
  const Explanation stale = storage.explain("pages:k");
  CHECK(about(stale).at("state") == "stale");
  CHECK(about(stale).at("refreshing") == false); // as it was before this get
  CHECK(stale.answered == Place{0});
  REQUIRE(origin.await(2));
  CHECK(about(storage.explain("pages:k")).at("refreshing") == true);
  origin.release();
  CHECK(other_than(storage, "pages:k", "old") == "new");
  CHECK(about(storage.explain("pages:k")).at("state") == "fresh");
}

TEST_CASE("explain of a copy that is too old shows it as not taken, and the store that was read instead") {
  Origin origin;
  origin.serve("/k", "value");
  Storage storage = open(cached(origin, R"({ "maxAge": 60, "revalidate": false })"));
  make_stale(storage, "pages:k");
  const Explanation found = storage.explain("pages:k");
  CHECK(about(found).at("state") == "old");
  CHECK(found.store.children[0].outcome == Outcome::passed_over);
  CHECK(found.store.children[1].outcome == Outcome::hit);
  CHECK(found.answered == Place{1});
}

TEST_CASE("explain reports a remembered miss") {
  Origin origin;
  Storage storage = open(cached(origin, R"({ "maxAge": 60, "negativeMaxAge": 60 })"));
  CHECK(about(storage.explain("pages:k")).at("state") == "absent");
  const Explanation again = storage.explain("pages:k");
  CHECK(about(again).at("state") == "missing");
  CHECK(again.status == Status::not_found);
  CHECK(again.store.children[1].outcome == Outcome::not_asked);
  CHECK(origin.count() == 1);
}

TEST_CASE("explain reports that refreshes of a key are put off, and that its origin failed") {
  Origin origin;
  origin.serve("/k", "value");
  Storage storage = open(cached(origin, R"({ "maxAge": 60, "staleIfError": 0 })"));
  make_stale(storage, "pages:k");
  origin.stop();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  bool failing = false;
  while (!failing && std::chrono::steady_clock::now() < deadline)
    failing = about(storage.explain("pages:k")).at("failing").as_bool();
  CHECK(failing);
  const Explanation other = storage.explain("pages:other");
  CHECK(other.status == Status::unavailable);
  CHECK(other.store.children[1].outcome == Outcome::failed);
  CHECK(other.store.children[1].message.size() > 0);
  CHECK(other.store.outcome == Outcome::failed);
}

TEST_CASE("explain does not take a copy that another program changed for the origin's value") {
  const Folder folder;
  Origin origin;
  origin.serve("/k", "value");
  Storage storage = open(
      cached(origin, R"({ "maxAge": 60 })", R"("driver": "fs", "options": { "base": ")" + (folder / "c") + R"(" })"));
  storage.get("pages:k");
  write_file(folder / "c/k", "changed by hand");
  CHECK(about(storage.explain("pages:k")).at("state") == "unknown");
}
