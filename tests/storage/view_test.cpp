// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <omnistore/view.hpp>

#include "fixture.hpp"

using omnistore::Event;
using omnistore::SetItem;
using omnistore::Status;
using omnistore::Storage;
using omnistore::View;
using test::Events;

namespace {

using Texts = std::vector<std::string>;

const std::string mounts =
    R"({ "": { "driver": "memory" }, "a:deep": { "driver": "memory" }, "a:fixed": { "driver": "memory", "readOnly": true } })";

Texts in_order(Texts texts) {
  std::sort(texts.begin(), texts.end());
  return texts;
}

} // namespace

TEST_CASE("a view puts its base before every key that comes in") {
  Storage storage = test::open(mounts);
  View view = storage.prefixed("a/b/");
  view.set("x/y", "1");
  CHECK(storage.get("a:b:x:y") == "1");
  CHECK(view.get("x:y") == "1");
  CHECK(view.entry("x:y")->value == "1");
  CHECK(view.has(":x:y"));
  CHECK(view.meta("x:y")->size == 1);
  CHECK(view.touch("x:y", std::chrono::hours(1)));
  CHECK(storage.meta("a:b:x:y")->expiry != 0);
  CHECK_FALSE(view.has("a:b:x:y"));
  CHECK(view.remove("x:y"));
  CHECK_FALSE(storage.has("a:b:x:y"));
}

TEST_CASE("a view reads into a string and a reader") {
  Storage storage = test::open(mounts);
  View view = storage.prefixed("a");
  view.set("k", "value");
  struct : omnistore::Reader {
    std::string value;
    char *begin(const omnistore::Meta &) override { return nullptr; }
    void write(std::string_view bytes) override { value += bytes; }
  } reader;
  CHECK(view.read("k", reader));
  CHECK(reader.value == "value");
  std::string into;
  CHECK(view.get("k", into));
  CHECK(into == "value");
}

TEST_CASE("a view lists its own keys, without the base, over all mounts below") {
  Storage storage = test::open(mounts);
  for (const char *key : {"a", "a:1", "a:2:3", "ab", "b", "a:deep:4"}) storage.set(key, "");
  View view = storage.prefixed("a");
  CHECK(in_order(view.keys().all()) == Texts{"1", "2:3", "deep:4"});
  CHECK(in_order(view.keys("", 0).all()) == Texts{"1"});
  CHECK(view.keys("2").all() == Texts{"2:3"});
  Texts paged;
  omnistore::ListOptions one;
  one.limit = 1;
  do {
    const omnistore::Page page = view.list("", one);
    for (const auto &item : page.items) paged.push_back(item.key);
    one.cursor = page.cursor;
  } while (!one.cursor.empty());
  CHECK(in_order(paged) == Texts{"1", "2:3", "deep:4"});
}

TEST_CASE("a view's clear leaves the keys outside of it") {
  Storage storage = test::open(R"({ "": { "driver": "memory" }, "a:deep": { "driver": "memory" } })");
  for (const char *key : {"a", "a:1", "a:2:3", "ab", "a:deep:4"}) storage.set(key, "");
  View view = storage.prefixed("a");
  CHECK(view.clear("2") == 1);
  CHECK(view.clear() == 2);
  CHECK(in_order(storage.keys().all()) == Texts{"a", "ab"});
}

TEST_CASE("a view's batches have keys without the base, in their messages too") {
  Storage storage = test::open(mounts);
  View view = storage.prefixed("a");
  const auto set = view.set_many(std::vector<SetItem>{{"1", "one", {}}, {"fixed:2", "two", {}}, {"..", "", {}}});
  CHECK(set[0].status == Status::ok);
  CHECK(set[1].status == Status::read_only);
  CHECK_THAT(set[1].message, Catch::StartsWith("set fixed:2 (mount a:fixed,"));
  CHECK_THAT(set[2].message, Catch::StartsWith("key '..':"));
  CHECK(storage.get("a:1") == "one");
  const auto got = view.get_many(Texts{"1", "none"});
  CHECK(got[0].entry.value == "one");
  CHECK(got[1].status == Status::not_found);
  CHECK_THAT(got[1].message, Catch::StartsWith("get none (mount root,"));
  CHECK(view.remove_many(Texts{"1"})[0].status == Status::ok);
  CHECK_FALSE(storage.has("a:1"));
}

