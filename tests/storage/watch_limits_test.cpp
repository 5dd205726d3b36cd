// SPDX-License-Identifier: Apache-2.0
// A watch over a store that cannot report the changes of others learns this.
#include <catch2/catch.hpp>

#include <condition_variable>
#include <mutex>

#include "fixture.hpp"
#include "puppet.hpp"
#include "support/log_lines.hpp"

using omnistore::Storage;
using omnistore::Watch;
using omnistore::WatchOptions;
using test::Events;
using test::Puppet;

namespace {

/// Collects the limits that a watch reports, and waits for them.
class Limits {
public:
  WatchOptions options() {
    WatchOptions options;
    options.limited = [this](const std::string &message) {
      const std::lock_guard lock(mutex_);
      messages_.push_back(message);
      changed_.notify_all();
    };
    return options;
  }
  /// The messages so far, once there are at least so many; fewer when they do not come.
  std::vector<std::string> wait_for(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return messages_.size() >= count; });
    return messages_;
  }

private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> messages_;
};

Puppet refusing() {
  Puppet puppet;
  puppet.watch = [](omnistore_watcher *) { return OMNISTORE_UNSUPPORTED; };
  return puppet;
}

std::string limit_of(const std::string &mount, const std::string &driver = "puppet") {
  return "watch (mount " + mount + ", driver " + driver + "): the changes that others make are not reported: ";
}

} // namespace

TEST_CASE("a watch learns which of its stores refuses to be watched, before other events") {
  Puppet puppet = refusing();
  const test::LogLines log(test::LogLines::info);
  Storage storage = test::open(R"({ "": { "driver": "memory" }, "p": )" + puppet.mount() + " }");
  Limits limits;
  Events events;
  const Watch watch = storage.watch("", events.callback(), limits.options());
  storage.set("p:own", "");
  const auto told = limits.wait_for(1);
  REQUIRE(told.size() == 1);
  CHECK(told[0].starts_with(limit_of("p")));
  CHECK(told[0].size() > limit_of("p").size());
  CHECK(events.wait_for(1)[0].key == "p:own");
  CHECK(log.lines() == told);
}

TEST_CASE("a watch gets no limits of stores that it does not reach") {
  Puppet puppet = refusing();
  Storage storage = test::open(R"({ "": )" + puppet.mount() + R"(, "m": { "driver": "memory" } })");
  Limits at_root, below, of_mount;
  Events events, inside;
  const Watch all = storage.watch("a", {[](const omnistore::Event &) {}}, at_root.options());
  const Watch deeper = storage.watch("m:a", inside.callback(), below.options());
  const Watch mount = storage.watch("m", events.callback(), of_mount.options());
  CHECK(at_root.wait_for(1).size() == 1);
  storage.set("m:a", "");
  REQUIRE(events.wait_for(1).size() == 1); // a limit would have come first
  REQUIRE(inside.wait_for(1).size() == 1);
  CHECK(of_mount.wait_for(0).empty());
  CHECK(below.wait_for(0).empty());
}

TEST_CASE("a watch gets a limit once, whatever other watches come and go") {
  Puppet puppet = refusing();
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  Limits first, second;
  Events events;
  const Watch watch = storage.watch("a:b", events.callback(), first.options());
  REQUIRE(first.wait_for(1).size() == 1);
  {
    const Watch wider = storage.watch("a", {[](const omnistore::Event &) {}}, second.options());
    CHECK(second.wait_for(1).size() == 1);
  }
  storage.set("a:b", "");
  REQUIRE(events.wait_for(1).size() == 1);
  CHECK(first.wait_for(1).size() == 1);
}

TEST_CASE("a watch gets the limits of a mount that comes later, and of one that is replaced") {
  Puppet puppet = refusing();
  Storage storage = test::open(R"({ "": { "driver": "memory" } })");
  Limits limits;
  Events events;
  const Watch watch = storage.watch("", events.callback(), limits.options());
  const omnistore::Config with = omnistore::Config::parse(R"({ "mounts": { "p": )" + puppet.mount() + " } }",
                                                          "test.jsonc", {}, [](auto &) { return std::nullopt; });
  storage.mount("p", with.mounts.at("p"));
  CHECK(limits.wait_for(1).size() == 1);
  storage.mount("p", with.mounts.at("p"));
  const auto told = limits.wait_for(2);
  REQUIRE(told.size() == 2);
  CHECK(told[1] == told[0]);
}

TEST_CASE("a store that refused is tried again when another watch begins") {
  Puppet puppet = refusing();
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  Limits first, second;
  Events events;
  const Watch refused = storage.watch("", {[](const omnistore::Event &) {}}, first.options());
  REQUIRE(first.wait_for(1).size() == 1);
  omnistore_watcher *const &watcher = puppet.accept_watches();
  const Watch watch = storage.watch("", events.callback(), second.options());
  REQUIRE(watcher);
  const omnistore_event event{sizeof event, OMNISTORE_EVENT_UPDATE, 0, 0, test::bytes("others"), 0};
  watcher->event(watcher, &event);
  CHECK(events.wait_for(1)[0].key == "others");
  CHECK(second.wait_for(0).empty());
}

TEST_CASE("a limit of a layer's child is reported, and names the child's driver") {
  Puppet puppet = refusing();
  Storage storage =
      test::open(R"({ "o": { "driver": "overlay", "layers": [ { "driver": "memory" }, )" + puppet.mount() + " ] } }");
  Limits limits;
  const Watch watch = storage.watch("", {[](const omnistore::Event &) {}}, limits.options());
  const auto told = limits.wait_for(1);
  REQUIRE(told.size() == 1);
  CHECK(told[0].starts_with(limit_of("o", "overlay") + "puppet: "));
}

TEST_CASE("a shared store whose driver has no watch is a limit, and one without other writers is not") {
  const bool shared = GENERATE(true, false);
  Storage storage = test::open(std::string(R"({ "b": { "driver": "bare", "options": { "shared": )") +
                               (shared ? "true" : "false") + " } } }");
  Limits limits;
  Events events;
  const Watch watch = storage.watch("", events.callback(), limits.options());
  storage.set("b:k", "");
  REQUIRE(events.wait_for(1).size() == 1);
  if (shared)
    CHECK(limits.wait_for(1) == std::vector{limit_of("b", "bare") + "the driver bare cannot watch"});
  else
    CHECK(limits.wait_for(0).empty());
}
