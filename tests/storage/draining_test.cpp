// SPDX-License-Identifier: Apache-2.0
// Changes of mounts while a driver hangs: none waits for it, and what drains is shown.
#include <catch2/catch.hpp>

#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

#include "fixture.hpp"
#include "puppet.hpp"

using omnistore::DrainingStore;
using omnistore::MountConfig;
using omnistore::Status;
using omnistore::Storage;
using test::Puppet;
using namespace std::chrono_literals;

namespace {

/// A place in a driver that holds calls until the test releases them.
class Trap {
public:
  void enter() {
    std::unique_lock lock(mutex_);
    ++inside_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return open_; });
  }
  void await(int count = 1) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return inside_ >= count; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int inside_ = 0;
  bool open_ = false;
};

/// Runs a call on a thread, which it lets go and joins at its end.
struct Hanging {
  Hanging(Trap &at, std::function<void()> call) : trap(at), thread(std::move(call)) { trap.await(); }
  ~Hanging() {
    trap.open();
    thread.join();
  }
  Trap &trap;
  std::thread thread;
};

MountConfig mount_of(const Puppet &puppet) {
  const auto config = omnistore::Config::parse(R"({ "mounts": { "p": )" + puppet.mount() + " } }");
  return config.mounts.at("p");
}
MountConfig memory() {
  MountConfig config;
  config.store.driver = "memory";
  return config;
}
omnistore::Config config_of(const std::string &stores, const std::string &rest = "") {
  return omnistore::Config::parse(R"({ "plugins": { "paths": [")" OMNISTORE_BUILD R"(/plugins", ")" OMNISTORE_BUILD
                                  R"(/tests/plugins"] }, )" +
                                      rest + R"( "mounts": )" + stores + "}",
                                  "test.jsonc", {}, [](const std::string &) { return std::nullopt; });
}

struct Verb {
  const char *name;
  std::function<void(Puppet &, Trap &)> hang;
  std::function<void(Storage &)> call;
};

const Verb verbs[] = {
    {"get", [](Puppet &puppet, Trap &trap) { puppet.get = [&](auto...) { return trap.enter(), OMNISTORE_NOT_FOUND; }; },
     [](Storage &storage) { storage.get("p:k"); }},
    {"meta",
     [](Puppet &puppet, Trap &trap) { puppet.stat = [&](auto...) { return trap.enter(), OMNISTORE_NOT_FOUND; }; },
     [](Storage &storage) { storage.meta("p:k"); }},
    {"set", [](Puppet &puppet, Trap &trap) { puppet.set = [&](auto &&...) { return trap.enter(), OMNISTORE_OK; }; },
     [](Storage &storage) { storage.set("p:k", "v"); }},
    {"remove",
     [](Puppet &puppet, Trap &trap) { puppet.remove = [&](auto &&...) { return trap.enter(), OMNISTORE_OK; }; },
     [](Storage &storage) { storage.remove("p:k"); }},
    {"list", [](Puppet &puppet, Trap &trap) { puppet.list = [&](auto &&...) { return trap.enter(), OMNISTORE_OK; }; },
     [](Storage &storage) { storage.list(""); }},
    {"clear", [](Puppet &puppet, Trap &trap) { puppet.clear = [&](auto &&...) { return trap.enter(), OMNISTORE_OK; }; },
     [](Storage &storage) { storage.clear(); }},
    {"batch",
     [](Puppet &puppet, Trap &trap) {
       puppet.traits.capabilities |= OMNISTORE_CAN_META;
       puppet.set_many = [&](omnistore_call *, std::uint32_t count, omnistore_status *statuses) {
         trap.enter();
         std::fill_n(statuses, count, OMNISTORE_OK);
         return OMNISTORE_OK;
       };
     },
     [](Storage &storage) {
       storage.set_many(std::vector<omnistore::SetItem>{{"x:k", "1", {}}, {"p:k", "1", {}}});
     }},
    {"watch", [](Puppet &puppet, Trap &trap) { puppet.watch = [&](auto &&...) { return trap.enter(), OMNISTORE_OK; }; },
     [](Storage &storage) { const auto watch = storage.watch("p", [](const omnistore::Event &) {}); }},
};

