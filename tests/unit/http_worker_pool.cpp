// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "http/worker_pool.hpp"

using omnistore::http::WorkerPool;

namespace {

/// Opens once; threads that wait at it then continue.
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

TEST_CASE("a lane that hangs delays no other") {
  Latch gate, done;
  WorkerPool pool({.lane_threads = 2, .lane_waiting = 100});
  for (int i = 0; i < 50; ++i) pool.submit({"hangs"}, [&] { gate.wait(); });
  CHECK(pool.submit({"other"}, [&] { done.open(); }));
  done.wait();
  gate.open();
}

TEST_CASE("more than a lane may have waiting is refused") {
  Latch gate, begun;
  WorkerPool pool({.lane_threads = 1, .lane_waiting = 3});
  CHECK(pool.submit({"a"}, [&] {
    begun.open();
    gate.wait();
  }));
  begun.wait();
  for (int i = 0; i < 3; ++i) CHECK(pool.submit({"a"}, [] {}));
  CHECK_FALSE(pool.submit({"a"}, [] {}));
  CHECK(pool.submit({"b"}, [] {}));
  gate.open();
}

TEST_CASE("no more jobs of a lane run at once than it may have threads, and all of them run") {
  std::atomic<int> running{0}, most{0}, ran{0};
  std::optional<WorkerPool> pool(std::in_place, WorkerPool::Limits{.lane_threads = 3, .lane_waiting = 10'000});
  for (int i = 0; i < 2000; ++i) {
    pool->submit({i % 2 ? "a" : "b"}, [&, counted = i % 2 == 1] {
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

TEST_CASE("a pool that ends runs its waiting jobs") {
  std::atomic<int> ran{0};
  {
    WorkerPool pool({.lane_threads = 1, .lane_waiting = 100});
    for (int i = 0; i < 100; ++i) pool.submit({"a"}, [&] { ++ran; });
  }
  CHECK(ran == 100);
}

TEST_CASE("A job that moves to another lane leaves its own a thread") {
  Latch gate, moved, next;
  WorkerPool pool({.lane_threads = 1, .lane_waiting = 10});
  pool.submit({"short"}, [&] {
    CHECK(pool.move({"long"}));
    moved.open();
    gate.wait();
  });
  moved.wait();
  pool.submit({"short"}, [&] { next.open(); });
  next.wait();
  gate.open();
}

TEST_CASE("A job that waited while another of its lane moved runs at once") {
  Latch go, gate, next;
  WorkerPool pool({.lane_threads = 1, .lane_waiting = 10});
  pool.submit({"short"}, [&] {
    go.wait();
    CHECK(pool.move({"long"}));
    gate.wait();
  });
  pool.submit({"short"}, [&] { next.open(); });
  go.open();
  next.wait();
  gate.open();
}

TEST_CASE("A job cannot move to a lane that has all of its threads, and its jobs wait for one that moved in") {
  Latch gate, moved, done, last;
  std::atomic<bool> second{true}, waited{false};
  WorkerPool pool({.lane_threads = 1, .lane_waiting = 10});
  pool.submit({"a"}, [&] {
    CHECK(pool.move({"long"}));
    moved.open();
    gate.wait();
    waited = true;
  });
  moved.wait();
  pool.submit({"b"}, [&] {
    second = pool.move({"long"});
    done.open();
  });
  done.wait();
  CHECK_FALSE(second);
  pool.submit({"long"}, [&] {
    CHECK(waited);
    last.open();
  });
  gate.open();
  last.wait();
}

TEST_CASE("A thread whose job was given up is replaced, and counted until it comes back") {
  Latch gate, begun, next, back;
  WorkerPool pool({.lane_threads = 1});
  const WorkerPool::Ticket hangs = pool.submit({"a"}, [&] {
    begun.open();
    gate.wait();
  });
  begun.wait();
  const WorkerPool::Ticket waits = pool.submit({"a"}, [&] { next.open(); });
  CHECK(pool.give_up(hangs) == WorkerPool::State::running);
  next.wait();
  CHECK(pool.stats().stuck == 1);
  REQUIRE(pool.stats().lanes.size() == 1);
  CHECK(pool.stats().lanes[0].lane.name == "a");
  CHECK(pool.stats().lanes[0].stuck == 1);
  gate.open();
  while (pool.give_up(hangs) != WorkerPool::State::done) std::this_thread::yield();
  CHECK(pool.stats().stuck == 0);
}

TEST_CASE("A job that was given up before its turn does not run") {
  Latch gate, begun, last;
  std::atomic<bool> ran{false};
  WorkerPool pool({.lane_threads = 1});
  pool.submit({"a"}, [&] {
    begun.open();
    gate.wait();
  });
  begun.wait();
  const WorkerPool::Ticket waits = pool.submit({"a"}, [&] { ran = true; });
  pool.submit({"a"}, [&] { last.open(); });
  CHECK(pool.give_up(waits) == WorkerPool::State::waiting);
  CHECK(pool.give_up(waits) == WorkerPool::State::done);
  gate.open();
  last.wait();
  CHECK_FALSE(ran);
}

TEST_CASE("A job that is to be first runs before those that wait, even if no more may wait") {
  Latch gate, begun, done;
  WorkerPool pool({.lane_threads = 1, .lane_waiting = 1});
  std::vector<int> order; // the lane has one thread
  pool.submit({"a"}, [&] {
    begun.open();
    gate.wait();
  });
  begun.wait();
  CHECK(pool.submit({"a"}, [&] {
    order.push_back(2);
    done.open();
  }));
  CHECK(pool.submit(
      {"a"}, [&] { order.push_back(1); }, true));
  gate.open();
  done.wait();
  CHECK(order == std::vector<int>{1, 2});
}

TEST_CASE("A job is withdrawn only as long as it waits") {
  Latch gate, begun;
  bool ran = false;
  {
    WorkerPool pool({.lane_threads = 1});
    const auto running = pool.submit({"a"}, [&] {
      begun.open();
      gate.wait();
    });
    begun.wait();
    const auto waiting = pool.submit({"a"}, [&] { ran = true; });
    CHECK_FALSE(pool.withdraw(running));
    CHECK(pool.withdraw(waiting));
    CHECK_FALSE(pool.withdraw(waiting));
    CHECK(pool.stats().stuck == 0);
    gate.open();
  }
  CHECK_FALSE(ran);
}

TEST_CASE("A lane whose threads all hang refuses further jobs at once, until one has come back") {
  std::vector<Latch> gates(3);
  std::vector<WorkerPool::Ticket> hung;
  WorkerPool pool({.lane_threads = 1, .lane_stuck = 2});
  for (Latch &gate : gates) {
    Latch begun;
    hung.push_back(pool.submit({"a"}, [&] {
      begun.open();
      gate.wait();
    }));
    REQUIRE(hung.back());
    begun.wait();
    pool.give_up(hung.back());
  }
  CHECK_FALSE(pool.submit({"a"}, [] {}));
  CHECK(pool.submit({"b"}, [] {}));
  gates[1].open();
  while (pool.give_up(hung[1]) != WorkerPool::State::done) std::this_thread::yield();
  Latch ran;
  CHECK(pool.submit({"a"}, [&] { ran.open(); }));
  ran.wait();
  for (Latch &gate : gates) gate.open();
}

TEST_CASE("Threads with nothing to do end, but for those that are kept") {
  Latch gate;
  std::atomic<int> begun{0};
  WorkerPool pool({.lane_threads = 8, .kept = 2, .idle = std::chrono::milliseconds(1)});
  for (int i = 0; i < 8; ++i)
    pool.submit({"a"}, [&] {
      ++begun;
      gate.wait();
    });
  while (begun < 8) std::this_thread::yield();
  CHECK(pool.stats().threads == 8);
  gate.open();
  while (pool.stats().threads > 2) std::this_thread::yield();
  Latch ran;
  CHECK(pool.submit({"a"}, [&] { ran.open(); }));
  ran.wait();
}
