// SPDX-License-Identifier: Apache-2.0
// A redis-server that is killed, restarted, stopped and made slow while every mount is under load. The figures are
// printed; what decides is that no other mount fails, that redis' own mount fails as it should, and that it comes back.
#include <catch2/catch.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include <omnistore/storage.hpp>

#include "storage/fixture.hpp"
#include "support/redis_server.hpp"
#include "support/temporary.hpp"

using omnistore::Status;
using omnistore::Storage;
using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

namespace {

/// Runs one operation over and over on a thread of its own, and counts how it ends.
class Load {
public:
  /// `pause` is how long it rests between two operations.
  Load(std::function<void(unsigned)> operation, std::chrono::microseconds pause)
      : operation_(std::move(operation)), pause_(pause), thread_([this] { run(); }) {}
  ~Load() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  std::uint64_t done() const { return done_.load(std::memory_order_relaxed); }
  /// Waits until so many more have ended in one of these ways (none named: in any); false: that takes too long.
  bool await(std::uint64_t more, const std::vector<Status> &ways = {}) {
    std::unique_lock lock(mutex_);
    const std::uint64_t target = sum(ways) + more;
    ++waiting_;
    const bool reached = changed_.wait_for(lock, 60s, [&] { return sum(ways) >= target; });
    --waiting_;
    return reached;
  }
  /// How the operations ended since the last call.
  std::map<Status, std::uint64_t> taken() {
    std::lock_guard lock(mutex_);
    std::map<Status, std::uint64_t> since;
    for (const auto &[status, count] : ends_)
      if (const std::uint64_t fresh = count - std::exchange(seen_[status], count); fresh != 0) since[status] = fresh;
    return since;
  }
  std::string message() {
    std::lock_guard lock(mutex_);
    return message_;
  }

private:
  std::uint64_t sum(const std::vector<Status> &ways) const {
    std::uint64_t sum = 0;
    for (const auto &[status, count] : ends_)
      if (ways.empty() || std::count(ways.begin(), ways.end(), status) != 0) sum += count;
    return sum;
  }

  void run() {
    for (unsigned i = 0;; ++i) {
      std::string message;
      const Status status = test::status_of([&] { operation_(i); }, &message);
      done_.fetch_add(1, std::memory_order_relaxed);
      std::unique_lock lock(mutex_);
      ++ends_[status];
      if (status != Status::ok) message_ = message;
      if (waiting_ != 0) changed_.notify_all();
      if (pause_.count() != 0) changed_.wait_for(lock, pause_, [&] { return stopping_; });
      if (stopping_) return;
    }
  }

  const std::function<void(unsigned)> operation_;
  const std::chrono::microseconds pause_;
  std::atomic<std::uint64_t> done_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<Status, std::uint64_t> ends_, seen_;
  std::string message_;
  unsigned waiting_ = 0;
  bool stopping_ = false;
  std::thread thread_;
};

const std::vector<Status> away = {Status::unavailable, Status::timeout};

} // namespace

TEST_CASE("a redis-server that is killed, restarted, stopped or slow affects only its own mount") {
  test::RedisServer redis;
  const test::Folder folder;
  Storage storage =
      test::open(R"({ "memory": { "driver": "memory" }, "files": { "driver": "fs", "options": { "base": ")" +
                 (folder / "data") + R"(" } }, "shared": { "driver": "redis", "options": { "url": ")" + redis.url() +
                 R"(", "connectTimeout": "200ms", "commandTimeout": "200ms" } } })");
  auto use = [&storage](const std::string &mount) {
    return [&storage, mount](unsigned i) {
      const std::string key = mount + ":" + std::to_string(i % 100);
      storage.set(key, "value " + std::to_string(i));
      if (const auto value = storage.get(key); !value || !value->starts_with("value"))
        throw omnistore::Error(Status::corrupt, key + ": " + value.value_or("nothing"));
    };
  };
  Load memory(use("memory"), 0us), files(use("files"), 100us), shared(use("shared"), 1ms);

  auto phase = [&](const char *name, const std::function<void()> &during) {
    const Clock::time_point begin = Clock::now();
    const std::array<std::uint64_t, 2> before = {memory.done(), files.done()};
    during();
    CHECK(memory.await(20'000));
    CHECK(files.await(20));
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    const auto of_shared = shared.taken();
    std::uint64_t good = 0, bad = 0;
    for (const auto &[status, count] : of_shared) (status == Status::ok ? good : bad) += count;
    std::printf("%-10s %6.0f ms: memory %7.0f/s, files %5.0f/s, shared %5.0f/s good %5.0f/s failed\n", name,
                seconds * 1000, (memory.done() - before[0]) / seconds, (files.done() - before[1]) / seconds,
                good / seconds, bad / seconds);
    for (Load *load : {&memory, &files}) {
      const auto ends = load->taken();
      INFO(name << ": " << load->message());
      CHECK(ends.size() == 1);
      CHECK(ends.count(Status::ok) == 1);
    }
    return of_shared;
  };
  auto recovers = [&] {
    CHECK(shared.await(50, {Status::ok}));
    shared.taken();
    CHECK(phase("again", [&] { CHECK(shared.await(50)); }).count(Status::unavailable) == 0);
  };

  const auto before = phase("before", [&] { CHECK(shared.await(100)); });
  CHECK(before.size() == 1);
  CHECK(before.count(Status::ok) == 1);

  phase("killed", [&] {
    redis.kill();
    CHECK(shared.await(100, away));
  });
  CHECK_THAT(shared.message(), Catch::Contains("shared:") && Catch::Contains("(mount shared, driver redis): "));
  redis.start();
  recovers();

  phase("stopped", [&] {
    redis.freeze();
    CHECK(shared.await(20, away));
  });
  redis.thaw();
  recovers();

  const auto slow = phase("slow", [&] {
    for (int i = 0; i < 20; ++i) {
      redis.freeze();
      CHECK(memory.await(500));
      redis.thaw();
      CHECK(shared.await(1));
    }
  });
  for (const auto &[status, count] : slow)
    CHECK((status == Status::ok || std::count(away.begin(), away.end(), status)));
  recovers();
}
