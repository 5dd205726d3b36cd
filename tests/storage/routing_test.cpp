// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

#include "fixture.hpp"

using omnistore::MountConfig;
using omnistore::Status;
using omnistore::Storage;

namespace {
const std::string three =
    R"({ "": { "driver": "memory" }, "a": { "driver": "memory" }, "a:b": { "driver": "memory" } })";

std::vector<std::uint64_t> writes(const Storage &storage) {
  std::vector<std::uint64_t> writes;
  for (const auto &stats : storage.stats()) writes.push_back(stats.writes);
  return writes;
}
MountConfig with_driver(const std::string &driver) {
  MountConfig config;
  config.store.driver = driver;
  return config;
}
} // namespace

TEST_CASE("the longest mountpoint that a key starts with wins, by whole segments") {
  Storage storage = test::open(three);
  storage.set("x", "root");
  storage.set("ab:c", "root, for ab is not a");
  storage.set("a", "root, for a key that is a mountpoint lies beside it");
  storage.set("a:x", "a");
  storage.set("a:bc", "a, for bc is not b");
  storage.set("a:b:x", "a:b");
  CHECK(writes(storage) == std::vector<std::uint64_t>{3, 2, 1});
  CHECK(storage.get("a:b:x") == "a:b");
  CHECK(storage.get("a") == "root, for a key that is a mountpoint lies beside it");
}

TEST_CASE("a key that no mount holds is an error that names the mountpoints") {
  Storage storage = test::open(R"({ "a": { "driver": "memory" }, "c": { "driver": "memory" } })");
  std::string message;
  CHECK(test::status_of([&] { storage.get("b:x"); }, &message) == Status::invalid);
  CHECK_THAT(message, Catch::Contains("get b:x") && Catch::Contains("a, c"));
}

TEST_CASE("a store mounted while it runs hides the keys below, and unmounting shows them again") {
  Storage storage = test::open(R"({ "": { "driver": "memory" } })");
  storage.set("a:x", "below");
  storage.mount("/a/", with_driver("memory"));
  CHECK(storage.get("a:x") == std::nullopt);
  CHECK(storage.keys().all().empty());
  storage.set("a:y", "above");
  CHECK(storage.keys().all() == std::vector<std::string>{"a:y"});
  CHECK(storage.unmount("a"));
  CHECK_FALSE(storage.unmount("a"));
  CHECK(storage.get("a:x") == "below");
  CHECK(storage.keys().all() == std::vector<std::string>{"a:x"});
}

TEST_CASE("a mount that cannot be opened leaves the one that stands there") {
  Storage storage = test::open(R"({ "a": { "driver": "memory" } })");
  storage.set("a:x", "1");
  MountConfig broken = with_driver("bare");
  broken.store.options = R"({ "failOpen": "no such backend" })";
  std::string message;
  CHECK(test::status_of([&] { storage.mount("a", broken); }, &message) == Status::unavailable);
  CHECK_THAT(message,
             Catch::Contains("mount a") && Catch::Contains("driver bare") && Catch::Contains("no such backend"));
  CHECK(storage.get("a:x") == "1");
}

TEST_CASE("a driver that does not open is quoted without the secrets of its options") {
  Storage storage = test::open(R"({ "": { "driver": "memory" } })");
  MountConfig broken = with_driver("bare");
  broken.store.options = R"({ "failOpen": "S3CRET is no password", "password": "S3CRET" })";
  std::string message;
  CHECK(test::status_of([&] { storage.mount("a", broken); }, &message) == Status::unavailable);
  CHECK_THAT(message, Catch::Contains("*** is no password") && !Catch::Contains("S3CRET"));
}

