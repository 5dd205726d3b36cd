// SPDX-License-Identifier: Apache-2.0
// Many watches: they share threads, and what one of them does costs no other an event.
#include <catch2/catch.hpp>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "fixture.hpp"
#include "puppet.hpp"
#include "support/threads.hpp"

using omnistore::Event;
using omnistore::Storage;
using omnistore::Watch;
using omnistore::WatchOptions;
using test::Events;
using namespace std::chrono_literals;

namespace {

const std::string memory = R"({ "": { "driver": "memory" } })";

/// Counts the events of one watch and looks at their order.
struct Count {
  std::atomic<int> events{0};
  std::atomic<bool> in_order{true};
  std::uint64_t last = 0; ///< only callbacks use it

  auto callback() {
    return [this](const Event &event) {
      if (event.type == Event::Type::resync || event.sequence <= last) in_order = false;
      last = event.sequence;
      ++events;
      events.notify_all();
    };
  }
  void await(int count) const {
    for (int now = events; now < count; now = events) events.wait(now);
  }
};

/// A gate for callbacks.
struct Gate {
  std::atomic<bool> open{false};
  std::atomic<int> waiting{0};

  void pass() {
    ++waiting;
    waiting.notify_all();
    open.wait(false);
  }
  void await(int count) const {
    for (int now = waiting; now < count; now = waiting) waiting.wait(now);
  }
  void let_go() {
    open = true;
    open.notify_all();
  }
};

} // namespace

