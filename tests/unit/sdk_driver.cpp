// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <algorithm>
#include <map>
#include <new>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <omnistore/driver.hpp>
#include <omnistore/testing.hpp>

using omnistore::Call;
using omnistore::testing::BareStore;
using omnistore::testing::StatusError;

namespace {

constexpr omnistore_traits parallel{sizeof(omnistore_traits), OMNISTORE_PARALLEL, 0, 0, 0, 0, 0, 0, 0, 0, 0};

/// The simple form, whole.
struct Map {
  std::map<std::string, std::string, std::less<>> values;

  const std::string *get(omnistore::Key key) {
    const auto found = values.find(key);
    return found == values.end() ? nullptr : &found->second;
  }
  void set(omnistore::Key key, std::string_view value) { values.insert_or_assign(std::string(key), value); }
  bool remove(omnistore::Key key) { return values.erase(std::string(key)) != 0; }
  const auto &list() { return values; }
};
constexpr omnistore_driver map = omnistore::driver<Map>("map", "1.0.0", "A map");

/// Only get.
struct Echo {
  std::optional<omnistore::Value> get(omnistore::Key key) {
    if (key == "missing") return {};
    return omnistore::Value(key, 1234);
  }
};
constexpr omnistore_driver echo = omnistore::driver<Echo>("echo", "1.0.0", "Says each key");

/// Keys by emit, in no order and some twice, and some that were not requested.
struct Shuffled {
  std::optional<std::string> get(omnistore::Key) { return {}; }
  void list(omnistore::Key base, omnistore::Emit emit) {
    CHECK((base.empty() || base.ends_with(':')));
    for (const char *key : {"c", "a:2", "b:1:x", "a", "a:1", "c", "b:1", "ab", "a:2", "a:1:y"}) emit(key);
  }
};
constexpr omnistore_driver shuffled = omnistore::driver<Shuffled>("shuffled", "1.0.0", "Lists in no order");

/// Fails in each of the ways in which C++ fails.
struct Failing {
  std::optional<std::string> get(omnistore::Key key) {
    if (key == "failure") throw omnistore::Failure(OMNISTORE_UNAVAILABLE, "connection refused");
    if (key == "memory") throw std::bad_alloc();
    if (key == "error") throw std::out_of_range("no such element");
    throw 42;
  }
};
constexpr omnistore_driver failing = omnistore::driver<Failing>("failing", "1.0.0", "Fails");

/// Options as a plain struct.
struct Hello {
  struct Options {
    std::string greeting;
    static constexpr void fields(auto each) { each("greeting", &Options::greeting, "hello"); }
  };
  explicit Hello(Options o) : options(std::move(o)) {}
  std::optional<omnistore::Value> get(omnistore::Key key) { return options.greeting + " " + std::string(key); }
  Options options;
};

std::pair<omnistore_status, std::string> outcome(auto &&run) {
  try {
    run();
    return {OMNISTORE_OK, ""};
  } catch (const StatusError &refused) {
    return {refused.status, refused.what()};
  }
}
using Outcome = std::pair<omnistore_status, std::string>;

} // namespace

TEST_CASE("a driver of the simple form sets, gets, stats, removes and lists") {
  BareStore store(map);
  store.set("a", "1");
  store.set("a:b", "");
  CHECK(store.get("a") == "1");
  CHECK(store.get("a:b") == "");
  CHECK(store.stat("a")->value_size == 1);
  CHECK(store.keys() == std::vector<std::string>{"a", "a:b"});
  CHECK(store.remove("a"));
  CHECK_FALSE(store.remove("a"));
  CHECK_FALSE(store.get("a"));
  CHECK_FALSE(store.stat("a"));
}

TEST_CASE("two stores of one driver share nothing") {
  BareStore one(map), other(map);
  one.set("a", "1");
  CHECK_FALSE(other.get("a"));
}

TEST_CASE("stat is made of get, with size and mtime") {
  BareStore store(echo);
  CHECK(store.stat("four")->value_size == 4);
  CHECK(store.stat("four")->mtime == 1234);
  CHECK_FALSE(store.stat("missing"));
}

TEST_CASE("a driver without set and remove is read-only, and says so") {
  BareStore store(echo);
  CHECK(store.traits().capabilities & OMNISTORE_READS_ONLY);
  CHECK(outcome([&] { store.set("a", "1"); }) == Outcome{OMNISTORE_READ_ONLY, "this driver takes no writes"});
  CHECK(outcome([&] { store.remove("a"); }) == Outcome{OMNISTORE_READ_ONLY, "this driver takes no writes"});
  CHECK_FALSE(BareStore(map).traits().capabilities & OMNISTORE_READS_ONLY);
}

TEST_CASE("a driver without list refuses to list") {
  BareStore store(echo);
  CHECK(outcome([&] { store.keys(); }) == Outcome{OMNISTORE_UNSUPPORTED, "this driver cannot list its keys"});
}

