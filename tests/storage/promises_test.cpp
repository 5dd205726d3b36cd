// SPDX-License-Identifier: Apache-2.0
// The host's part of the contract in driver.h: when it calls a driver, on which threads, and its tasks.
#include <catch2/catch.hpp>

#include <atomic>
#include <latch>
#include <thread>

#include <omnistore/child.hpp>

#include "fixture.hpp"
#include "puppet.hpp"
#include "support/log_lines.hpp"

using omnistore::Status;
using omnistore::Storage;
using namespace std::chrono_literals;
using test::Puppet;

namespace {

/// Counts the functions of a store that run at once.
struct Together {
  std::atomic<int> now{0}, most{0};

  void pass() {
    const int running = ++now;
    for (int before = most; running > before && !most.compare_exchange_weak(before, running);) continue;
    std::this_thread::yield();
    --now;
  }
};

void in_threads(int count, const std::function<void()> &run) {
  std::vector<std::thread> threads;
  for (int i = 0; i < count; ++i) threads.emplace_back(run);
  for (std::thread &each : threads) each.join();
}

} // namespace

// ------------------------------------------------------------------------------------------------------------- threads

TEST_CASE("one function at a time runs for a serialized store") {
  Puppet puppet, layer;
  Together together;
  puppet.traits.thread_model = OMNISTORE_SERIALIZED;
  puppet.get = [&](auto &&...) { return together.pass(), OMNISTORE_NOT_FOUND; };
  puppet.set = [&](auto &&...) { return together.pass(), OMNISTORE_OK; };
  puppet.list = [&](auto &&...) { return together.pass(), OMNISTORE_OK; };
  const auto use = [&](Storage &storage) {
    in_threads(6, [&] {
      for (int i = 0; i < 200; ++i) {
        storage.get("k");
        storage.set("k", "v");
        storage.list("");
        storage.get_many(std::vector<std::string>{"a", "b"});
      }
    });
  };
  {
    Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
    use(storage);
    CHECK(together.most == 1);
  }
  Storage storage = test::open(test::layer_over(layer, puppet.mount())); // below a layer that is parallel
  const omnistore::Child child(layer.children[0]);
  layer.get = [&](omnistore_call *call, std::string_view, const omnistore_get_request &request, omnistore_sink *sink) {
    return child.raw()->driver->get(child.raw()->self, call, test::bytes("k"), &request, sink);
  };
  in_threads(6, [&] {
    for (int i = 0; i < 200; ++i) storage.get("k");
  });
  CHECK(together.most == 1);
}