/// Returns true if a change ends while the driver hangs.
bool ends(const std::function<void()> &change) {
  return std::async(std::launch::async, change).wait_for(20s) == std::future_status::ready;
}

} // namespace

TEST_CASE("a hung call in one mount delays no change of another, no figures and no close of another store") {
  const Verb &verb = GENERATE(from_range(std::begin(verbs), std::end(verbs)));
  INFO(verb.name);
  Trap trap;
  Puppet hung, other;
  bool other_closed = false;
  other.close = [&] { other_closed = true; };
  verb.hang(hung, trap);
  Storage storage = test::open(R"({ "p": )" + hung.mount() + R"(, "x": )" + other.mount() + " }");
  const Hanging hanging(trap, [&] { verb.call(storage); });
  const std::string kept = R"({ "p": )" + hung.mount() + R"(, "new": { "driver": "memory" } })";
  const auto changes = std::async(std::launch::async, [&] {
    storage.mount("m", memory());
    CHECK(storage.get("m:k") == std::nullopt);
    CHECK(storage.unmount("x"));
    CHECK(storage.wait_closed("x", 20s));
    storage.diff(config_of(kept));
    storage.reload(config_of(kept));
    storage.mounts();
    storage.stats();
  });
  const bool done = changes.wait_for(20s) == std::future_status::ready;
  CHECK(done);
  trap.open();
  changes.wait();
  CHECK(other_closed);
}

TEST_CASE("a mount is taken out while a call hangs in its store, which drains and is closed after it") {
  const Verb &verb = GENERATE(from_range(std::begin(verbs), std::end(verbs) - 1));
  INFO(verb.name);
  Trap trap;
  Puppet hung;
  std::atomic<bool> closed{false};
  hung.close = [&] { closed = true; };
  verb.hang(hung, trap);
  Storage storage = test::open(R"({ "p": )" + hung.mount() + R"(, "x": { "driver": "memory" } })");
  {
    const Hanging hanging(trap, [&] { verb.call(storage); });
    CHECK(ends([&] { storage.unmount("p"); }));
    const auto draining = storage.draining();
    REQUIRE(draining.size() == 1);
    CHECK(draining[0].mountpoint == "p");
    CHECK(draining[0].driver == "puppet");
    CHECK(draining[0].state == DrainingStore::State::in_use);
    CHECK(draining[0].calls == 1);
    CHECK(draining[0].waits_for().starts_with("1 call ("));
    CHECK_FALSE(storage.wait_closed("p", 1ms));
    CHECK(test::status_of([&] { storage.get("p:k"); }) == Status::invalid);
    CHECK_FALSE(closed);
  }
  CHECK(storage.wait_closed("p", 20s));
  CHECK(closed);
  CHECK(storage.draining().empty());
}

TEST_CASE("a slow reader of a long value is shown as one that a store waits for") {
  Puppet puppet;
  puppet.get = [](omnistore_call *, std::string_view, const omnistore_get_request &, omnistore_sink *sink) {
    return test::give(sink, "value");
  };
  Storage storage = test::open(R"({ "p": )" + puppet.mount() + " }");
  test::SlowReader reader;
  std::thread slow([&] { storage.read("p:k", reader); });
  reader.await_begin();
  storage.unmount("p");
  const auto draining = storage.draining();
  reader.let_go();
  slow.join();
  REQUIRE(draining.size() == 1);
  CHECK(draining[0].readers == 1);
  CHECK(draining[0].calls == 1);
  CHECK(storage.wait_closed(20s));
}

TEST_CASE("a store whose close hangs delays no change, and is shown as closing") {
  Trap trap;
  Puppet hung;
  hung.close = [&] { trap.enter(); };
  Storage storage = test::open(R"({ "p": )" + hung.mount() + R"(, "x": { "driver": "memory" } })");
  CHECK(ends([&] { storage.unmount("p"); }));
  trap.await();
  CHECK(ends([&] {
    storage.mount("p", memory());
    storage.unmount("x");
    storage.reload(config_of(R"({ "y": { "driver": "memory" } })"));
  }));
  CHECK(storage.wait_closed("x", 20s));
  const auto draining = storage.draining();
  trap.open();
  REQUIRE(draining.size() == 1);
  CHECK(draining[0].state == DrainingStore::State::closing);
  CHECK(draining[0].waits_for() == "its close");
}