TEST_CASE("the optional entries of the table are those that the class has") {
  struct Full {
    omnistore_status get(Call, std::string_view, const omnistore_get_request &, omnistore_sink &) { return 0; }
    omnistore_status set(Call, std::string_view, const omnistore_set_request &, omnistore_sink *) { return 0; }
    omnistore_status remove(Call, std::string_view, const omnistore_remove_request &) { return 0; }
    omnistore_status list(Call, const omnistore_list_request &, omnistore_page &) { return 0; }
    omnistore_status clear(Call, const omnistore_clear_request &, omnistore_page *) { return 0; }
    omnistore_status touch(Call, std::string_view, const omnistore_touch_request &) { return 0; }
    omnistore_status watch(Call, const omnistore_watch_request &, omnistore_watcher &, void **) { return 0; }
    void unwatch(void *) {}
    const void *extension(const char *) { return nullptr; }
    using Keys = std::span<const omnistore_bytes>;
    using Gets = omnistore::Requests<omnistore_get_request>;
    omnistore_status get_many(Call, Keys, Gets, omnistore_sink *const *, omnistore_status *) { return 0; }
    omnistore_status stat_many(Call, Keys, Gets, omnistore_sink *const *, omnistore_status *) { return 0; }
    omnistore_status set_many(Call, Keys, omnistore::Requests<omnistore_set_request>, omnistore_sink *const *,
                              omnistore_status *) {
      return 0;
    }
    omnistore_status remove_many(Call, Keys, omnistore::Requests<omnistore_remove_request>, omnistore_status *) {
      return 0;
    }
    omnistore_status health(Call) { return 0; }
  };
  constexpr omnistore_driver full = omnistore::driver<Full>("full", "1", "All of it", nullptr, parallel);
  CHECK((full.clear && full.touch && full.watch && full.unwatch && full.extension));
  CHECK((full.get_many && full.stat_many && full.set_many && full.remove_many));
  CHECK_FALSE((map.clear || map.touch || map.watch || map.unwatch || map.extension));
  CHECK_FALSE((map.get_many || map.stat_many || map.set_many || map.remove_many));
  CHECK((map.open && map.close && map.get && map.stat && map.set && map.remove && map.list));
}

TEST_CASE("a class with explain has its extension, and keeps those of its own") {
  struct Told {
    omnistore_status get(Call, std::string_view, const omnistore_get_request &, omnistore_sink &) { return 0; }
    std::string explain(Call, std::string_view key) {
      if (key == "bad") throw omnistore::Failure(OMNISTORE_IO, "no");
      return key == "none" ? "" : "{\"of\":\"" + std::string(key) + "\"}";
    }
    const void *extension(const char *id) { return std::string_view(id) == "mine/1" ? this : nullptr; }
  };
  static constexpr omnistore_traits reads{
      sizeof(omnistore_traits), OMNISTORE_PARALLEL, OMNISTORE_READS_ONLY, 0, 0, 0, 0, 0, 0, 0, 0};
  static constexpr omnistore_driver told = omnistore::driver<Told>("told", "1", "Tells", nullptr, reads);
  REQUIRE(told.extension);
  BareStore store(told);
  void *self = store.raw()->self;
  CHECK(told.extension(self, "mine/1"));
  CHECK_FALSE(told.extension(self, "other/1"));
  const auto *explain = static_cast<const omnistore_explain *>(told.extension(self, OMNISTORE_EXPLAIN));
  REQUIRE(explain);
  const auto status = [&](std::string_view key, std::string &text) {
    omnistore::testing::BareCall call;
    omnistore::ValueSink sink;
    const omnistore_status result = explain->explain(self, &call, omnistore::as_bytes(key), &sink);
    text = result == OMNISTORE_OK ? sink.bytes : call.message();
    return result;
  };
  std::string text;
  CHECK(status("k", text) == OMNISTORE_OK);
  CHECK(text == "{\"of\":\"k\"}");
  CHECK(status("none", text) == OMNISTORE_NOT_FOUND);
  CHECK(status("bad", text) == OMNISTORE_IO);
  CHECK(text == "no");
}

