// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "fixture.hpp"

using omnistore::Status;
using omnistore::Storage;
using namespace std::chrono_literals;

TEST_CASE("a failure names operation, key, mount, driver and cause") {
  Storage storage = test::open(R"({ "": { "driver": "memory" }, "m": { "driver": "bare" } })");
  std::string message;
  CHECK(test::status_of([&] { storage.get("m/fail/90"); }, &message) == Status::unavailable);
  CHECK(message == "get m:fail:90 (mount m, driver bare): as the key says");
  CHECK(test::status_of([&] { storage.set("m:fail:110", ""); }, &message) == Status::io);
  CHECK_THAT(message, Catch::StartsWith("set m:fail:110"));
}

TEST_CASE("a status that the host does not know is an internal failure") {
  Storage storage = test::open(R"({ "": { "driver": "bare" } })");
  CHECK(test::status_of([&] { storage.get("fail:777"); }) == Status::internal);
}

TEST_CASE("an exception that a driver lets out is a failure of that operation") {
  Storage storage = test::open(R"({ "": { "driver": "bare" } })");
  std::string message;
  CHECK(test::status_of([&] { storage.get("throw"); }, &message) == Status::internal);
  CHECK_THAT(message, Catch::Contains("thrown on purpose"));
  storage.set("k", "1");
  CHECK(storage.get("k") == "1");
}

TEST_CASE("a driver that gives fewer bytes than it announced is caught") {
  Storage storage = test::open(R"({ "": { "driver": "bare" } })");
  storage.set("short", "value");
  CHECK(test::status_of([&] { storage.get("short"); }) == Status::corrupt);
}

TEST_CASE("an operation ends at its deadline") {
  Storage storage = test::open(R"({ "": { "driver": "bare" } })");
  omnistore::GetOptions options;
  options.timeout = 20ms;
  CHECK(test::status_of([&] { storage.get("wait", options); }) == Status::timeout);
}

TEST_CASE("a write to a read-only mount or store is an error") {
  Storage storage = test::open(R"({ "m": { "driver": "memory", "readOnly": true },
                                    "s": { "driver": "bare", "options": { "readOnly": true } } })");
  for (const std::string mount : {"m", "s"}) {
    std::string message;
    CHECK(test::status_of([&] { storage.set(mount + ":k", ""); }, &message) == Status::read_only);
    CHECK_THAT(message, Catch::Contains("set " + mount + ":k"));
    CHECK(test::status_of([&] { storage.remove(mount + ":k"); }) == Status::read_only);
    CHECK(test::status_of([&] { storage.touch(mount + ":k", 1h); }) == Status::read_only);
    CHECK(test::status_of([&] { storage.clear(mount); }) == Status::read_only);
    CHECK(storage.set_many(std::vector<omnistore::SetItem>{{mount + ":k", "", {}}})[0].status == Status::read_only);
    CHECK(storage.get(mount + ":k") == std::nullopt);
  }
}

TEST_CASE("a value over the driver's limit is refused with both sizes") {
  Storage storage = test::open(R"({ "": { "driver": "bare", "options": { "maxValue": 3 } } })");
  storage.set("k", "123");
  std::string message;
  CHECK(test::status_of([&] { storage.set("k", "1234"); }, &message) == Status::too_large);
  CHECK_THAT(message, Catch::Contains("4 bytes") && Catch::Contains("at most 3"));
  CHECK(storage.set_many(std::vector<omnistore::SetItem>{{"k", "12345", {}}})[0].status == Status::too_large);
}

TEST_CASE("hits, misses, writes, removes, errors and bytes are counted for each mount") {
  Storage storage = test::open(R"({ "a": { "driver": "memory" }, "b": { "driver": "bare" } })");
  for (const std::string mount : {"a", "b"}) {
    storage.set(mount + ":k", "12345");
    storage.get(mount + ":k");
    storage.get(mount + ":l");
    storage.remove(mount + ":k");
    storage.keys(mount).all();
  }
  test::status_of([&] { storage.get("b:fail:110"); });
  const auto stats = storage.stats();
  REQUIRE(stats.size() == 2);
  for (const auto &mount : stats) {
    CHECK(mount.hits == 1);
    CHECK(mount.misses == 1);
    CHECK(mount.writes == 1);
    CHECK(mount.removes == 1);
    CHECK(mount.lists == 1);
    CHECK(mount.bytes_read == 5);
    CHECK(mount.bytes_written == 5);
  }
  CHECK(stats[0].errors == 0);
  CHECK(stats[1].errors == 1);
  CHECK(stats[1].reads == 3);
  // A driver that may block has each operation timed.
  CHECK(stats[1].read_latency.count == 3);
  CHECK(stats[1].write_latency.count == 2);
  CHECK(stats[1].read_latency.counts.size() == omnistore::MountStats::latency_bounds().size() + 1);
}
