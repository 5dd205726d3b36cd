// SPDX-License-Identifier: Apache-2.0
// A storage's counters, and its log lines about operations.
#include <future>

#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "support/log_lines.hpp"

using omnistore::MountStats;
using omnistore::Status;
using omnistore::Storage;

TEST_CASE("errors are counted by their kind, and outcomes that are no errors are not") {
  Storage storage = test::open(
      R"({ "": { "driver": "memory", "options": { "maxBytes": "1MiB" } }, "fixed": { "driver": "fs", "options": { "base": "/", "readOnly": true } } })");
  storage.get("absent");
  omnistore::SetOptions absent;
  absent.condition.kind = omnistore::Condition::Kind::if_present;
  CHECK_FALSE(storage.set("absent", "", absent)); // an outcome
  for (int i = 0; i < 2; ++i) CHECK_THROWS_AS(storage.set("big", std::string(2 << 20, 'x')), omnistore::Error);
  CHECK_THROWS_AS(storage.set("fixed:x", ""), omnistore::Error);
  const auto stats = storage.stats();
  CHECK(stats[0].errors == 2);
  CHECK(stats[0].errors_by_kind == std::vector<std::pair<Status, std::uint64_t>>{{Status::too_large, 2}});
  CHECK(stats[1].errors_by_kind == std::vector<std::pair<Status, std::uint64_t>>{{Status::read_only, 1}});
}

TEST_CASE("the stores below a layer are counted each by itself") {
  Storage storage =
      test::open(R"({ "": { "driver": "overlay", "layers": [ { "driver": "memory" }, { "driver": "bare" } ] } })");
  storage.set("a", "1");
  storage.get("a");
  storage.get("b");
  const MountStats stats = storage.stats().at(0);
  REQUIRE(stats.layers.size() == 2);
  CHECK(stats.hits == 1);
  CHECK(stats.layers[0].driver == "memory");
  CHECK(stats.layers[0].writes == 1);
  CHECK(stats.layers[0].hits >= 1);
  CHECK(stats.layers[1].driver == "bare");
  CHECK(stats.layers[1].misses >= 1);
}

TEST_CASE("operations under way are counted while they are") {
  Storage storage = test::open(R"({ "": { "driver": "bare" } })");
  storage.set("x", "1");
  test::SlowReader slow;
  CHECK(storage.stats()[0].in_flight == 0);
  auto reading = std::async(std::launch::async, [&] { return storage.read("x", slow); });
  slow.await_begin();
  CHECK(storage.stats()[0].in_flight == 1);
  slow.let_go();
  CHECK(reading.get());
  CHECK(storage.stats()[0].in_flight == 0);
}

TEST_CASE("a quantile lies in the bucket that holds it, as far in as its part of the bucket") {
  MountStats::Histogram latency;
  latency.counts.assign(MountStats::latency_bounds().size() + 1, 0);
  CHECK(latency.quantile(0.5) == 0);
  const auto bounds = MountStats::latency_bounds(); // 250 ns, 500 ns, 1 us, ...
  latency.counts[0] = 50;
  latency.counts[2] = 40;
  latency.counts[3] = 10;
  latency.count = 100;
  CHECK(latency.quantile(0.25) == Approx(bounds[0] / 2));
  CHECK(latency.quantile(0.5) == Approx(bounds[0]));
  CHECK(latency.quantile(0.7) == Approx((bounds[1] + bounds[2]) / 2));
  CHECK(latency.quantile(0.99) == Approx(bounds[2] + 0.9 * (bounds[3] - bounds[2])));
  CHECK(latency.quantile(1) == Approx(bounds[3]));
  latency.counts.back() = 900; // longer than the last bound: it says no more than that
  latency.count = 1000;
  CHECK(latency.quantile(0.99) == Approx(bounds.back()));
}

TEST_CASE("a slow operation is a warning with mount and driver, at any level, and the rest is not logged") {
  const test::LogLines log(test::LogLines::info);
  Storage storage = test::open(R"({ "files": { "driver": "bare" } })", R"("log": { "slow": "1ms" }, )");
  struct Pause : omnistore::Source {
    bool ended = false;
    std::size_t read(char *into, std::size_t) override {
      if (std::exchange(ended, true)) return 0;
      const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(2);
      while (std::chrono::steady_clock::now() < end) {
      }
      *into = 'x';
      return 1;
    }
  } pause;
  storage.set("files:slow", pause);
  CHECK(log.has_match("^slow: WRITE files:slow \\([0-9.]+ms\\); mount files, driver bare$"));
  CHECK_FALSE(log.has_match("READ"));
}

TEST_CASE("every kind of operation is a line at debug, failures with their reason") {
  const test::LogLines log(test::LogLines::debug);
  Storage storage =
      test::open(R"({ "": { "driver": "memory", "options": { "maxBytes": "1MiB" } }, "m": { "driver": "memory" } })");
  storage.set("a", "1");
  storage.get("a");
  storage.has("b");
  storage.meta("a");
  storage.touch("a", std::chrono::seconds(5));
  storage.get_many(std::vector<std::string>{"m:1", "m:2", "m:3"});
  storage.list("m");
  storage.remove("a");
  storage.remove("a");
  storage.clear("m");
  CHECK_THROWS_AS(storage.set("big", std::string(2 << 20, 'x')), omnistore::Error);
  for (const char *line : {"^WRITE a \\(", "^READ HIT a \\(", "^STAT MISS b \\(", "^STAT HIT a \\(", "^TOUCH a \\(",
                           "^READ MANY m:1 and 2 others \\(", "^LIST m: \\(", "^REMOVE a \\(", "^REMOVE MISS a \\(",
                           "^CLEAR m: \\(", "^WRITE ERROR big \\([0-9.]+ms\\): .*bytes"}) {
    INFO(line);
    CHECK(log.has_match(line));
  }
}