TEST_CASE("a watch that a store does not end delays no change, and is shown") {
  Trap trap;
  Puppet hung;
  hung.unwatch = [&] { trap.enter(); };
  Storage storage = test::open(R"({ "p": )" + hung.mount() + R"(, "x": { "driver": "memory" } })");
  test::Events events;
  const auto watch = storage.watch("", events.callback());
  CHECK(ends([&] { storage.unmount("p"); }));
  trap.await();
  CHECK(ends([&] {
    storage.mount("p", memory());
    storage.unmount("x");
  }));
  CHECK(storage.wait_closed("x", 20s));
  const auto draining = storage.draining();
  trap.open();
  REQUIRE(draining.size() == 1);
  CHECK(draining[0].watches == 1);
  CHECK(draining[0].calls == 0);
  CHECK(draining[0].waits_for() == "1 watch");
}

TEST_CASE("a store whose open hangs delays changes of its own mountpoint alone") {
  Trap trap;
  Puppet hung;
  hung.open = [&](omnistore_call *) { return trap.enter(), OMNISTORE_OK; };
  Storage storage = test::open(R"({ "x": { "driver": "memory" } })");
  const Hanging hanging(trap, [&] { storage.mount("p", mount_of(hung)); });
  CHECK(ends([&] {
    storage.mount("m", memory());
    storage.unmount("x");
    storage.diff(config_of(R"({ "y": { "driver": "memory" } })"));
    storage.reload(config_of(R"({ "y": { "driver": "memory" } })"));
    storage.stats();
  }));
  std::string message;
  const omnistore::ChangeOptions at_once{.patience = 1ms};
  CHECK(test::status_of([&] { storage.mount("p", memory(), at_once); }, &message) == Status::unavailable);
  CHECK_THAT(message, Catch::Contains("mount p: another change (mount p) has run for ") &&
                          Catch::Contains("opens a store (mount p, driver puppet)"));
  CHECK(test::status_of([&] { storage.unmount("p", at_once); }) == Status::unavailable);
}

TEST_CASE("a reload whose store hangs while it opens delays no change of mounts made at run time") {
  Trap trap;
  Puppet hung;
  hung.open = [&](omnistore_call *) { return trap.enter(), OMNISTORE_OK; };
  Storage storage = test::open(R"({ "x": { "driver": "memory" } })");
  storage.mount("m", memory());
  {
    const Hanging hanging(
        trap, [&] { storage.reload(config_of(R"({ "x": { "driver": "memory" }, "p": )" + hung.mount() + " }")); });
    CHECK(ends([&] {
      storage.mount("n", memory());
      storage.unmount("m");
    }));
    std::string message;
    CHECK(test::status_of([&] { storage.unmount("x", {.patience = 1ms}); }, &message) == Status::unavailable);
    CHECK_THAT(message, Catch::Contains("(reload)") && Catch::Contains("mount p, driver puppet"));
  }
  std::vector<std::string> points;
  for (const auto &mount : storage.mounts()) points.push_back(mount.mountpoint);
  CHECK(points == std::vector<std::string>{"n", "p", "x"});
}

TEST_CASE("a store that does not open in time fails its change, and is closed when it has opened") {
  Trap trap;
  Puppet hung;
  std::atomic<bool> closed{false};
  hung.open = [&](omnistore_call *) { return trap.enter(), OMNISTORE_OK; };
  hung.close = [&] { closed = true; };
  Storage storage = test::open(R"({ "x": { "driver": "memory" } })", R"("openTimeout": 50,)");
  std::string message;
  const bool by_reload = GENERATE(false, true);
  const auto status = test::status_of(
      [&] {
        if (by_reload)
          storage.reload(config_of(R"({ "p": )" + hung.mount() + " }"));
        else
          storage.mount("p", mount_of(hung));
      },
      &message);
  CHECK(status == Status::timeout);
  CHECK_THAT(message, Catch::StartsWith("open (mount p, driver puppet): the store is not open after "));
  CHECK(storage.mounts().size() == 1);
  const auto draining = storage.draining();
  REQUIRE(draining.size() == 1);
  CHECK(draining[0].state == DrainingStore::State::opening);
  CHECK_THAT(draining[0].waits_for(), Catch::StartsWith("its open, for "));
  trap.open();
  CHECK(storage.wait_closed("p", 20s));
  CHECK(closed);
}

