// SPDX-License-Identifier: Apache-2.0
// A step of the system's clock changes nothing for values that expire, and makes no wait longer or shorter.
#include <catch2/catch.hpp>

#include <atomic>
#include <chrono>
#include <ctime>
#include <future>
#include <thread>

#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.hpp"
#include "service/history_sampler.hpp"
#include "storage/fixture.hpp"
#include "storage/puppet.hpp"
#include "support/temporary.hpp"

namespace {

std::atomic<long> step{0}; ///< seconds that the system's clock is ahead

constexpr long year = 365 * 24 * 3600;

} // namespace

/// In place of the system's, for this program and the libraries that it loads.
extern "C" int clock_gettime(clockid_t clock, timespec *time) noexcept {
  const long status = syscall(SYS_clock_gettime, clock, time);
  if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) time->tv_sec += step.load(std::memory_order_relaxed);
  return static_cast<int>(status);
}

TEST_CASE("the test has the clock in its hand") {
  const auto before = std::chrono::system_clock::now();
  step = year;
  CHECK(std::chrono::system_clock::now() - before > std::chrono::hours(8000));
  step = 0;
}

TEST_CASE("a step of the system's clock neither ends a value early nor brings back one that has ended") {
  const test::Folder folder;
  omnistore::Storage storage = test::open(R"({ "memory": { "driver": "memory" }, "bare": { "driver": "bare" },
    "fs": { "driver": "fs", "options": { "base": ")" +
                                          folder.path().string() + R"(" } } })");
  omnistore::SetOptions hour;
  hour.ttl = std::chrono::hours(1);
  for (const std::string mount : {"memory", "bare", "fs"}) {
    const std::string key = mount + ":key";
    storage.set(key, "v", hour);
    for (const long ahead : {year, -year, 0L}) {
      INFO(key << " " << ahead);
      step = ahead;
      CHECK(storage.get(key) == "v");
      CHECK(storage.keys(mount).all().size() == 1);
    }
    // A value that is set while the clock is wrong lives as long.
    for (const long ahead : {year, -year}) {
      step = ahead;
      storage.set(key, "w", hour);
      step = 0;
      CHECK(storage.get(key) == "w");
    }
    storage.set(key, "v", hour);
  }
  omnistore::advance_clock(3'600'001);
  for (const std::string mount : {"memory", "bare", "fs"})
    for (const long ahead : {0L, -year, year, 0L}) {
      INFO(mount << " " << ahead);
      step = ahead;
      CHECK_FALSE(storage.get(mount + ":key"));
      CHECK(storage.keys(mount).all().empty());
    }
}

TEST_CASE("a step of the system's clock does not delay the next sample of the history") {
  omnistore::Storage storage = test::open(R"({ "": { "driver": "memory" } })");
  omnistore::service::HistorySampler sampler(storage);
  step = year;
  sampler.start();
  const auto has_sample = [&] {
    const auto history = sampler.history().describe([](const std::string &) { return true; });
    return !history.at("mounts").as_array().empty();
  };
  const auto end = std::chrono::steady_clock::now() + 2 * omnistore::report::History::interval;
  while (!has_sample() && std::chrono::steady_clock::now() < end)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(has_sample());
  sampler.stop();
  step = 0;
}

TEST_CASE("a step of the system's clock does not make the wait for a store's health longer") {
  test::Puppet stuck;
  std::atomic<bool> go{false};
  stuck.health = [&](omnistore_call *) {
    go.wait(false);
    return OMNISTORE_OK;
  };
  omnistore::Storage storage = test::open(R"({ "": )" + stuck.mount() + " }");
  step = year;
  auto sick = std::async(std::launch::async, [&] { return storage.unhealthy(); });
  const bool ended = sick.wait_for(std::chrono::seconds(20)) == std::future_status::ready;
  go = true;
  go.notify_all();
  sick.wait();
  step = 0;
  CHECK(ended);
}
