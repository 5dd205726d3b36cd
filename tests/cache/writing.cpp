// SPDX-License-Identifier: Apache-2.0
// Writes go to the origin, and the copy follows.
#include <catch2/catch.hpp>

#include <thread>

#include "fixture.hpp"

using namespace test;
using omnistore::Status;
using omnistore::Storage;

TEST_CASE("a set is put to the origin, and its copy is fresh") {
  Origin origin;
  Storage storage = open(cached(origin, "{}"));
  storage.set("pages:k", "v");
  CHECK(origin.count("PUT", "/k") == 1);
  origin.forget();
  CHECK(storage.get("pages:k") == "v");
  CHECK(origin.count() == 0);
}

TEST_CASE("a set that the origin refuses leaves the old value") {
  Origin origin;
  origin.serve("/k", "old");
  Storage storage = open(cached(origin, "{}"));
  CHECK(storage.get("pages:k") == "old");
  origin.handle([](const Origin::Request &request) -> std::optional<Origin::Answer> {
    if (request.method != "PUT") return std::nullopt;
    return Origin::Answer{403, {}, "no"};
  });
  CHECK(status_of([&] { storage.set("pages:k", "new"); }) == Status::denied);
  CHECK(storage.get("pages:k") == "old");
}

TEST_CASE("a remove takes the origin's value and the copy") {
  Origin origin;
  origin.serve("/k", "v");
  Storage storage = open(cached(origin, "{}"));
  storage.get("pages:k");
  CHECK(storage.remove("pages:k"));
  CHECK(origin.count("DELETE", "/k") == 1);
  CHECK_FALSE(storage.get("pages:k"));
}

TEST_CASE("a refresh under way does not overwrite a set") {
  Origin origin;
  origin.serve("/k", "old", "\"1\"");
  Storage storage = open(cached(origin, R"({ "maxAge": 60 })"));
  make_stale(storage, "pages:k");
  origin.hold("/k");
  storage.get("pages:k");
  REQUIRE(origin.await(2));
  std::thread writer([&] { storage.set("pages:k", "set"); });
  origin.release();
  writer.join();
  CHECK(storage.get("pages:k") == "set");
}

namespace {

/// Requests the meta of `k` from the origin, sets `k` before the response comes, and returns when it has come.
void overtake_meta(Origin &origin, Storage &storage, Origin::Answer older) {
  older.late = true;
  origin.handle([older](const Origin::Request &request) -> std::optional<Origin::Answer> {
    if (request.method != "HEAD" || request.path != "/k") return std::nullopt;
    return older;
  });
  std::thread reader([&] { storage.meta("pages:k"); });
  const bool asked = origin.await(1, "HEAD", "/k");
  storage.set("pages:k", "new");
  origin.release();
  reader.join();
  REQUIRE(asked);
  origin.forget();
}

} // namespace

TEST_CASE("a look at a missing key's meta that a set has overtaken does not undo the set") {
  Origin origin;
  Storage storage = open(cached(origin, R"({ "negativeMaxAge": 60 })"));
  overtake_meta(origin, storage, {.status = 404});
  CHECK(storage.get("pages:k") == "new");
  CHECK(origin.count() == 0);
}

TEST_CASE("a look at an old copy's meta that a set has overtaken does not change the new copy") {
  Origin origin;
  origin.serve("/k", "old", "\"1\"");
  Storage storage = open(cached(origin, R"({ "maxAge": 60, "revalidate": false })"));
  make_stale(storage, "pages:k");
  origin.forget();
  overtake_meta(origin, storage, {.headers = {{"ETag", "\"1\""}}, .body = "old"});
  CHECK(storage.get("pages:k") == "new");
  CHECK(storage.meta("pages:k")->etag == "put-1");
  CHECK(origin.count() == 0);
}

TEST_CASE("any driver can be an origin, and any can hold the copies") {
  const Folder folder;
  const std::string in_files = R"({ "driver": "fs", "options": { "base": ")" + (folder / "copies") + "\" } }";
  for (const std::string &copies : {std::string(R"({ "driver": "memory" })"), in_files}) {
    const std::string origin = folder / ("origin" + std::to_string(copies.size()));
    Storage storage = open(R"({ "": { "driver": "cache", "options": { "maxAge": 60 }, "layers": [)" + copies +
                           R"(, { "driver": "fs", "options": { "base": ")" + origin + R"(" } }] } })");
    storage.set("a:b", "1");
    CHECK(read_file(origin + "/a/b") == "1");
    CHECK(storage.get("a:b") == "1");
    write_file(origin + "/a/b", "other");
    CHECK(storage.get("a:b") == "1");
    omnistore::advance_clock(61'000);
    CHECK(other_than(storage, "a:b", "1") == "other");
    CHECK(storage.keys().all() == std::vector<std::string>{"a:b"});
    CHECK(storage.clear() == 1);
    CHECK_FALSE(storage.get("a:b"));
  }
}

TEST_CASE("one cache can stand before another") {
  Origin origin;
  origin.serve("/k", "v", "\"1\"");
  const std::string inner = R"({ "driver": "memory", "invalidation": { "maxAge": 60, "revalidate": false }, "origin":
    { "driver": "http", "options": { "base": ")" +
                            origin.url() + R"(" } } })";
  Storage storage = open(R"({ "near": { "driver": "memory", "invalidation": { "maxAge": 10, "revalidate": false },
    "origin": )" + inner +
                         "} }");
  CHECK(storage.get("near:k") == "v");
  omnistore::advance_clock(11'000);
  CHECK(storage.get("near:k") == "v"); // the inner one is still fresh
  CHECK(origin.count() == 1);
  omnistore::advance_clock(61'000);
  CHECK(storage.get("near:k") == "v");
  CHECK(origin.count("GET", "/k") + origin.count("HEAD", "/k") == 2); // beside a look for its user meta
}