TEST_CASE("a storage that cannot be opened does not wait for the store that hangs") {
  Trap trap;
  Puppet hung, other;
  std::atomic<bool> closed{false};
  std::promise<void> gone;
  hung.open = [&](omnistore_call *) { return trap.enter(), OMNISTORE_OK; };
  hung.close = [&] { gone.set_value(); };
  other.close = [&] { closed = true; };
  const auto open = [&] {
    test::open(R"({ "a": )" + other.mount() + R"(, "p": )" + hung.mount() + " }", R"("openTimeout": 50,)");
  };
  CHECK(test::status_of(open) == Status::timeout);
  CHECK(closed);
  trap.open();
  gone.get_future().wait();
}

TEST_CASE("stores that a failed reload opened are closed, and it does not wait for that") {
  Trap trap;
  Puppet opened, broken;
  opened.close = [&] { trap.enter(); };
  broken.open = [](omnistore_call *) { return OMNISTORE_UNAVAILABLE; };
  Storage storage = test::open(R"({ "x": { "driver": "memory" } })");
  const std::string stores = R"({ "a": )" + opened.mount() + R"(, "b": )" + broken.mount() + " }";
  CHECK(ends([&] { CHECK_THROWS_AS(storage.reload(config_of(stores)), omnistore::Error); }));
  trap.await();
  REQUIRE(storage.draining().size() == 1);
  CHECK(storage.draining()[0].mountpoint == "a");
  trap.open();
  CHECK(storage.wait_closed(20s));
}

TEST_CASE("an exclusive store is mounted again once the old one has closed, or the error says why not") {
  Trap trap;
  Puppet sole;
  std::atomic<int> is_open{0};
  const bool hangs = GENERATE(false, true);
  sole.open = [&](omnistore_call *) { return is_open++ == 0 ? OMNISTORE_OK : (--is_open, OMNISTORE_UNAVAILABLE); };
  sole.close = [&] { --is_open; };
  sole.get = [&](auto...) {
    if (hangs) trap.enter();
    return OMNISTORE_NOT_FOUND;
  };
  Storage storage = test::open(R"({ "x": { "driver": "memory" } })");
  for (int i = 0; i < 20; ++i) {
    storage.mount("p", mount_of(sole));
    if (hangs) break;
    storage.get("p:k");
    storage.unmount("p");
  }
  if (!hangs) return;
  const Hanging hanging(trap, [&] { storage.get("p:k"); });
  storage.unmount("p");
  std::string message;
  CHECK(test::status_of([&] { storage.mount("p", mount_of(sole)); }, &message) == Status::unavailable);
  CHECK_THAT(message, Catch::Contains("the store of puppet that was mounted at p is not closed yet") &&
                          Catch::Contains("it waits for 1 call (get for "));
}

TEST_CASE("a close with a limit closes the stores that it can, and names the others") {
  Trap trap;
  Puppet hung, other;
  std::atomic<bool> closed{false};
  hung.get = [&](auto...) { return trap.enter(), OMNISTORE_NOT_FOUND; };
  other.close = [&] { closed = true; };
  Storage storage = test::open(R"({ "p": )" + hung.mount() + R"(, "x": )" + other.mount() + " }");
  const Hanging hanging(trap, [&] { storage.get("p:k"); });
  const auto left = storage.close(200ms);
  CHECK(closed);
  REQUIRE(left.size() == 1);
  CHECK(left[0].mountpoint == "p");
  CHECK(left[0].calls == 1);
  CHECK(test::status_of([&] { storage.get("x:k"); }) == Status::unavailable);
  CHECK(test::status_of([&] { storage.mount("y", memory()); }) == Status::unavailable);
}

TEST_CASE("a close is bounded while the callback of a watch hangs") {
  Trap trap;
  Storage storage = test::open(R"({ "x": { "driver": "memory" } })");
  const auto watch = storage.watch("", [&](const omnistore::Event &) { trap.enter(); });
  storage.set("x:k", "v");
  trap.await();
  CHECK(ends([&] { storage.close(100ms); }));
  trap.open();
}