TEST_CASE("tasks, events and the ends of watches come beside a function of a serialized store") {
  Puppet puppet;
  puppet.traits.thread_model = OMNISTORE_SERIALIZED;
  omnistore_watcher *const &watcher = puppet.accept_watches();
  std::latch inside(1), leave(1), task(1);
  puppet.get = [&](auto &&...) {
    inside.count_down();
    leave.wait();
    return OMNISTORE_NOT_FOUND;
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  test::Events events;
  auto watch = storage.watch("", events.callback());
  std::thread reader([&] { storage.get("k"); });
  inside.wait();
  const auto run = [](void *done, omnistore_call *) { static_cast<std::latch *>(done)->count_down(); };
  REQUIRE(puppet.host->submit(puppet.host, run, &task, 0, 0) == OMNISTORE_OK);
  task.wait();
  const omnistore_event event{sizeof event, OMNISTORE_EVENT_UPDATE, 0, 0, test::bytes("a"), 0};
  watcher->event(watcher, &event);
  CHECK(events.wait_for(1).size() == 1);
  watch = {};
  leave.count_down();
  reader.join();
}

TEST_CASE("a Reader and a Source of a program are called under the lock of a serialized store") {
  Puppet puppet;
  puppet.traits.thread_model = OMNISTORE_SERIALIZED;
  std::atomic<int> other{0};
  puppet.get = [&](omnistore_call *, std::string_view key, const omnistore_get_request &, omnistore_sink *sink) {
    if (key == "other") ++other;
    return test::give(sink, "value");
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  test::SlowReader slow;
  std::thread holder([&] { storage.read("k", slow); });
  slow.await_begin();
  omnistore::GetOptions soon;
  soon.timeout = 50ms;
  CHECK(test::status_of([&] { storage.get("other", soon); }) == Status::unavailable);
  CHECK(other == 0);
  slow.let_go();
  holder.join();
  CHECK(storage.get("other") == "value");

  struct Slow : omnistore::Source {
    Storage &storage;
    Status seen = Status::ok;
    explicit Slow(Storage &all) : storage(all) {}
    std::size_t read(char *, std::size_t) override {
      std::thread([&] {
        omnistore::GetOptions soon;
        soon.timeout = 50ms;
        seen = test::status_of([&] { storage.get("other", soon); });
      }).join();
      return 0;
    }
  } source(storage);
  puppet.set = [&](omnistore_call *, std::string_view, const omnistore_set_request &request, omnistore_sink *) {
    char piece[10];
    std::uint64_t read = 0;
    return request.source->read(request.source, piece, sizeof piece, &read);
  };
  storage.set("k", source);
  CHECK(source.seen == Status::unavailable);
}

// ------------------------------------------------------------------------------------------------------------ lifetime

TEST_CASE("the host's services work from the start of open to the end of close") {
  Puppet puppet;
  const test::LogLines log(test::LogLines::debug);
  std::vector<omnistore_status> submitted;
  const auto use = [&](const char *when) {
    puppet.host->log(puppet.host, OMNISTORE_LOG_INFO, test::bytes(when));
    CHECK(puppet.host->now(puppet.host) > 0);
    const omnistore_event event{sizeof event, OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_EXPIRED, 0, test::bytes("k"), 0};
    puppet.host->event(puppet.host, &event);
    const auto task = [](void *, omnistore_call *) {};
    submitted.push_back(puppet.host->submit(puppet.host, task, nullptr, 3'600'000, 0));
    CHECK(puppet.host->extension(puppet.host, "omnistore.nothing/1") == nullptr);
  };
  omnistore_status opens = OMNISTORE_OK;
  puppet.open = [&](omnistore_call *) {
    use("opens");
    return opens;
  };
  puppet.close = [&] { use("closes"); };
  test::open(R"({ "": )" + puppet.mount() + " }");
  CHECK(submitted == std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_UNAVAILABLE});
  CHECK(log.has_match("opens"));
  CHECK(log.has_match("closes"));
  opens = OMNISTORE_IO;
  CHECK(test::status_of([&] { test::open(R"({ "": )" + puppet.mount() + " }"); }) == Status::io);
  CHECK(submitted.size() == 3);
}

TEST_CASE("a store is used only between its open and its close, which comes once and after every call") {
  Puppet puppet;
  std::atomic<int> opens{0}, closes{0};
  std::atomic<bool> open{false}, early{false};
  std::latch inside(1), leave(1);
  puppet.open = [&](omnistore_call *) {
    ++opens;
    open = true;
    return OMNISTORE_OK;
  };
  puppet.get = [&](omnistore_call *, std::string_view key, const omnistore_get_request &, omnistore_sink *) {
    if (!open) early = true;
    if (key == "slow") {
      inside.count_down();
      leave.wait();
      if (closes) early = true;
    }
    return OMNISTORE_NOT_FOUND;
  };
  puppet.close = [&] {
    open = false;
    ++closes;
  };
  auto storage = std::make_unique<Storage>(test::open(R"({ "p": )" + puppet.mount() + " }"));
  std::thread reader([&] { storage->get("p:slow"); });
  inside.wait();
  storage->unmount("p");
  CHECK(test::status_of([&] { storage->get("p:k"); }) != Status::ok);
  CHECK(closes == 0);
  leave.count_down();
  reader.join();
  storage.reset();
  CHECK(opens == 1);
  CHECK(closes == 1);
  CHECK_FALSE(early);
}

TEST_CASE("an open that fails gives its status, with its message, and is not closed") {
  Puppet puppet;
  bool closed = false;
  puppet.close = [&] { closed = true; };
  for (const auto &[status, as] : {std::pair{OMNISTORE_INVALID, Status::invalid},
                                   {OMNISTORE_UNAVAILABLE, Status::unavailable},
                                   {OMNISTORE_DENIED, Status::denied},
                                   {OMNISTORE_TIMEOUT, Status::timeout}}) {
    puppet.open = [&, status = status](omnistore_call *call) {
      CHECK(call->remaining(call) > 0);
      CHECK(call->remaining(call) < INT64_MAX);
      const omnistore_failure failure{sizeof failure, 0, test::bytes("as told"), 0, 0, 0};
      call->fail(call, &failure);
      return status;
    };
    std::string message;
    CHECK(test::status_of([&] { test::open(R"({ "": )" + puppet.mount() + " }"); }, &message) == as);
    CHECK_THAT(message, Catch::Contains("as told"));
  }
  CHECK_FALSE(closed);
}

TEST_CASE("a layer's children come in the config's order and are used from its open to its close") {
  Puppet layer, first, second;
  first.traits.capabilities |= OMNISTORE_CAN_META; // or the host removes that too
  second.traits.capabilities |= OMNISTORE_CAN_META;
  std::vector<std::string> seen;
  first.remove = [&](auto &&...) { return seen.push_back("first"), OMNISTORE_OK; };
  second.remove = [&](auto &&...) { return seen.push_back("second"), OMNISTORE_OK; };
  first.close = second.close = [&] { seen.push_back("closed"); };
  const omnistore_remove_request request{sizeof request, 0, OMNISTORE_ALWAYS, 0, {}};
  const auto use = [&](omnistore_call *call) {
    for (const omnistore_store *child : layer.children)
      child->driver->remove(child->self, call, test::bytes("k"), &request);
  };
  layer.open = [&](omnistore_call *call) { return use(call), OMNISTORE_OK; };
  layer.close = [&] { seen.push_back("closing"); };
  test::open(test::layer_over(layer, first.mount() + ", " + second.mount()));
  CHECK(seen == std::vector<std::string>{"first", "second", "closing", "closed", "closed"});
}

// --------------------------------------------------------------------------------------------------------------- tasks

TEST_CASE("a task runs once, not before its delay, and is stopped when its store closes") {
  Puppet puppet;
  struct Run {
    std::atomic<int> runs{0};
    std::atomic<bool> stopped{false};
    std::chrono::steady_clock::time_point first{};
    std::int64_t left = 0;
    std::latch begun{1};
  } run, waits;
  {
    Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
    const auto begun = std::chrono::steady_clock::now();
    const auto short_one = [](void *argument, omnistore_call *call) {
      Run &self = *static_cast<Run *>(argument);
      self.first = std::chrono::steady_clock::now();
      self.left = call->remaining(call);
      if (++self.runs == 1) self.begun.count_down();
    };
    // With a flag that no host knows yet.
    REQUIRE(puppet.host->submit(puppet.host, short_one, &run, 30, 0x4000'0000) == OMNISTORE_OK);
    run.begun.wait();
    CHECK(run.first - begun >= 30ms);
    CHECK(run.left == INT64_MAX);
    const auto long_one = [](void *argument, omnistore_call *call) {
      Run &self = *static_cast<Run *>(argument);
      self.begun.count_down();
      while (call->remaining(call) > 0) std::this_thread::yield();
      self.stopped = true;
    };
    REQUIRE(puppet.host->submit(puppet.host, long_one, &waits, 0, 0) == OMNISTORE_OK);
    waits.begun.wait();
  }
  CHECK(waits.stopped);
  CHECK(run.runs == 1);
}

TEST_CASE("a task is refused when as many wait as the host keeps") {
  Puppet puppet;
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  const auto task = [](void *, omnistore_call *) {};
  int taken = 0;
  omnistore_status status = OMNISTORE_OK;
  while (taken < 1'000'000 && (status = puppet.host->submit(puppet.host, task, nullptr, 3'600'000, 0)) == OMNISTORE_OK)
    ++taken;
  CHECK(status == OMNISTORE_UNAVAILABLE);
  CHECK(taken == 100'000);
}

TEST_CASE("the failures that a task reports are in the log at debug, with mount and driver") {
  Puppet puppet;
  const test::LogLines log(test::LogLines::debug);
  Storage storage = test::open(R"({ "p": )" + puppet.mount() + " }");
  std::latch done(1);
  const auto task = [](void *argument, omnistore_call *call) {
    const omnistore_failure failure{sizeof failure, 0, test::bytes("no refresh"), 0, 0, 0};
    call->fail(call, &failure);
    static_cast<std::latch *>(argument)->count_down();
  };
  REQUIRE(puppet.host->submit(puppet.host, task, &done, 0, 0) == OMNISTORE_OK);
  done.wait();
  CHECK(log.has_match(R"(p \(puppet\): a background task: no refresh)"));
}
