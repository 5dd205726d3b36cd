// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <atomic>
#include <thread>

#include "base/clock.hpp"
#include "fixture.hpp"
#include "support/threads.hpp"

using omnistore::Event;
using omnistore::SetItem;
using omnistore::Storage;
using omnistore::Watch;
using test::Events;
using namespace std::chrono_literals;

namespace {

const std::string watched_mounts =
    R"({ "": { "driver": "memory" }, "b": { "driver": "bare" }, "tiny": { "driver": "memory", "options": { "size": 1 } } })";

std::string text(const Event &event) {
  static const char *const types[] = {"update", "remove", "resync"};
  static const char *const causes[] = {"", " removed", " expired", " evicted", " cleared"};
  return types[static_cast<int>(event.type)] + std::string(" ") + event.key + causes[static_cast<int>(event.cause)];
}
std::vector<std::string> texts(const std::vector<Event> &events) {
  std::vector<std::string> texts;
  for (const Event &event : events) texts.push_back(text(event));
  return texts;
}
using Texts = std::vector<std::string>;

} // namespace

TEST_CASE("sets, removes, batches and clears are reported, with keys as the user knows them") {
  Storage storage = test::open(watched_mounts, R"("prefix": "app/v1",)");
  Events events;
  const Watch watch = storage.watch("", events.callback());
  storage.set("x/y", "1");
  storage.remove("x:y");
  storage.set_many(std::vector<SetItem>{{"b:1", "", {}}, {"c:1", "", {}}});
  storage.clear("b");
  storage.remove_many(std::vector<std::string>{"c:1", "none"});
  CHECK(texts(events.wait_for(6)) == Texts{"update x:y", "remove x:y removed", "update b:1", "update c:1",
                                           "remove b:1 cleared", "remove c:1 removed"});
}

TEST_CASE("an operation that changed nothing is not reported") {
  Storage storage = test::open(watched_mounts);
  Events events;
  const Watch watch = storage.watch("", events.callback());
  omnistore::SetOptions absent;
  absent.condition.kind = omnistore::Condition::Kind::if_present;
  storage.set("x", "1", absent);
  storage.remove("x");
  storage.clear("x");
  storage.set("last", "");
  CHECK(texts(events.wait_for(1)) == Texts{"update last"});
}

TEST_CASE("a watch of a base gets that base and key alone") {
  Storage storage = test::open(watched_mounts);
  Events events;
  const Watch watch = storage.watch("user/1", events.callback());
  for (const char *key : {"user:2", "user:1:name", "user:10", "user:1", "user"}) storage.set(key, "");
  storage.set("user:1:last", "");
  CHECK(texts(events.wait_for(3)) == Texts{"update user:1:name", "update user:1", "update user:1:last"});
}

