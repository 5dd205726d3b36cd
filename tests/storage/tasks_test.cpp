// SPDX-License-Identifier: Apache-2.0
// Background tasks of several stores on the host's threads.
#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <latch>
#include <string>
#include <thread>

#include <unistd.h>

#include "fixture.hpp"
#include "puppet.hpp"

using omnistore::Storage;
using test::Puppet;

namespace {

/// Tasks that stay until they are let go. Counts how many run.
struct Tasks {
  std::mutex mutex;
  std::condition_variable changed;
  bool open = false;
  int running = 0, most = 0, done = 0;

  static void task(void *self, omnistore_call *) {
    Tasks &gate = *static_cast<Tasks *>(self);
    std::unique_lock lock(gate.mutex);
    gate.most = std::max(gate.most, ++gate.running);
    gate.changed.notify_all();
    gate.changed.wait(lock, [&] { return gate.open; });
    --gate.running;
    ++gate.done;
    gate.changed.notify_all();
  }
  /// Waits until so many run. If they never do, the test continues: a store that closes waits for its tasks.
  void await(int wanted) {
    std::unique_lock lock(mutex);
    CHECK(changed.wait_for(lock, std::chrono::seconds(20), [&] { return running >= wanted; }));
  }
  /// Lets all go, and waits until so many have ended.
  void finish(int wanted) {
    std::unique_lock lock(mutex);
    open = true;
    changed.notify_all();
    CHECK(changed.wait_for(lock, std::chrono::seconds(20), [&] { return done >= wanted; }));
  }
};

void submit(const Puppet &puppet, Tasks &gate, int count, std::uint32_t flags, std::uint64_t delay = 0) {
  for (int i = 0; i < count; ++i)
    REQUIRE(puppet.host->submit(puppet.host, Tasks::task, &gate, delay, flags) == OMNISTORE_OK);
}

/// Waits until every other thread of this process has nothing to do.
void let_others_rest() {
  const auto rests = [](const std::filesystem::path &thread) {
    std::ifstream file(thread / "stat");
    std::string stat;
    std::getline(file, stat);
    const std::size_t name_end = stat.rfind(')');
    return thread.filename() == std::to_string(::getpid()) || name_end == std::string::npos ||
           stat[name_end + 2] == 'S';
  };
  const std::filesystem::directory_iterator end;
  while (!std::all_of(std::filesystem::directory_iterator("/proc/self/task"), end, rests)) std::this_thread::yield();
}

} // namespace

TEST_CASE("tasks of one store run one at a time") {
  Puppet puppet;
  Tasks gate;
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  submit(puppet, gate, 8, 0);
  gate.finish(8);
  CHECK(gate.most == 1);
}

TEST_CASE("a parallel task runs beside every other task of its store") {
  Puppet puppet;
  Tasks serial, parallel;
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  submit(puppet, serial, 1, 0);
  serial.await(1);
  submit(puppet, parallel, 2, OMNISTORE_TASK_PARALLEL);
  parallel.await(2);
  parallel.finish(2);
  serial.finish(1);
}

TEST_CASE("no store's tasks keep those of another store from running") {
  Puppet greedy[6], other;
  Tasks held, ran;
  std::string mounts = R"({ "other": )" + other.mount();
  for (int i = 0; i < 6; ++i) mounts += ", \"g" + std::to_string(i) + "\": " + greedy[i].mount();
  Storage storage = test::open(mounts + " }");
  for (Puppet &puppet : greedy) submit(puppet, held, 100, OMNISTORE_TASK_PARALLEL);
  held.await(12);
  submit(other, ran, 1, 0);
  ran.await(1);
  ran.finish(1);
  held.finish(600);
}

TEST_CASE("a task whose time comes while every thread is busy runs on a thread of its own") {
  Puppet first, second;
  Tasks early, late;
  Storage storage = test::open(R"({ "a": )" + first.mount() + R"(, "b": )" + second.mount() + " }");
  early.open = true;
  submit(first, early, 1, 0); // now there is one thread, which has nothing to do
  early.finish(1);
  early.open = false;
  let_others_rest();
  submit(second, late, 1, 0, 500);
  let_others_rest();
  submit(first, early, 1, 0); // takes the thread
  early.await(1);
  late.await(1);
  late.finish(1);
  early.finish(2);
}

TEST_CASE("a store that closes waits for its running tasks and drops the others") {
  Puppet puppet;
  Tasks gate;
  std::atomic<bool> closed{false};
  puppet.close = [&] { closed = true; };
  auto storage = std::make_unique<Storage>(test::open(R"({ "": )" + puppet.mount() + " }"));
  submit(puppet, gate, 2, OMNISTORE_TASK_PARALLEL);
  gate.await(2);
  submit(puppet, gate, 100, OMNISTORE_TASK_PARALLEL, 3'600'000);
  std::thread closing([&] { storage.reset(); });
  CHECK_FALSE(closed);
  gate.finish(2);
  closing.join();
  CHECK(closed);
  CHECK(gate.done == 2);
}