TEST_CASE("mounts change while operations run, and none of them fails") {
  Storage storage = test::open(R"({ "": { "driver": "memory" }, "a": { "driver": "memory" } })");
  std::atomic<bool> stop{false};
  std::atomic<int> failures{0}, done{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, key = "a:" + std::to_string(i)] {
      while (!stop) {
        try {
          storage.set(key, "value");
          const auto value = storage.get(key);
          if (value && value != "value") ++failures;
          storage.list("a");
          ++done;
        } catch (const std::exception &) {
          ++failures;
        }
      }
    });
  for (int i = 0; i < 200; ++i) storage.mount("a", with_driver(i % 2 ? "memory" : "bare"));
  stop = true;
  for (auto &thread : threads) thread.join();
  CHECK(failures == 0);
  CHECK(done > 0);
}

TEST_CASE("unmounting does not wait for operations that are on the store, and its close does") {
  Storage storage = test::open(R"({ "a": { "driver": "bare" } })");
  test::SlowReader slow;
  storage.set("a:x", "1");
  std::thread reading([&] { storage.read("a:x", slow); });
  slow.await_begin();
  CHECK(storage.unmount("a"));
  CHECK(storage.mounts().empty());
  CHECK_FALSE(storage.wait_closed("a", std::chrono::milliseconds(1))); // the reader still holds the store
  slow.let_go();
  reading.join();
  CHECK(storage.wait_closed("a", std::chrono::seconds(20)));
  CHECK(slow.value == "1");
}

TEST_CASE("mounts describe each store and its capabilities") {
  Storage storage = test::open(R"({ "a": { "driver": "bare", "ttl": "1h", "prefix": "p/q", "readOnly": true } })");
  const auto mounts = storage.mounts();
  REQUIRE(mounts.size() == 1);
  CHECK(mounts[0].mountpoint == "a");
  CHECK(mounts[0].ttl == 3600'000);
  CHECK(mounts[0].prefix == "p:q");
  CHECK(mounts[0].read_only);
  CHECK(mounts[0].store.driver == "bare");
  CHECK_THAT(mounts[0].store.file, Catch::EndsWith("bare.so"));
  auto how = [&](const std::string &name) {
    for (const auto &capability : mounts[0].store.list)
      if (capability.name == name) return capability.how;
    throw std::runtime_error("no capability " + name);
  };
  using How = omnistore::StoreInfo::Capability::How;
  CHECK(how("write") == How::native);
  CHECK(how("ttl") == How::emulated);
  CHECK(how("clear") == How::emulated);
  CHECK(how("if-absent") == How::emulated);
  CHECK(how("etag") == How::no);
  CHECK(how("if-match") == How::no);
}

TEST_CASE("an optional mount that cannot be opened says why, and the others continue") {
  Storage storage = test::open(R"({ "": { "driver": "memory" },
    "a": { "driver": "bare", "optional": true, "options": { "failOpen": "no such backend" } },
    "b": { "driver": "no-such-driver", "optional": true } })");
  storage.set("x", "1");
  CHECK(storage.get("x") == "1");
  std::string message;
  CHECK(test::status_of([&] { storage.get("a:x"); }, &message) == Status::unavailable);
  CHECK_THAT(message, Catch::Contains("get a:x") && Catch::Contains("no such backend"));
  CHECK(test::status_of([&] { storage.set("b:x", ""); }, &message) == Status::unavailable);
  CHECK_THAT(message, Catch::Contains("no-such-driver"));
  CHECK_FALSE(storage.mounts()[1].available);
}

TEST_CASE("a driver that throws out of open is a failure of that mount") {
  std::string message;
  CHECK(test::status_of([] { test::open(R"({ "a": { "driver": "bare", "options": { "throwOpen": true } } })"); },
                        &message) == Status::internal);
  CHECK_THAT(message, Catch::Contains("mount a") && Catch::Contains("thrown on purpose"));
}

TEST_CASE("every wrong option of every mount is reported, with its place") {
  std::string message;
  CHECK(test::status_of(
            [] {
              test::open(R"({ "a": { "driver": "bare", "options": { "shard": true } },
                              "b": { "driver": "bare", "options": { "batch": "x" } } })");
            },
            &message) == Status::invalid);
  CHECK_THAT(message, Catch::Contains("mounts.a.options.shard") && Catch::Contains("mounts.b.options.batch") &&
                          Catch::Contains("shared") && Catch::Contains("line"));
}