TEST_CASE("500 watches of the same and of other bases lose none of 2,000 events, and share few threads", "[long]") {
  Storage storage = test::open(memory);
  const int before = test::threads();
  const WatchOptions options{.queue = 2'000, .after = {}, .linger = {}, .limited = {}};
  std::vector<Count> all(250), own(250);
  std::vector<Watch> watches;
  for (std::size_t i = 0; i < 250; ++i) {
    watches.push_back(storage.watch(i % 2 == 0 ? "" : "b", all[i].callback(), options));
    watches.push_back(storage.watch("b:" + std::to_string(i), own[i].callback(), options));
  }
  for (int i = 0; i < 2'000; ++i) storage.set("b:" + std::to_string(i % 250) + ":k", "");
  CHECK(test::threads() < before + 50);
  for (const Count &count : all) count.await(2'000);
  for (const Count &count : own) count.await(8);
  watches.clear();
  const auto whole = [](int events) {
    return [events](const Count &count) { return count.events == events && count.in_order; };
  };
  CHECK(std::all_of(all.begin(), all.end(), whole(2'000)));
  CHECK(std::all_of(own.begin(), own.end(), whole(8)));
}

TEST_CASE("a callback that blocks delays no other watch, however many block") {
  Storage storage = test::open(memory);
  const int blocked = GENERATE(1, 100);
  Gate gate;
  Events events;
  std::vector<Watch> watches;
  for (int i = 0; i < blocked; ++i)
    watches.push_back(storage.watch("", [&](const Event &) { gate.pass(); }, {.queue = 4}));
  const Watch healthy = storage.watch("", events.callback());
  storage.set("k", "");
  gate.await(blocked);
  for (int i = 0; i < 10; ++i) {
    storage.set("k", "");
    CHECK(events.wait_for(i + 2).size() == static_cast<std::size_t>(i) + 2);
  }
  gate.let_go();
}

TEST_CASE("threads that blocked callbacks needed go when the callbacks have returned") {
  Storage storage = test::open(memory);
  const int before = test::threads();
  Gate gate;
  std::vector<Watch> watches;
  for (int i = 0; i < 100; ++i) watches.push_back(storage.watch("", [&](const Event &) { gate.pass(); }, {.queue = 4}));
  storage.set("k", "");
  gate.await(100);
  CHECK(test::threads() >= before + 100);
  gate.let_go();
  CHECK(test::threads_fall_to(before + 10));
}

TEST_CASE("a watch that is too slow for its queue learns how many events it missed, once it reads again") {
  Storage storage = test::open(memory);
  Gate gate;
  Events slow, quick;
  const Watch watch = storage.watch("",
                                    [&, collect = slow.callback()](const Event &event) {
                                      if (event.key == "first") gate.pass();
                                      collect(event);
                                    },
                                    {.queue = 10});
  const Watch other = storage.watch("", quick.callback());
  storage.set("first", "");
  gate.await(1);
  for (int i = 0; i < 1'000; ++i) storage.set(std::to_string(i), "");
  REQUIRE(quick.wait_for(1'001).size() == 1'001);
  gate.let_go();
  const std::vector<Event> seen = slow.wait_for(12);
  REQUIRE(seen.size() == 12);
  CHECK(seen[1].type == Event::Type::resync);
  CHECK(seen[1].missed == 990);
  CHECK(seen[1].sequence + 1 == seen[2].sequence);
  CHECK(seen[2].key == "990");
  CHECK(seen.back().key == "999");
}

TEST_CASE("long keys that wait are bounded by their bytes") {
  Storage storage = test::open(memory);
  Gate gate;
  std::atomic<std::uint64_t> told{0}, missed{0};
  const Watch watch = storage.watch("",
                                    [&](const Event &event) {
                                      if (event.key == "first") return gate.pass();
                                      event.type == Event::Type::resync ? missed += event.missed : ++told;
                                      missed.notify_all();
                                    },
                                    {.queue = 100'000});
  storage.set("first", "");
  gate.await(1);
  const std::string long_key(4'000, 'k');
  for (int i = 0; i < 10'000; ++i) storage.remove(long_key), storage.set(long_key, "");
  gate.let_go();
  for (std::uint64_t now = 0; (now = missed) == 0;) missed.wait(now);
  CHECK(missed > 10'000);
}

TEST_CASE("a watch that another's callback or its own ends gets no more events") {
  Storage storage = test::open(memory);
  Events events;
  Watch first = storage.watch("", [](const Event &) {}), second;
  std::atomic<int> calls{0};
  Gate gate;
  second = storage.watch("", [&](const Event &) {
    gate.pass();
    first = Watch();
    second = Watch();
    ++calls;
    calls.notify_all();
  });
  gate.let_go();
  const Watch last = storage.watch("", events.callback());
  storage.set("a", "");
  calls.wait(0);
  storage.set("b", "");
  CHECK(events.wait_for(2).size() == 2);
  CHECK(calls == 1);
}

TEST_CASE("a storage may be closed while callbacks run, and waits for them") {
  std::atomic<bool> returned{false};
  Watch watch;
  Gate gate;
  std::thread opening;
  {
    Storage storage = test::open(memory);
    watch = storage.watch("", [&](const Event &) {
      gate.pass();
      returned = true;
    });
    storage.set("k", "");
    gate.await(1);
    opening = std::thread([&] { gate.let_go(); });
  }
  CHECK(returned);
  opening.join();
}

TEST_CASE("a store is watched once for all watches, over their common base, until the last ends") {
  test::Puppet puppet;
  int begun = 0;
  puppet.watch = [&](omnistore_watcher *) {
    ++begun;
    return OMNISTORE_OK;
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  std::vector<Watch> watches;
  watches.push_back(storage.watch("a:0", [](const Event &) {}));
  for (int i = 0; i < 1'000; ++i) watches.push_back(storage.watch("a:b:" + std::to_string(i), [](const Event &) {}));
  CHECK(begun == 1); // `a:`, in which the key a:0 lies
  watches.push_back(storage.watch("c", [](const Event &) {}));
  CHECK(begun == 2);
  watches.clear();
  watches.push_back(storage.watch("a:0", [](const Event &) {}));
  CHECK(begun == 3);
}

TEST_CASE("a store that hangs as it is watched delays neither watches of others nor a change of mounts") {
  test::Puppet puppet;
  Gate gate;
  puppet.watch = [&](omnistore_watcher *) {
    gate.pass();
    return OMNISTORE_OK;
  };
  Storage storage = test::open(R"({ "slow": )" + puppet.mount() + R"(, "m": { "driver": "memory" } })");
  std::thread hanging([&] { storage.watch("slow", [](const Event &) {}); });
  gate.await(1);
  Events events;
  {
    const Watch watch = storage.watch("m", events.callback());
    omnistore::MountConfig other;
    other.store.driver = "memory";
    storage.mount("other", other);
    storage.set("m:k", "");
    CHECK(events.wait_for(1).size() == 1);
  }
  gate.let_go();
  hanging.join();
}
