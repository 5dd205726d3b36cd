// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;
using omnistore::Status;
using omnistore::Storage;

TEST_CASE("limit lets no more operations through than its rate") {
  Storage storage = open_through(layer("limit", R"({ "rate": 100, "burst": 5 })"));
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 15; ++i) storage.has("a");
  CHECK(std::chrono::steady_clock::now() - start >= std::chrono::milliseconds(100));
}

TEST_CASE("limit refuses at once an operation that would wait too long, and gives the time for a retry") {
  Storage storage = open_through(layer("limit", R"({ "rate": 0.001, "burst": 1, "maxWait": "1s" })"));
  storage.has("a");
  bool refused = false;
  try {
    storage.set("a", "value");
  } catch (const omnistore::Error &error) {
    refused = true;
    CHECK(error.status() == Status::unavailable);
    CHECK(error.retry_after() > std::chrono::seconds(900));
    CHECK(error.retry_after() <= std::chrono::seconds(1000));
  }
  CHECK(refused);
  CHECK(counter(storage, "refused") == 1);
}

TEST_CASE("a write that limit refuses is known not to be done") {
  Storage storage = open_through(layer("retry", R"({ "backoff": 1 })") + ", " +
                                 layer("limit", R"({ "rate": 20, "burst": 1, "maxWait": 0 })"));
  omnistore::SetOptions if_absent;
  if_absent.condition.kind = omnistore::Condition::Kind::if_absent;
  storage.has("a");
  storage.set("a", "value", if_absent); // retry repeats a conditional write only if nothing was done
  CHECK(counter(storage, "refused") >= 1);
}

TEST_CASE("limit counts each item of a batch") {
  Storage storage = open_through(layer("limit", R"({ "rate": 0.001, "burst": 3, "maxWait": 0 })"));
  const std::vector<std::string> keys = {"a", "b", "c"};
  for (const auto &each : storage.get_many(keys)) CHECK(each.status == Status::not_found);
  CHECK(status_of([&] { storage.has("a"); }) == Status::unavailable);
}

TEST_CASE("limit lets no more operations run at once than it says") {
  Storage storage = open_through(layer("limit", R"({ "concurrency": 1, "maxWait": 0 })") + ", " +
                                 layer("fault", R"({ "operations": ["get"], "delay": "1h", "status": "none" })"));
  std::atomic<bool> gone = false;
  omnistore::GetOptions options;
  options.cancelled = &gone;
  std::thread first([&] { status_of([&] { storage.get("a", options); }); });
  while (counter(storage, "faults") == 0) std::this_thread::yield();
  CHECK(status_of([&] { storage.has("a"); }) == Status::unavailable);
  gone = true;
  first.join();
  CHECK(status_of([&] { storage.has("a"); }) == Status::ok);
}

TEST_CASE("limit ends a wait when the caller goes away") {
  Storage storage = open_through(layer("limit", R"({ "rate": 0.001, "burst": 1, "maxWait": "24h" })"));
  storage.has("a");
  std::atomic<bool> gone = false;
  omnistore::CallOptions options;
  options.cancelled = &gone;
  std::thread leaver([&] {
    while (counter(storage, "waited") == 0) std::this_thread::yield();
    gone = true;
  });
  CHECK(status_of([&] { storage.has("a", options); }) == Status::cancelled);
  leaver.join();
}
