// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>

#include <catch2/catch.hpp>

#include "server/pool.hpp"

using omnistore::server::Pool;

namespace {

/// Opens once; what waits at it goes on then.
class Latch {
public:
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return open_; });
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool open_ = false;
};

} // namespace

TEST_CASE("a lane that hangs holds up no other") {
  Latch gate, done;
  Pool pool({.threads = 8, .lane_threads = 2, .lane_waiting = 100});
  for (int i = 0; i < 50; ++i) pool.submit("hangs", [&] { gate.wait(); });
  CHECK(pool.submit("other", [&] { done.open(); }));
  done.wait();
  gate.open();
}

TEST_CASE("more than a lane may have waiting is refused") {
  Latch gate, begun;
  Pool pool({.threads = 4, .lane_threads = 1, .lane_waiting = 3});
  CHECK(pool.submit("a", [&] {
    begun.open();
    gate.wait();
  }));
  begun.wait();
  for (int i = 0; i < 3; ++i) CHECK(pool.submit("a", [] {}));
  CHECK_FALSE(pool.submit("a", [] {}));
  CHECK(pool.submit("b", [] {}));
  gate.open();
}

TEST_CASE("no more jobs of a lane run at once than it may have threads, and all of them run") {
  std::atomic<int> running{0}, most{0}, ran{0};
  std::optional<Pool> pool(std::in_place, Pool::Limits{.threads = 8, .lane_threads = 3, .lane_waiting = 10'000});
  for (int i = 0; i < 2000; ++i) {
    pool->submit(i % 2 ? "a" : "b", [&, counted = i % 2 == 1] {
      if (counted) {
        const int now = ++running;
        for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
        }
      }
      ++ran;
      if (counted) --running;
    });
  }
  pool.reset();
  CHECK(ran == 2000);
  CHECK(most <= 3);
}

TEST_CASE("a pool that ends runs what waits still") {
  std::atomic<int> ran{0};
  {
    Pool pool({.threads = 1, .lane_threads = 1, .lane_waiting = 100});
    for (int i = 0; i < 100; ++i) pool.submit("a", [&] { ++ran; });
  }
  CHECK(ran == 100);
}

TEST_CASE("A job that moves to another lane leaves its own a thread") {
  Latch gate, moved, next;
  Pool pool({.threads = 4, .lane_threads = 1, .lane_waiting = 10});
  pool.submit("short", [&] {
    CHECK(pool.move("long"));
    moved.open();
    gate.wait();
  });
  moved.wait();
  pool.submit("short", [&] { next.open(); });
  next.wait();
  gate.open();
}

TEST_CASE("A job that waited while another of its lane moved runs at once") {
  Latch go, gate, next;
  Pool pool({.threads = 4, .lane_threads = 1, .lane_waiting = 10});
  pool.submit("short", [&] {
    go.wait();
    CHECK(pool.move("long"));
    gate.wait();
  });
  pool.submit("short", [&] { next.open(); });
  go.open();
  next.wait();
  gate.open();
}

TEST_CASE("A job cannot move to a lane that has all of its threads, and jobs of that lane wait for one that moved in") {
  Latch gate, moved, done, last;
  std::atomic<bool> second{true}, waited{false};
  Pool pool({.threads = 4, .lane_threads = 1, .lane_waiting = 10});
  pool.submit("a", [&] {
    CHECK(pool.move("long"));
    moved.open();
    gate.wait();
    waited = true;
  });
  moved.wait();
  pool.submit("b", [&] {
    second = pool.move("long");
    done.open();
  });
  done.wait();
  CHECK_FALSE(second);
  pool.submit("long", [&] {
    CHECK(waited);
    last.open();
  });
  gate.open();
  last.wait();
}
