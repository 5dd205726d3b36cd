// SPDX-License-Identifier: Apache-2.0
// Setting and removing.
#include "driven.hpp"

using test::Got;
using test::Origin;
using test::Pieces;
using test::says;
using test::Store;

TEST_CASE("A set is a PUT of the bytes, and gives the etag of the server's response") {
  Origin origin;
  Store store(origin);
  Got result;
  const std::string value("a\0b", 3);
  REQUIRE(store.set("x:y", value, &result) == OMNISTORE_OK);
  const Origin::Request put = origin.last();
  CHECK(put.method == "PUT");
  CHECK(put.target == "/x/y");
  CHECK(put.body == value);
  CHECK(put.header("content-type") == "application/octet-stream");
  CHECK(put.header("content-length") == "3");
  CHECK(result.begun == 1);
  CHECK(result.etag == "put-1");
  CHECK(result.value_size == 3);
  CHECK(store.bare.get("x:y") == value);
}

TEST_CASE("Empty and large values are set whole, in one request") {
  const std::string value(GENERATE(std::size_t{0}, std::size_t{5} << 20), 'v');
  Origin origin;
  Store store(origin);
  REQUIRE(store.set("k", value) == OMNISTORE_OK);
  CHECK(origin.last().body == value);
  CHECK(origin.last().header("expect").empty());
  CHECK(origin.count() == 1);
}

TEST_CASE("A set reads its value from a source") {
  Origin origin;
  Store store(origin);
  Pieces pieces({"one ", "two ", std::string(300'000, 'x')});
  SECTION("of a known size: with a Content-Length") {
    REQUIRE(store.set("k", pieces, 300'008) == OMNISTORE_OK);
    CHECK(origin.last().header("content-length") == "300008");
  }
  SECTION("of an unknown size: in chunks") {
    REQUIRE(store.set("k", pieces, OMNISTORE_UNKNOWN_SIZE) == OMNISTORE_OK);
    CHECK(origin.last().header("transfer-encoding") == "chunked");
  }
  CHECK(origin.last().body == "one two " + std::string(300'000, 'x'));
}

TEST_CASE("A source that breaks off, or gives another size, leaves the old value") {
  Origin origin;
  Store store(origin);
  REQUIRE(store.set("k", "old") == OMNISTORE_OK);
  Pieces broken({"abc", "def"}, OMNISTORE_UNAVAILABLE), fair({"abc", "def"});
  SECTION("it breaks off, its size not known") {
    CHECK(store.set("k", broken, OMNISTORE_UNKNOWN_SIZE) == OMNISTORE_UNAVAILABLE);
  }
  SECTION("it breaks off, its size known") { CHECK(store.set("k", broken, 100) == OMNISTORE_UNAVAILABLE); }
  SECTION("less comes than was announced") {
    CHECK(store.set("k", fair, 7) == OMNISTORE_INVALID);
    CHECK(store.message() == "fewer bytes came than were announced");
  }
  SECTION("more comes than was announced") {
    CHECK(store.set("k", fair, 4) == OMNISTORE_INVALID);
    CHECK(store.message() == "more bytes came than were announced");
  }
  SECTION("a further piece comes than was announced") { CHECK(store.set("k", fair, 3) == OMNISTORE_INVALID); }
  CHECK(store.bare.get("k") == "old");
}

TEST_CASE("A remove is a DELETE, and reports if the key was absent") {
  Origin origin;
  origin.serve("/k", "x");
  Store store(origin);
  CHECK(store.remove("k") == OMNISTORE_OK);
  CHECK(origin.last().method == "DELETE");
  CHECK(store.remove("k") == OMNISTORE_NOT_FOUND);
}

TEST_CASE("A remove reports an absent key even if the server responds with OK") {
  Origin origin;
  origin.handle([](const Origin::Request &request) -> std::optional<Origin::Answer> {
    if (request.method != "DELETE") return {};
    return Origin::Answer{};
  });
  Store store(origin);
  CHECK(store.remove("k") == OMNISTORE_NOT_FOUND);
  CHECK(origin.count("DELETE") == 0);
}

TEST_CASE("A write that the server has no place for is no miss") {
  Origin origin;
  origin.fail(1, 404);
  Store store(origin);
  CHECK(store.set("k", "x") == OMNISTORE_UNSUPPORTED);
}

TEST_CASE("A write with a ttl is refused unless the server is said to keep it") {
  Origin origin;
  origin.serve("/k", "old");
  Store store(origin);
  CHECK(store.set("k", "x", nullptr, store.bare.host().time + 1000) == OMNISTORE_UNSUPPORTED);
  CHECK(store.touch("k", 0) == OMNISTORE_UNSUPPORTED);
  CHECK(says(store.message(), "set the option ttl"));
  CHECK(origin.count() == 0);
}

TEST_CASE("With the option ttl a set sends X-Ttl in seconds, and a touch is a PATCH with it") {
  Origin origin;
  origin.handle([](const Origin::Request &request) -> std::optional<Origin::Answer> {
    if (request.method != "PATCH") return {};
    Origin::Answer answer;
    answer.status = request.path == "/k" ? 200 : 404;
    return answer;
  });
  Store store(origin, "\"ttl\":true");
  const std::int64_t now = store.bare.host().time;
  REQUIRE(store.set("k", "x") == OMNISTORE_OK);
  CHECK(origin.last().header("x-ttl").empty());
  REQUIRE(store.set("k", "x", nullptr, now + 61'005) == OMNISTORE_OK);
  CHECK(origin.last().header("x-ttl") == "61.005");
  REQUIRE(store.touch("k", now + 2'000) == OMNISTORE_OK);
  CHECK(origin.last().method == "PATCH");
  CHECK(origin.last().header("x-ttl") == "2.000");
  REQUIRE(store.touch("k", 0) == OMNISTORE_OK);
  CHECK(origin.last().header("x-ttl") == "0");
  CHECK(store.touch("missing", 0) == OMNISTORE_NOT_FOUND);
}
