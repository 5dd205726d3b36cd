// SPDX-License-Identifier: Apache-2.0
// The last hour of the mounts, which the page draws.
#include <catch2/catch.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include <boost/json/array.hpp>

#include "report/history.hpp"

using omnistore::MountStats;
using omnistore::report::History;
namespace json = boost::json;

namespace {

constexpr std::int64_t begin = 1'000'000, step = 10'000;

MountStats mount(std::uint64_t reads, std::uint64_t hits, const std::string &point = "a") {
  MountStats stats;
  stats.mountpoint = point;
  stats.reads = reads;
  stats.hits = hits;
  return stats;
}

json::array mounts_of(const History &history) {
  return history.describe([](const std::string &) { return true; }).at("mounts").as_array();
}

json::array series(const History &history, const char *name) {
  const json::array mounts = mounts_of(history);
  REQUIRE(mounts.size() == 1);
  return mounts[0].at(name).as_array();
}

} // namespace

TEST_CASE("a sample has the rates since the last one, not since the start") {
  History history;
  history.add(begin, {});
  history.add(begin + step, {mount(100, 100)});
  history.add(begin + 2 * step, {mount(150, 110)});
  CHECK(series(history, "rate") == json::array{10.0, 5.0});
  CHECK(series(history, "hit_rate")[0].as_double() == Approx(1));
  CHECK(series(history, "hit_rate")[1].as_double() == Approx(0.2));
}

TEST_CASE("an interval without reads has no hit rate, and one without timed operations no latency") {
  History history;
  history.add(begin, {});
  history.add(begin + step, {mount(0, 0)});
  CHECK(series(history, "hit_rate")[0].is_null());
  CHECK(series(history, "p50")[0].is_null());
  CHECK(series(history, "p99")[0].is_null());
}

TEST_CASE("the latency of a sample is that of its own operations") {
  History history;
  MountStats stats = mount(0, 0);
  const auto bounds = MountStats::latency_bounds();
  stats.read_latency.counts.resize(bounds.size() + 1);
  stats.read_latency.counts[0] = stats.read_latency.count = 1000; // fast ones
  history.add(begin, {});
  history.add(begin + step, {stats});
  const std::size_t slow = bounds.size() - 1;
  stats.read_latency.counts[slow] = 10;
  stats.read_latency.count += 10;
  history.add(begin + 2 * step, {stats});
  const json::array p50 = series(history, "p50");
  CHECK(p50[0].as_double() <= Approx(bounds[0]));
  CHECK(p50[1].as_double() > bounds[slow - 1] * 0.99);
}

TEST_CASE("a store that replaces another begins at zero, so no rate is negative") {
  History history;
  history.add(begin, {});
  history.add(begin + step, {mount(1000, 1000)});
  history.add(begin + 2 * step, {mount(20, 10)});
  CHECK(series(history, "rate")[1].as_double() == Approx(2));
  CHECK(series(history, "hit_rate")[1].as_double() == Approx(0.5));
}

TEST_CASE("the evictions of a mount include those of its layers") {
  History history;
  MountStats stats = mount(0, 0);
  stats.layers.push_back(mount(0, 0));
  stats.layers[0].evictions = 30;
  history.add(begin, {});
  history.add(begin + step, {stats});
  CHECK(series(history, "evictions")[0].as_double() == Approx(3));
}

TEST_CASE("the history keeps an hour, the oldest sample first, and drops what is older") {
  History history;
  history.add(begin, {});
  const int more = static_cast<int>(History::length) + 5;
  for (int i = 1; i <= more; ++i) history.add(begin + i * step, {mount(static_cast<std::uint64_t>(i), 0)});
  const json::array time = series(history, "time");
  REQUIRE(time.size() == History::length);
  CHECK(time.front().as_int64() == begin + 6 * step);
  CHECK(time.back().as_int64() == begin + more * step);
}

TEST_CASE("a mount that is gone has no history, and one that comes back begins anew") {
  History history;
  history.add(begin, {});
  history.add(begin + step, {mount(10, 0), mount(10, 0, "b")});
  history.add(begin + 2 * step, {mount(10, 0, "b")});
  CHECK(mounts_of(history).size() == 1);
  history.add(begin + 3 * step, {mount(10, 0), mount(10, 0, "b")});
  CHECK(mounts_of(history)[0].at("time").as_array().size() == 1);
}

TEST_CASE("the history shows only the mounts that the caller may see") {
  History history;
  history.add(begin, {});
  history.add(begin + step, {mount(1, 0), mount(1, 0, "b")});
  const json::object shown = history.describe([](const std::string &point) { return point == "b"; });
  REQUIRE(shown.at("mounts").as_array().size() == 1);
  CHECK(shown.at("mounts").as_array()[0].at("mountpoint") == "b");
}