TEST_CASE("a class with validate has its extension before a store of it is open") {
  struct Picky {
    omnistore_status get(Call, std::string_view, const omnistore_get_request &, omnistore_sink &) { return 0; }
    static void validate(const omnistore::Options &options, std::uint32_t children, omnistore::Problems &problems) {
      problems.check([] { throw omnistore::Failure(OMNISTORE_INVALID, "option url: it is none"); });
      problems.check([] { throw omnistore::Failure(OMNISTORE_INVALID, "all of it"); });
      problems.check([] {});
      if (children != 2) problems.add("n.0", std::to_string(children));
      if (options.has("broken")) throw omnistore::Failure(OMNISTORE_INVALID, "broken");
    }
  };
  static constexpr omnistore_traits reads{
      sizeof(omnistore_traits), OMNISTORE_PARALLEL, OMNISTORE_READS_ONLY, 0, 0, 0, 0, 0, 0, 0, 0};
  static constexpr omnistore_driver picky = omnistore::driver<Picky>("picky", "1", "Refuses", nullptr, reads);
  REQUIRE(picky.extension);
  const auto *validate = static_cast<const omnistore_validate *>(picky.extension(nullptr, OMNISTORE_VALIDATE));
  REQUIRE(validate);
  struct Kept : omnistore_problems {
    std::vector<std::string> texts;
  } kept;
  kept.size = sizeof(omnistore_problems);
  kept.add = [](omnistore_problems *self, omnistore_bytes option, omnistore_bytes message) {
    static_cast<Kept *>(self)->texts.push_back(std::string(omnistore::as_view(option)) + "=" +
                                               std::string(omnistore::as_view(message)));
  };
  omnistore::testing::BareCall call;
  CHECK(validate->validate(&call, omnistore::as_bytes("{}"), 3, &kept) == OMNISTORE_OK);
  CHECK(kept.texts == std::vector<std::string>{"url=it is none", "=all of it", "n.0=3"});
  CHECK(validate->validate(&call, omnistore::as_bytes(R"({"broken":1})"), 2, &kept) == OMNISTORE_INVALID);
  CHECK(call.message() == "broken");
}

TEST_CASE("a simple list is cut into pages in the order of the keys, each key once") {
  BareStore store(shuffled);
  const std::vector<std::string> all{"a", "a:1", "a:1:y", "a:2", "ab", "b:1", "b:1:x", "c"};
  CHECK(store.traits().order == OMNISTORE_ORDER_KEYS);
  for (std::uint32_t limit = 1; limit <= 9; ++limit) CHECK(store.keys("", limit) == all);
}

TEST_CASE("a page of a simple list is full, and has a next one only if there are more keys") {
  BareStore store(shuffled);
  CHECK(store.list("", 3).keys.size() == 3);
  CHECK_FALSE(store.list("", 7).cursor.empty());
  CHECK(store.list("", 8).cursor.empty());
  CHECK(store.list("nothing:", 8).keys.empty());
  CHECK(store.list("", UINT32_MAX).keys.size() == 8);
}

TEST_CASE("a simple list keeps to the requested base and depth") {
  BareStore store(shuffled);
  CHECK(store.list("a:", 9).keys == std::vector<std::string>{"a:1", "a:1:y", "a:2"});
  CHECK(store.list("a:", 9, "", 0).keys == std::vector<std::string>{"a:1", "a:2"});
  CHECK(store.list("", 9, "", 0).keys == std::vector<std::string>{"a", "ab", "c"});
  CHECK(store.list("", 9, "", 1).keys == std::vector<std::string>{"a", "a:1", "a:2", "ab", "b:1", "c"});
}

TEST_CASE("a simple listing that runs while others write gives every key that stays, none twice") {
  BareStore store(map);
  std::set<std::string> stays;
  for (int i = 0; i < 100; ++i) {
    store.set("stays:" + std::to_string(i), "");
    store.set("goes:" + std::to_string(i), "");
    stays.insert("stays:" + std::to_string(i));
  }
  std::vector<std::string> seen;
  std::string cursor;
  int step = 0;
  do {
    const auto page = store.list("", 7, cursor);
    seen.insert(seen.end(), page.keys.begin(), page.keys.end());
    cursor = page.cursor;
    store.remove("goes:" + std::to_string(step));
    if (!page.keys.empty()) store.set(page.keys.back() + ":new", "");
    store.set("a:new:" + std::to_string(step), ""), ++step;
  } while (!cursor.empty() && step < 1000);
  const std::set<std::string> once(seen.begin(), seen.end());
  CHECK(once.size() == seen.size());
  CHECK(std::includes(once.begin(), once.end(), stays.begin(), stays.end()));
}

TEST_CASE("a page that takes no more ends a simple list with its status") {
  BareStore store(shuffled);
  int taken = 0;
  omnistore::PageSink page([&](std::string_view, const omnistore_meta *) -> omnistore_status {
    return ++taken < 3 ? OMNISTORE_OK : OMNISTORE_TIMEOUT;
  });
  const omnistore_list_request request{sizeof request, 0, {}, OMNISTORE_ANY_DEPTH, 9, {}, {}, {}};
  omnistore::testing::BareCall call;
  CHECK(store.child().list(Call(&call), request, page) == OMNISTORE_TIMEOUT);
  CHECK(taken == 3);
}

