// SPDX-License-Identifier: Apache-2.0
// Two hosts with copies over Redis whose master dies: a replica takes its place, and no read is older than the bound.
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "hosts.hpp"
#include "support/redis_cluster.hpp"
#include "support/redis_sentinels.hpp"

using namespace test;

namespace {

/// Counts a key up at one host, and reads it at another one, each in a thread.
class Counting {
public:
  Counting(const NearHost &writer, const NearHost &reader) {
    threads_.emplace_back([&] {
      for (std::uint64_t next = 1; !stop_;) {
        const std::lock_guard lock(writing_);
        if (!writer.set("key", std::to_string(next))) continue; // its outcome is not known; the same number again
        const std::lock_guard noting(noted_mutex_);
        noted_.emplace_back(Clock::now(), next++);
      }
    });
    threads_.emplace_back([&] {
      while (!stop_) {
        const Clock::time_point begun = Clock::now();
        const std::string value = reader.get("key");
        if (value.empty()) continue; // the store is away
        const std::uint64_t number = std::stoull(value), floor = written_before(begun - max_lag);
        if (number < floor) ++old_, worst_ = value + " in place of " + std::to_string(floor);
        seen_ = number;
      }
    });
  }
  ~Counting() { finish(); }
  void finish() {
    stop_ = true;
    for (std::thread &thread : threads_) thread.join();
    threads_.clear();
  }

  /// While it is held, no write is under way.
  std::unique_lock<std::mutex> pause() { return std::unique_lock(writing_); }
  std::uint64_t written() { return written_before(Clock::time_point::max()); }
  std::uint64_t seen() const { return seen_; }
  /// Call these after finish().
  int old_reads() const { return old_; }
  const std::string &worst() const { return worst_; }

private:
  std::uint64_t written_before(Clock::time_point time) {
    const std::lock_guard lock(noted_mutex_);
    while (noted_.size() > next_ && noted_[next_].first < time) ++next_;
    return next_ == 0 ? 0 : noted_[next_ - 1].second;
  }

  std::atomic<bool> stop_{false};
  std::atomic<std::uint64_t> seen_{0};
  std::atomic<int> old_{0};
  std::string worst_;
  std::mutex writing_, noted_mutex_;
  std::vector<std::pair<Clock::time_point, std::uint64_t>> noted_; ///< acknowledged writes
  std::size_t next_ = 0;
  std::vector<std::thread> threads_;
};

/// `stop_master` waits until the replicas have everything, since Redis itself would lose the rest, and stops the
/// master.
template <class Stop>
void check_failover(const std::string &store, Near near, Stop stop_master) {
  const NearHost one(store, near), other(store, near);
  Counting counting(one, other);
  REQUIRE(comes_true([&] { return counting.seen() > 20; }));
  std::uint64_t before = 0;
  {
    const auto paused = counting.pause();
    before = counting.seen();
    stop_master();
  }
  CHECK(comes_true([&] { return counting.seen() > before + 50; }));
  counting.finish();
  INFO(counting.worst());
  CHECK(counting.old_reads() == 0);
  // The copies are used again.
  CHECK(comes_true([&] {
    const std::int64_t misses = other.misses();
    for (int i = 0; i < 20; ++i) other.get("key");
    return other.misses() == misses;
  }));
}

constexpr const char *limits = R"(, "notify": true, "connectTimeout": "1s", "commandTimeout": "1s")";

} // namespace

TEST_CASE("no read is older than the bound when the master that sentinels know dies or hangs") {
  const Near near = GENERATE(Near::cache, Near::overlay);
  const bool hangs = GENERATE(false, true);
  INFO((near == Near::cache ? "cache" : "overlay") << (hangs ? ", hangs" : ", dies"));
  RedisSentinels servers;
  check_failover(R"("driver": "redis", "options": { )" + servers.options() + limits + " }", near, [&] {
    RedisServer &master = servers.master();
    REQUIRE(RedisClient(master).number({"WAIT", "2", "0"}) == 2);
    hangs ? master.freeze() : master.kill();
  });
}

TEST_CASE("no read is older than the bound when sentinels leave a master that stays reachable") {
  const Near near = GENERATE(Near::cache, Near::overlay);
  INFO((near == Near::cache ? "cache" : "overlay"));
  RedisSentinels servers;
  const NearHost host(R"("driver": "redis", "options": { )" + servers.options() + limits + " }", near);
  RedisServer &old = servers.servers.front(), &fresh = servers.servers.back();
  REQUIRE(host.set("key", "1"));
  REQUIRE(RedisClient(old).number({"WAIT", "2", "0"}) == 2);
  REQUIRE(comes_true([&] {
    const std::int64_t misses = host.misses();
    return host.get("key") == "1" && host.misses() == misses;
  }));
  // The sentinels forget the old master, so nobody makes it a replica.
  REQUIRE(RedisClient(fresh)({"REPLICAOF", "NO", "ONE"}) == "OK");
  const std::string name = RedisSentinels::name, port = std::to_string(fresh.port());
  for (RedisServer &sentinel : servers.sentinels) {
    RedisClient client(sentinel);
    REQUIRE(client({"SENTINEL", "REMOVE", name}) == "OK");
    REQUIRE(client({"SENTINEL", "MONITOR", name, "127.0.0.1", port, "2"}) == "OK");
  }
  REQUIRE(RedisClient(fresh)({"SET", "key", "2"}) == "OK");
  const Clock::time_point written = Clock::now();
  std::string value;
  for (Clock::time_point begun = written; value != "2" && begun <= written + max_lag; begun = Clock::now())
    value = host.get("key");
  value = host.get("key");
  CHECK(value == "2");
  CHECK(RedisClient(old)({"GET", "key"}) == "1");
  CHECK(comes_true([&] {
    const std::int64_t misses = host.misses();
    return host.get("key") == "2" && host.misses() == misses;
  }));
}

TEST_CASE("no read is older than the bound when the master of a slot of a cluster dies") {
  RedisCluster cluster(3, 1, {"--cluster-node-timeout", "2000"});
  check_failover(R"("driver": "redis", "options": { )" + cluster.options() + limits + " }", Near::cache, [&] {
    constexpr std::uint16_t slot_of_key = 12539;
    RedisServer &master = cluster.servers[cluster.owner(slot_of_key)];
    REQUIRE(RedisClient(master)({"CLUSTER", "KEYSLOT", "key"}) == std::to_string(slot_of_key));
    REQUIRE(RedisClient(master).number({"WAIT", "1", "0"}) == 1);
    master.kill();
  });
}
