// SPDX-License-Identifier: Apache-2.0
// The host's part of the contract in driver.h: the requests that a driver receives, and what the host does with the
// results.
#include <catch2/catch.hpp>

#include <atomic>
#include <cstring>
#include <map>
#include <thread>

#include <omnistore/ext/explain.h>
#include <omnistore/ext/health.h>
#include <omnistore/ext/lag.h>
#include <omnistore/ext/revalidate.h>
#include <omnistore/ext/stats.h>
#include <omnistore/ext/validate.h>

#include "fixture.hpp"
#include "puppet.hpp"
#include "support/log_lines.hpp"

using omnistore::Status;
using omnistore::Storage;
using namespace std::chrono_literals;
using test::Puppet;

namespace {

/// A text in memory that is overwritten when the driver's function has returned from passing it on.
class Passing {
public:
  explicit Passing(std::string_view text) : text_(text) {}
  ~Passing() { std::fill(text_.begin(), text_.end(), 'x'); }
  omnistore_bytes bytes() const { return test::bytes(text_); }

private:
  std::string text_;
};

} // namespace

// -------------------------------------------------------------------------------------------------------- what is
// given

TEST_CASE("the host copies what a driver passes to it before it returns") {
  Puppet puppet;
  const test::LogLines log(test::LogLines::debug);
  puppet.traits.capabilities |= OMNISTORE_CAN_ETAG | OMNISTORE_CAN_META;
  omnistore_watcher *const &watcher = puppet.accept_watches();
  puppet.get = [&](omnistore_call *call, std::string_view key, const omnistore_get_request &, omnistore_sink *sink) {
    if (key == "bad") {
      omnistore_failure failure{sizeof failure, 0, {}, 0, 0, 0};
      const Passing text("the cause");
      failure.message = text.bytes();
      call->fail(call, &failure);
      return OMNISTORE_IO;
    }
    {
      const Passing etag("e1"), user("mine");
      omnistore_meta meta = test::meta_of_size(5);
      meta.flags = OMNISTORE_META_USER;
      meta.etag = etag.bytes();
      meta.user = user.bytes();
      sink->begin(sink, &meta, nullptr);
    }
    const Passing value("value");
    return sink->write(sink, value.bytes().data, 5);
  };
  puppet.stat = puppet.get;
  puppet.list = [&](omnistore_call *, const omnistore_list_request &request, omnistore_page *page) {
    if (request.cursor.size) {
      CHECK(std::string_view(static_cast<const char *>(request.cursor.data), request.cursor.size) == "after");
      return OMNISTORE_OK;
    }
    {
      const Passing key("k"), etag("e1");
      omnistore_meta meta = test::meta_of_size(5);
      meta.etag = etag.bytes();
      page->emit(page, key.bytes(), &meta);
    }
    const Passing base("dark:"), why("closed"), cursor("after");
    page->skip(page, base.bytes(), OMNISTORE_DENIED, why.bytes());
    page->next(page, cursor.bytes());
    return OMNISTORE_OK;
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  test::Events events;
  const auto watch = storage.watch("", events.callback());
  {
    const Passing key("changed"), gone("gone"), line("a line");
    const omnistore_event event{sizeof event, OMNISTORE_EVENT_UPDATE, 0, 0, key.bytes(), 0};
    watcher->event(watcher, &event);
    const omnistore_event removal{sizeof removal, OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_EVICTED, 0, gone.bytes(), 0};
    puppet.host->event(puppet.host, &removal);
    puppet.host->log(puppet.host, OMNISTORE_LOG_INFO, line.bytes());
  }
  const auto told = events.wait_for(2);
  REQUIRE(told.size() == 2);
  CHECK(told[0].key == "changed");
  CHECK(told[1].key == "gone");
  CHECK(log.has_match("a line"));
  const auto entry = storage.entry("k");
  REQUIRE(entry);
  CHECK(entry->value == "value");
  CHECK(entry->meta.etag == "e1");
  CHECK(entry->meta.user == "mine");
  std::string message;
  CHECK(test::status_of([&] { storage.get("bad"); }, &message) == Status::io);
  CHECK_THAT(message, Catch::EndsWith("the cause"));
  omnistore::ListOptions options;
  options.meta = true;
  options.limit = 1;
  const omnistore::Page page = storage.list("", options);
  REQUIRE(page.items.size() == 1);
  CHECK(page.items[0].key == "k");
  CHECK(page.items[0].meta.etag == "e1");
  REQUIRE(page.skipped.size() == 1);
  CHECK(page.skipped[0].base == "dark:");
  options.cursor = page.cursor;
  storage.list("", options);
}

TEST_CASE("a failure without any report shows its status") {
  Puppet puppet;
  puppet.traits.capabilities |= OMNISTORE_CAN_META; // or the host looks for its own before a set
  puppet.get = [](auto &&...) { return OMNISTORE_DENIED; };
  puppet.set = [](auto &&...) { return OMNISTORE_CONFLICT; };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  std::string message;
  CHECK(test::status_of([&] { storage.get("k"); }, &message) == Status::denied);
  CHECK_THAT(message, Catch::EndsWith("not allowed"));
  omnistore::SetOptions set;
  set.condition.kind = omnistore::Condition::Kind::if_absent;
  CHECK_FALSE(storage.set("k", "v", set));
}

TEST_CASE("the time and the cancellation of a call can be read on a thread that its function waits for") {
  Puppet puppet;
  std::atomic<bool> gone{false};
  puppet.get = [&](omnistore_call *call, auto &&...) {
    std::thread([&] {
      CHECK(call->context->cancelled(call->context) == 0);
      CHECK(call->remaining(call) == INT64_MAX);
      gone = true;
      CHECK(call->context->cancelled(call->context) == 1);
      CHECK(call->remaining(call) == 0);
    }).join();
    return OMNISTORE_CANCELLED;
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  omnistore::GetOptions options;
  options.cancelled = &gone;
  CHECK(test::status_of([&] { storage.get("k", options); }) == Status::cancelled);
}

TEST_CASE("a part of a value that was given before a failure is dropped") {
  Puppet puppet;
  puppet.get = [](omnistore_call *, std::string_view, const omnistore_get_request &, omnistore_sink *sink) {
    const omnistore_meta meta = test::meta_of_size(10);
    sink->begin(sink, &meta, nullptr);
    sink->write(sink, "half", 4);
    return OMNISTORE_IO;
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  CHECK(test::status_of([&] { storage.get("k"); }) == Status::io);
  const auto batch = storage.get_many(std::vector<std::string>{"k"});
  CHECK(batch[0].status == Status::io);
  CHECK(batch[0].entry.value.empty());
}

TEST_CASE(
    "a driver's log line has its mount and driver, and a level that the host does not know is the nearest below") {
  Puppet puppet;
  const test::LogLines log(test::LogLines::debug);
  Storage storage = test::open(R"({ "p": )" + puppet.mount() + " }");
  puppet.host->log(puppet.host, OMNISTORE_LOG_TRACE, test::bytes("traced"));
  puppet.host->log(puppet.host, OMNISTORE_LOG_DEBUG, test::bytes("debugged"));
  puppet.host->log(puppet.host, 77, test::bytes("shouted"));
  CHECK_FALSE(log.has_match("traced"));
  CHECK(log.has_match(R"(^p \(puppet\): debugged$)"));
  CHECK(log.has_match(R"(^p \(puppet\): shouted$)"));
}

// ------------------------------------------------------------------------------------------------------------ requests

TEST_CASE("a driver receives nothing in a request that it does not state") {
  Puppet puppet;
  puppet.traits.capabilities = 0;
  puppet.traits.keeps = OMNISTORE_KEEPS_NOTHING;
  std::vector<std::string> wrong;
  std::map<std::string, std::string, std::less<>> values;
  const auto check = [&](bool right, const char *what) {
    if (!right) wrong.emplace_back(what);
  };
  puppet.get = [&](omnistore_call *, std::string_view key, const omnistore_get_request &request, omnistore_sink *sink) {
    check(request.size == sizeof request, "size");
    check(request.offset == 0 && request.length == UINT64_MAX, "a range");
    check(!(request.flags & OMNISTORE_GET_USER), "user meta");
    const auto found = values.find(key);
    return found == values.end() ? OMNISTORE_NOT_FOUND : test::give(sink, found->second);
  };
  puppet.stat = [&](omnistore_call *, std::string_view key, const omnistore_get_request &request,
                    omnistore_sink *sink) {
    check(request.offset == 0 && request.length == UINT64_MAX, "a range of a stat");
    check(!(request.flags & OMNISTORE_GET_USER), "user meta");
    const auto found = values.find(key);
    if (found == values.end()) return OMNISTORE_NOT_FOUND;
    const omnistore_meta meta = test::meta_of_size(found->second.size());
    return sink->begin(sink, &meta, nullptr);
  };
  puppet.set = [&](omnistore_call *, std::string_view key, const omnistore_set_request &request, omnistore_sink *) {
    check(request.size == sizeof request && request.flags == 0 && request.reserved == 0, "size, flags, reserved");
    check(!request.source, "a source");
    check(request.expiry == 0, "an expiry");
    check(request.condition == OMNISTORE_ALWAYS, "a condition");
    check(request.user.size == 0, "user meta");
    values.insert_or_assign(std::string(key),
                            std::string(static_cast<const char *>(request.value.data), request.value.size));
    return OMNISTORE_OK;
  };
  puppet.remove = [&](omnistore_call *, std::string_view key, const omnistore_remove_request &request) {
    check(request.condition == OMNISTORE_ALWAYS, "a condition of a remove");
    return values.erase(std::string(key)) ? OMNISTORE_OK : OMNISTORE_NOT_FOUND;
  };
  puppet.list = [&](omnistore_call *, const omnistore_list_request &request, omnistore_page *page) {
    check(request.size == sizeof request && request.limit >= 1, "size, limit");
    check(!request.flags, "flags of a listing");
    check(request.depth == OMNISTORE_ANY_DEPTH, "a depth");
    check(!request.start.size && !request.end.size, "a range of a listing");
    for (const auto &[key, value] : values) page->emit(page, test::bytes(key), nullptr);
    return OMNISTORE_OK;
  };
  puppet.touch = [&](auto &&...) { return check(false, "a touch"), OMNISTORE_UNSUPPORTED; };
  Storage storage = test::open(R"({ "": )" + puppet.mount(GENERATE("puppet", "puppet-bare")) + " }");
  omnistore::SetOptions set;
  set.ttl = 1h;
  set.user = "mine";
  storage.set("a:b", "value", set);
  set.condition.kind = omnistore::Condition::Kind::if_absent;
  CHECK_FALSE(storage.set("a:b", "other", set));
  struct Text : omnistore::Source {
    bool given = false;
    std::size_t read(char *into, std::size_t) override {
      if (std::exchange(given, true)) return 0;
      std::memcpy(into, "pieces", 6);
      return 6;
    }
  } source;
  storage.set("a:c", source);
  omnistore::GetOptions part;
  part.offset = 2;
  part.length = 3;
  CHECK(storage.get("a:b", part) == "lue");
  CHECK(storage.get("a:c") == "pieces");
  CHECK(storage.meta("a:b")->user == "mine");
  CHECK(storage.touch("a:b", 2h));
  omnistore::ListOptions list;
  list.depth = 0;
  list.folders = true;
  list.meta = true;
  list.start = "a";
  list.end = "b";
  CHECK(storage.list("", list).items.size() == 1);
  CHECK(storage.remove("a:b"));
  CHECK(wrong == std::vector<std::string>{});
}

TEST_CASE("the items of a batch have requests, sinks and statuses of their own") {
  Puppet puppet;
  bool sound = true;
  puppet.get_many = [&](omnistore_call *, std::uint32_t count, const omnistore_bytes *keys,
                        omnistore_sink *const *sinks, omnistore_status *statuses) {
    for (std::uint32_t i = 0; i < count; ++i) {
      sound &= keys[i].size > 0 && sinks[i] && statuses[i] == OMNISTORE_INTERNAL;
      statuses[i] = OMNISTORE_NOT_FOUND;
    }
    return OMNISTORE_OK;
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  CHECK(storage.get_many(std::vector<std::string>{"a", "b", "a"})[2].status == Status::not_found);
  CHECK(sound);
  puppet.get_many = [](omnistore_call *, std::uint32_t count, auto, auto, omnistore_status *statuses) {
    std::fill_n(statuses, count, OMNISTORE_OK); // does not count
    return OMNISTORE_UNAVAILABLE;
  };
  for (const auto &each : storage.get_many(std::vector<std::string>{"a", "b"}))
    CHECK(each.status == Status::unavailable);
}

TEST_CASE("a batch with more items than a driver takes comes in parts") {
  Puppet puppet;
  puppet.traits.max_batch = 3;
  std::vector<std::uint32_t> counts;
  puppet.get_many = [&](omnistore_call *, std::uint32_t count, auto, auto, omnistore_status *statuses) {
    counts.push_back(count);
    std::fill_n(statuses, count, OMNISTORE_NOT_FOUND);
    return OMNISTORE_OK;
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  CHECK(storage.get_many(std::vector<std::string>{"a", "b", "c", "d", "e", "f", "g"}).size() == 7);
  CHECK(counts == std::vector<std::uint32_t>{3, 3, 1});
}

// ------------------------------------------------------------------------------------------------- values of later
// minors

TEST_CASE("an event of an unknown type is dropped, and an unknown cause is none") {
  Puppet puppet;
  omnistore_watcher *const &watcher = puppet.accept_watches();
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  test::Events events;
  const auto watch = storage.watch("", events.callback());
  const auto announce = [&](std::uint32_t type, std::uint32_t cause, const char *key) {
    const omnistore_event event{sizeof event, type, cause, 0, test::bytes(key), 0};
    watcher->event(watcher, &event);
  };
  announce(77, 0, "dropped");
  announce(OMNISTORE_EVENT_REMOVE, 77, "a");
  announce(OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_NONE, "b");
  announce(OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_REMOVED, "c");
  const auto told = events.wait_for(3);
  REQUIRE(told.size() == 3);
  CHECK(told[0].key == "a");
  CHECK(told[0].cause == omnistore::Event::Cause::none);
  CHECK(told[1].cause == omnistore::Event::Cause::none);
  CHECK(told[2].cause == omnistore::Event::Cause::removed);
}

TEST_CASE("flags that the host does not know are ignored in meta and in failures") {
  Puppet puppet;
  puppet.traits.capabilities |= OMNISTORE_CAN_META;
  puppet.get = [](omnistore_call *call, std::string_view key, const omnistore_get_request &, omnistore_sink *sink) {
    omnistore_meta meta = test::meta_of_size(1);
    meta.flags = 0x4000'0000;
    if (key == "k") return sink->begin(sink, &meta, nullptr), sink->write(sink, "v", 1);
    const omnistore_failure failure{sizeof failure, 0, test::bytes("as told"), 0, 0x4000'0000, 0};
    return call->fail(call, &failure), OMNISTORE_TIMEOUT;
  };
  puppet.set = [](omnistore_call *call, std::string_view, const omnistore_set_request &, omnistore_sink *) {
    const omnistore_failure failure{sizeof failure, 0, test::bytes("as told"), 0, 0x4000'0000, 0};
    return call->fail(call, &failure), OMNISTORE_TIMEOUT;
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  CHECK(storage.get("k") == "v");
  CHECK(test::status_of([&] { storage.get("other"); }) == Status::timeout);
  std::string message;
  test::status_of([&] { storage.set("k", "v"); }, &message);
  CHECK_THAT(message, Catch::EndsWith("as told; it may still take place"));
}

TEST_CASE("an unknown durability of a store counts as the next lower one") {
  // The host looks for sidecars of an earlier run unless the store keeps nothing.
  const auto looks = [](std::uint32_t keeps) {
    Puppet puppet;
    puppet.traits.capabilities = 0;
    puppet.traits.keeps = keeps;
    bool looked = false;
    puppet.get = [&](omnistore_call *, std::string_view key, const omnistore_get_request &, omnistore_sink *sink) {
      if (key == "k$") looked = true;
      return key == "k" ? test::give(sink, "value") : OMNISTORE_NOT_FOUND;
    };
    Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
    storage.get("k");
    return looked;
  };
  CHECK(looks(OMNISTORE_KEEPS_UNKNOWN));
  CHECK(looks(OMNISTORE_KEEPS_NO_VALUE - 1));
  CHECK_FALSE(looks(OMNISTORE_KEEPS_NO_VALUE));
  CHECK_FALSE(looks(OMNISTORE_KEEPS_NO_VALUE + 1));
  CHECK_FALSE(looks(OMNISTORE_KEEPS_NOTHING));
  CHECK_FALSE(looks(OMNISTORE_KEEPS_PROCESS - 1));
  CHECK(looks(OMNISTORE_KEEPS_PROCESS));
  CHECK(looks(OMNISTORE_KEEPS_POWER + 1));
}

// ---------------------------------------------------------------------------------------------------------- extensions

TEST_CASE("a child has the extensions that the host provides, and none of those that the host calls") {
  Puppet layer, child;
  child.health = [](omnistore_call *) { return OMNISTORE_OK; };
  child.stats = child.explain = [] { return "{}"; };
  if (GENERATE(true, false)) child.lag = [] { return std::int64_t{7}; };
  child.watch = [](omnistore_watcher *) { return OMNISTORE_DENIED; };
  Storage storage = test::open(test::layer_over(layer, child.mount()));
  const omnistore_store *store = layer.children[0];
  const auto has = [&](const char *id) { return store->driver->extension(store->self, id); };
  for (const char *id : {OMNISTORE_HEALTH, OMNISTORE_STATS, OMNISTORE_EXPLAIN, OMNISTORE_VALIDATE, "other/1"})
    CHECK_FALSE(has(id));
  CHECK(has(OMNISTORE_REVALIDATE));
  CHECK(!has(OMNISTORE_LAG) == !child.lag);
  if (!child.lag) return;

  const auto *lag = static_cast<const omnistore_lag *>(has(OMNISTORE_LAG));
  omnistore_watcher watcher{sizeof watcher, 0, [](omnistore_watcher *, const omnistore_event *) {}};
  const omnistore_watch_request request{sizeof request, 0, {}};
  layer.get = [&](omnistore_call *call, auto &&...) {
    void *watch = nullptr;
    CHECK(lag->watch(store->self, call, &request, &watcher, &watch) == OMNISTORE_DENIED);
    CHECK(store->driver->watch(store->self, call, &request, &watcher, &watch) == OMNISTORE_OK);
    CHECK(lag->lag(store->self, watch) == OMNISTORE_LAG_UNKNOWN); // the driver's own watch does not run
    store->driver->unwatch(store->self, watch);
    child.watch = nullptr; // which takes every watch
    REQUIRE(lag->watch(store->self, call, &request, &watcher, &watch) == OMNISTORE_OK);
    CHECK(lag->lag(store->self, watch) == 7);
    store->driver->unwatch(store->self, watch);
    return OMNISTORE_NOT_FOUND;
  };
  storage.get("k");
}

TEST_CASE("the host keeps the first 64 problems of options, copies of them, and a failure as one more") {
  Puppet puppet;
  bool opened = false;
  puppet.open = [&](omnistore_call *) { return opened = true, OMNISTORE_OK; };
  puppet.validate = [](omnistore_call *, omnistore_problems *problems) {
    for (int i = 1; i <= 70; ++i) {
      const Passing option("puppet"), message("problem number " + std::to_string(i) + ".");
      problems->add(problems, option.bytes(), message.bytes());
    }
    return OMNISTORE_OK;
  };
  const auto message = [&] {
    try {
      test::open(R"({ "": )" + puppet.mount() + " }");
      return std::string();
    } catch (const std::exception &error) {
      return std::string(error.what());
    }
  };
  CHECK_THAT(message(), Catch::Contains("options.puppet: problem number 1."));
  CHECK_THAT(message(), Catch::Contains("problem number 64.") && !Catch::Contains("problem number 65."));
  puppet.validate = [](omnistore_call *call, omnistore_problems *) {
    const omnistore_failure failure{sizeof failure, 0, test::bytes("they cannot be read"), 0, 0, 0};
    return call->fail(call, &failure), OMNISTORE_INVALID;
  };
  CHECK_THAT(message(), Catch::Contains("they cannot be read"));
  CHECK_FALSE(opened);
}

TEST_CASE("the host shows a driver's whole numbers under good names, at most 32") {
  Puppet puppet;
  puppet.stats = [] {
    return R"({"counters": {"good": 3, "Bad": 1, "9": 1, "text": "x", "less": -1}, "gauges": {"here": 2, "good": 9},
               "of_later_minors": {"other": 1}})";
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  using Figures = std::vector<std::pair<std::string, std::uint64_t>>;
  CHECK(storage.stats()[0].counters == Figures{{"good", 3}});
  CHECK(storage.stats()[0].gauges == Figures{{"here", 2}});
  puppet.stats = [] {
    std::string text = R"({"gauges": {"n0": 0)";
    for (int i = 1; i < 40; ++i) text += ", \"n" + std::to_string(i) + "\": 1";
    return text + "}}";
  };
  CHECK(storage.stats()[0].gauges.size() == 32);
}

TEST_CASE("explain shows a driver's own names unchanged, which it gave before the get, and no text over 64 KiB") {
  Puppet puppet;
  std::vector<std::string> calls;
  std::string text = R"({"state": "fresh", "mine": [1, 2]})";
  puppet.explain = [&] { return calls.push_back("explain"), text; };
  puppet.get = [&](omnistore_call *, std::string_view, const omnistore_get_request &, omnistore_sink *sink) {
    return calls.push_back("get"), test::give(sink, "value");
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  CHECK(storage.explain("k").store.about == text);
  CHECK(calls == std::vector<std::string>{"explain", "get"});
  text = "{\"x\": \"" + std::string(65'536, 'x') + "\"}";
  CHECK(storage.explain("k").store.about.empty());
}