TEST_CASE("an exception becomes a status with its message") {
  BareStore store(failing);
  CHECK(outcome([&] { store.get("failure"); }) == Outcome{OMNISTORE_UNAVAILABLE, "connection refused"});
  CHECK(outcome([&] { store.get("memory"); }) == Outcome{OMNISTORE_NO_SPACE, "out of memory"});
  CHECK(outcome([&] { store.get("error"); }) == Outcome{OMNISTORE_INTERNAL, "no such element"});
  CHECK(outcome([&] { store.get("x"); }) == Outcome{OMNISTORE_INTERNAL, "an exception that is no std::exception"});
}

TEST_CASE("a constructor that throws fails the open") {
  struct Never {
    Never() { throw omnistore::Failure(OMNISTORE_DENIED, "wrong password"); }
    std::optional<std::string> get(omnistore::Key) { return {}; }
  };
  constexpr omnistore_driver never = omnistore::driver<Never>("never", "1", "Never opens");
  CHECK(outcome([&] { BareStore store(never); }) == Outcome{OMNISTORE_DENIED, "wrong password"});
}

TEST_CASE("an exception of unwatch is logged") {
  struct Watching {
    std::optional<std::string> get(omnistore::Key) { return {}; }
    omnistore_status watch(Call, const omnistore_watch_request &, omnistore_watcher &, void **) { return 0; }
    void unwatch(void *) { throw std::runtime_error("lost"); }
  };
  constexpr omnistore_driver watching = omnistore::driver<Watching>("watching", "1", "Watches");
  BareStore store(watching);
  store.child().unwatch(nullptr);
  CHECK(store.host().lines == std::vector<std::string>{"lost"});
}

TEST_CASE("a constructor may take the host, the options, the traits, the children and the call") {
  struct Layer {
    Layer(const omnistore_host &, const omnistore::Options &options, omnistore_traits &traits,
          std::span<const omnistore_store *const> children, Call call)
        : below(children[0]) {
      CHECK(call.remaining() == INT64_MAX);
      CHECK(options.boolean("fast"));
      traits.capabilities |= OMNISTORE_SHARED;
    }
    omnistore_status get(Call call, std::string_view key, const omnistore_get_request &request, omnistore_sink &sink) {
      return below.get(call, key, request, sink);
    }
    omnistore::Child below;
  };
  static constexpr omnistore_traits reads{
      sizeof(omnistore_traits), OMNISTORE_PARALLEL, OMNISTORE_READS_ONLY, 0, 0, 0, 0, 0, 0, 0, 0};
  constexpr omnistore_driver layer = omnistore::driver<Layer>("layer", "1", "Reads below", nullptr, reads, 1, 1);
  CHECK((layer.min_children == 1 && layer.max_children == 1));

  BareStore below(map);
  below.set("a", "from below");
  const omnistore_store *const children[] = {below.raw()};
  BareStore store(layer, R"({"fast":true})", children);
  CHECK(store.get("a") == "from below");
  CHECK(store.stat("a")->value_size == 10); // made of get, whose bytes are dropped
  CHECK(store.traits().capabilities == (OMNISTORE_READS_ONLY | OMNISTORE_SHARED));
}

TEST_CASE("a constructor may take the class's own options, whose schema is published") {
  constexpr omnistore_driver hello = omnistore::driver<Hello>("hello", "1", "Greets");
  CHECK(std::string(hello.options_schema).find(R"("greeting":{"type":"string","default":"hello"})") !=
        std::string::npos);
  CHECK(BareStore(hello).get("you") == "hello you");
  CHECK(BareStore(hello, R"({"greeting":"good day"})").get("you") == "good day you");
  CHECK(outcome([&] { BareStore store(hello, R"({"greeting":1})"); }) ==
        Outcome{OMNISTORE_INVALID, "option greeting: expected a string, found a number"});
}

TEST_CASE("a name of a driver is lower case letters, digits and dashes") {
  using omnistore::sdk::is_driver_name;
  for (const std::string &name : {std::string("s3"), std::string("c-map"), std::string(64, 'a')}) {
    CHECK(is_driver_name(name));
  }
  for (const std::string &name : {std::string(), std::string("3s"), std::string("Map"), std::string("a_b"),
                                  std::string("a.b"), std::string(65, 'a')}) {
    CHECK_FALSE(is_driver_name(name));
  }
}

TEST_CASE("the requested part lies inside the value") {
  const auto part = [](std::uint64_t offset, std::uint64_t length) {
    return std::string(omnistore::part_of("0123456789", {sizeof(omnistore_get_request), 0, offset, length}));
  };
  CHECK(part(0, UINT64_MAX) == "0123456789");
  CHECK(part(3, 4) == "3456");
  CHECK(part(8, 5) == "89");
  CHECK(part(9, UINT64_MAX) == "9");
  CHECK(part(10, 1).empty());
  CHECK(part(UINT64_MAX, UINT64_MAX).empty());
}