TEST_CASE("a view's errors name the key as the view knows it") {
  Storage storage = test::open(mounts);
  View view = storage.prefixed("a");
  const auto message = [](auto operation) {
    std::string text;
    test::status_of(operation, &text);
    return text;
  };
  CHECK_THAT(message([&] { view.set("fixed:k", ""); }), Catch::StartsWith("set fixed:k (mount a:fixed,"));
  CHECK_THAT(message([&] { view.touch("fixed:k", {}); }), Catch::StartsWith("touch fixed:k (mount a:fixed,"));
  CHECK_THAT(message([&] { view.clear("fixed"); }), Catch::StartsWith("clear fixed: (mount a:fixed,"));
  omnistore::RemoveOptions absent;
  absent.condition.kind = omnistore::Condition::Kind::if_absent;
  CHECK_THAT(message([&] { view.remove("k", absent); }), Catch::StartsWith("remove k (mount root,"));
  CHECK(message([&] { view.get("x:.."); }) == message([&] { storage.get("x:.."); }));
  Storage rootless = test::open(R"({ "b": { "driver": "memory" } })");
  CHECK_THAT(message([&] { rootless.prefixed("a").get("k"); }), Catch::StartsWith("get k: no mount holds this key"));
}

TEST_CASE("a view's events have keys without the base, and are of the view alone") {
  Storage storage = test::open(mounts);
  View view = storage.prefixed("a");
  Events all, some;
  const omnistore::Watch whole = view.watch("", all.callback()), part = view.watch("x", some.callback());
  for (const char *key : {"a", "ab:1", "a:y", "b", "a:x:1"}) storage.set(key, "");
  view.set_many(std::vector<SetItem>{{"z", "", {}}});
  view.remove_many(Texts{"z"});
  view.clear("x");
  const auto events = all.wait_for(5);
  REQUIRE(events.size() == 5);
  CHECK(events[0].key == "y");
  CHECK(events[1].key == "x:1");
  CHECK(events[2].key == "z");
  CHECK(events[3].key == "z");
  CHECK(events[3].type == Event::Type::remove);
  CHECK(events[4].key == "x:1");
  CHECK(events[4].cause == Event::Cause::cleared);
  CHECK(some.wait_for(1).front().key == "x:1");
}

TEST_CASE("a view's watcher gets a resync too") {
  Storage storage = test::open(mounts);
  View view = storage.prefixed("a");
  Events events;
  omnistore::WatchOptions options;
  options.after = 1;
  const omnistore::Watch watch = view.watch("", events.callback(), options);
  CHECK(events.wait_for(1).front().type == Event::Type::resync);
}

TEST_CASE("a view of a view has both bases, and needs neither the first view nor the storage object") {
  Storage first = test::open(mounts, R"("prefix": "app:v1",)");
  View inner = first.prefixed("a").prefixed("b");
  Storage storage = std::move(first);
  inner.set("k", "1");
  CHECK(storage.get("a:b:k") == "1");
  CHECK(inner.keys().all() == Texts{"k"});
  CHECK(storage.prefixed("").keys().all() == Texts{"a:b:k"});
}

TEST_CASE("a view's key and its base together have the limit of a key") {
  Storage storage = test::open(mounts);
  View view = storage.prefixed("a");
  CHECK(view.set(std::string(4094, 'k'), ""));
  std::string message;
  CHECK(test::status_of([&] { view.set(std::string(4095, 'k'), ""); }, &message) == Status::too_large);
  CHECK_THAT(message, Catch::Contains("with the view's base"));
  CHECK(test::status_of([&] { storage.prefixed("a:.."); }) == Status::invalid);
}