TEST_CASE("expiry and eviction are reported with their cause") {
  Storage storage = test::open(watched_mounts);
  Events events;
  const Watch watch = storage.watch("", events.callback());
  omnistore::SetOptions brief;
  brief.ttl = 1min;
  storage.set("b:k", "", brief);
  omnistore::advance_clock(120'000);
  CHECK_FALSE(storage.has("b:k"));
  storage.set("tiny:1", "");
  storage.set("tiny:2", "");
  const auto seen = texts(events.wait_for(5));
  CHECK(std::count(seen.begin(), seen.end(), "remove b:k expired") == 1);
  CHECK(std::count(seen.begin(), seen.end(), "remove tiny:1 evicted") == 1);
}

TEST_CASE("sequence numbers rise by one") {
  Storage storage = test::open(watched_mounts);
  Events events;
  const Watch watch = storage.watch("", events.callback());
  for (int i = 0; i < 10; ++i) storage.set("k", "");
  const auto seen = events.wait_for(10);
  for (std::size_t i = 1; i < seen.size(); ++i) CHECK(seen[i].sequence == seen[i - 1].sequence + 1);
}

TEST_CASE("a slow watcher is bounded, learns what it missed, and delays neither writers nor others") {
  Storage storage = test::open(watched_mounts);
  std::atomic<bool> go{false};
  Events slow, quick;
  const Watch watch = storage.watch("",
                                    [&, collect = slow.callback()](const Event &event) {
                                      go.wait(false);
                                      collect(event);
                                    },
                                    {.queue = 4});
  const Watch other = storage.watch("", quick.callback());
  for (int i = 0; i < 100; ++i) storage.set("k" + std::to_string(i), "");
  CHECK(quick.wait_for(100).size() == 100);
  go = true;
  go.notify_all();
  // Four waited, and up to one was taken out already; the rest was missed, and the next event comes after the resync.
  std::vector<Event> seen = slow.wait_for(5);
  storage.set("after", "");
  while (seen.empty() || seen.back().key != "after") {
    const auto more = slow.wait_for(seen.size() + 1);
    REQUIRE(more.size() > seen.size());
    seen = more;
  }
  std::uint64_t told = 0, missed = 0;
  for (const Event &event : seen) {
    if (event.type == Event::Type::resync)
      missed += event.missed;
    else
      ++told;
  }
  CHECK(missed > 0);
  CHECK(told + missed == 101);
}

TEST_CASE("no callback comes after a watch has ended") {
  Storage storage = test::open(watched_mounts);
  std::atomic<bool> ended{false}, late{false}, stop{false};
  std::thread writing([&] {
    while (!stop) storage.set("k", "");
  });
  for (int i = 0; i < 50; ++i) {
    ended = false;
    {
      const Watch watch = storage.watch("", [&](const Event &) {
        if (ended) late = true;
      });
    }
    ended = true;
  }
  stop = true;
  writing.join();
  CHECK_FALSE(late);
}

TEST_CASE("a watch may be ended from inside its callback, and outlive its storage") {
  std::atomic<bool> called{false};
  Watch watch;
  {
    Storage storage = test::open(watched_mounts);
    std::atomic<bool> ready{false};
    watch = storage.watch("", [&](const Event &) {
      ready.wait(false);
      watch = Watch();
      called = true;
      called.notify_all();
    });
    ready = true;
    ready.notify_all();
    storage.set("k", "");
    called.wait(false);
    watch = storage.watch("", [](const Event &) {});
  }
  CHECK(called);
}

namespace {

/// Watches that can be resumed.
omnistore::WatchOptions resumable(std::optional<std::uint64_t> after = {}) {
  omnistore::WatchOptions options;
  options.linger = 1min;
  options.after = after;
  return options;
}

} // namespace

TEST_CASE("a watch resumes after the event it names, with the events in between") {
  Storage storage = test::open(watched_mounts);
  Events before, behind;
  Watch watch = storage.watch("x", before.callback(), resumable());
  storage.set("x:1", "");
  const std::uint64_t last = before.wait_for(1).back().sequence;
  watch = Watch();
  storage.set("x:2", "");
  storage.set("y", "");
  watch = storage.watch("x", behind.callback(), resumable(last));
  storage.set("x:3", "");
  CHECK(texts(behind.wait_for(2)) == Texts{"update x:2", "update x:3"});
}

TEST_CASE("a watch that cannot resume at its place gets a resync") {
  Storage storage = test::open(watched_mounts);
  Events first, events;
  const Watch plain = storage.watch("", first.callback());
  storage.set("x", "");
  const std::uint64_t last = first.wait_for(1).back().sequence;
  storage.set("y", ""); // nobody remembers it
  const Watch watch = storage.watch("", events.callback(), resumable(last));
  storage.set("z", "");
  CHECK(texts(events.wait_for(2)) == Texts{"resync ", "update z"});
}

TEST_CASE("a mount that changes is a resync for its watches, and for no others") {
  Storage storage = test::open(watched_mounts);
  Events of_mount, of_other;
  const Watch watch = storage.watch("b:k", of_mount.callback()), other = storage.watch("tiny", of_other.callback());
  omnistore::MountConfig config;
  config.store.driver = "memory";
  storage.mount("b", config);
  storage.set("b:k", "");
  storage.set("tiny:k", "");
  CHECK(texts(of_mount.wait_for(2)) == Texts{"resync ", "update b:k"});
  CHECK(texts(of_other.wait_for(1)) == Texts{"update tiny:k"});
}

TEST_CASE("a watch that saw nothing resumes from its position") {
  Storage storage = test::open(watched_mounts);
  Events none, behind;
  Watch watch = storage.watch("x", none.callback(), resumable());
  const std::uint64_t position = watch.position();
  watch = Watch();
  storage.set("x:1", "");
  watch = storage.watch("x", behind.callback(), resumable(position));
  CHECK(watch.position() == position);
  CHECK(texts(behind.wait_for(1)) == Texts{"update x:1"});
}

TEST_CASE("watches that come and go leave no threads of their own") {
  Storage storage = test::open(watched_mounts);
  const int before = test::threads();
  for (int i = 0; i < 100; ++i)
    storage.watch(
        "x" + std::to_string(i), [](const Event &) {}, resumable());
  CHECK(test::threads_fall_to(before + 4)); // those that all watches share
}

TEST_CASE("remembered watches have a bound, and one that is forgotten gets a resync") {
  Storage storage = test::open(watched_mounts);
  Events none, behind;
  std::uint64_t position = 0;
  {
    const Watch first = storage.watch("first", none.callback(), resumable());
    position = first.position();
  }
  for (int i = 0; i < 2000; ++i)
    storage.watch(
        "x" + std::to_string(i), [](const Event &) {}, resumable());
  storage.set("first", "");
  const Watch again = storage.watch("first", behind.callback(), resumable(position));
  CHECK(texts(behind.wait_for(1)) == Texts{"resync "});
}
