// SPDX-License-Identifier: Apache-2.0
// Hosts, layers and drivers whose structs have other sizes work together: drivers and layers that were compiled against
// longer and shorter headers, below and above those of this host.
#include <catch2/catch.hpp>

#include <set>

#include "../../storage/fixture.hpp"

using omnistore::Status;
using omnistore::Storage;
using namespace std::chrono_literals;

namespace {

/// A mount of a leaf by itself, and below layers of each kind, also two of them.
std::string mount() {
  std::string store = R"({ "driver": ")" + GENERATE(std::string("leaf-later"), "leaf-earlier", "memory") + "\" }";
  for (const std::string &layer :
       GENERATE(std::vector<std::string>{}, std::vector<std::string>{"passing-later"},
                std::vector<std::string>{"passing-earlier"}, std::vector<std::string>{"overlay"},
                std::vector<std::string>{"passing-later", "passing-earlier"},
                std::vector<std::string>{"passing-earlier", "overlay", "passing-later"}))
    store = R"({ "driver": ")" + layer + R"(", "layers": [ )" + store + " ] }";
  UNSCOPED_INFO(store);
  return R"({ "": )" + store + " }";
}

} // namespace

TEST_CASE("values, meta and misses pass between headers of different sizes") {
  Storage storage = test::open(mount());
  omnistore::SetOptions options;
  options.ttl = 1h;
  options.user = "mine";
  storage.set("a", "first", options);
  storage.set("b", "");
  CHECK(storage.get("a") == "first");
  CHECK(storage.get("b") == "");
  CHECK(storage.get("none") == std::nullopt);
  const auto meta = storage.meta("a");
  REQUIRE(meta);
  CHECK(meta->size == 5);
  CHECK(meta->expiry > 0);
  CHECK(meta->user == "mine"); // kept by the store, or by the host for one that cannot
  CHECK(storage.meta("b")->expiry == 0);
  CHECK(storage.touch("a", 0ms));
  CHECK(storage.meta("a")->expiry == 0);
  CHECK(storage.remove("a"));
  CHECK_FALSE(storage.has("a"));
}

TEST_CASE("listings pass between headers of different sizes") {
  Storage storage = test::open(mount());
  for (int i = 0; i < 20; ++i) storage.set("k:" + std::to_string(i), "value");
  omnistore::ListOptions options;
  options.limit = 7;
  options.meta = true;
  std::set<std::string> keys;
  do {
    const omnistore::Page page = storage.list("k", options);
    for (const auto &item : page.items) {
      keys.insert(item.key);
      CHECK(item.meta.size == 5);
      CHECK(item.meta.expiry == 0);
    }
    options.cursor = page.cursor;
  } while (!options.cursor.empty());
  CHECK(keys.size() == 20);
}

TEST_CASE("ranges and folders pass between headers of different sizes") {
  Storage storage = test::open(mount());
  for (const char *key : {"k:1", "k:2", "k:2:x", "k:3:x", "k:3:y", "k:4"}) storage.set(key, "value");
  const auto names = [&](const omnistore::ListOptions &options) {
    std::set<std::string> found;
    for (const auto &item : storage.list("k", options).items) found.insert(item.key);
    return found;
  };
  omnistore::ListOptions options;
  options.start = "k:2";
  options.end = "k:3:y";
  CHECK(names(options) == std::set<std::string>{"k:2", "k:2:x", "k:3:x"});
  options.depth = 0;
  options.folders = true;
  CHECK(names(options) == std::set<std::string>{"k:2", "k:2:", "k:3:"});
}

TEST_CASE("batches pass between headers of different sizes") {
  Storage storage = test::open(mount());
  std::vector<omnistore::SetItem> items;
  std::vector<std::string> names;
  for (int i = 0; i < 20; ++i) {
    names.push_back("k" + std::to_string(i));
    items.push_back({names.back(), "v" + std::to_string(i), {}});
  }
  for (const auto &outcome : storage.set_many(items)) CHECK(outcome.status == Status::ok);
  names.push_back("none");
  const auto got = storage.get_many(names);
  for (int i = 0; i < 20; ++i) CHECK(got[static_cast<std::size_t>(i)].entry.value == "v" + std::to_string(i));
  CHECK(got[20].status == Status::not_found);
  const auto removed = storage.remove_many(names);
  CHECK(removed[0].status == Status::ok);
  CHECK(removed[20].status == Status::not_found);
  CHECK(storage.list("").items.empty());
}

TEST_CASE("events pass between headers of different sizes") {
  Storage storage = test::open(mount());
  test::Events events;
  const auto watch = storage.watch("", events.callback());
  storage.set("a", "1");
  storage.remove("a");
  const auto told = events.wait_for(2);
  REQUIRE(told.size() >= 2);
  CHECK(told[0].key == "a");
  CHECK(told[0].type == omnistore::Event::Type::update);
  CHECK(told[1].type == omnistore::Event::Type::remove);
}

TEST_CASE("failures pass between headers of different sizes") {
  const std::string layer = GENERATE("passing-later", "passing-earlier");
  const std::string leaf = GENERATE("leaf-later", "leaf-earlier");
  Storage storage =
      test::open(R"({ "": { "driver": ")" + layer + R"(", "layers": [ { "driver": ")" + leaf + R"(" } ] } })");
  try {
    storage.get("fail");
    FAIL("it did not fail");
  } catch (const omnistore::Error &error) {
    CHECK(error.status() == Status::io);
    CHECK_THAT(error.what(), Catch::EndsWith("as told"));
    CHECK(error.retry_after() == 0ms); // bytes after a longer or shorter struct are not read
  }
}

#if defined(__x86_64__) && defined(__linux__)
TEST_CASE("a plugin that was built once still loads and works") {
  const std::string text =
      R"({ "plugins": { "paths": [")" ABI_BINARIES R"("] }, "mounts": { "": { "driver": "c-map" } } })";
  Storage storage(omnistore::Config::parse(text, "test.jsonc", {}, [](const std::string &) { return std::nullopt; }));
  storage.set("a", "first");
  omnistore::SetOptions options;
  options.ttl = 1h;
  storage.set("a:b", "second", options);
  CHECK(storage.get("a") == "first");
  CHECK(storage.get("none") == std::nullopt);
  CHECK(storage.meta("a:b")->expiry > 0); // which the host keeps
  storage.set_many(std::vector<omnistore::SetItem>{{"c", "third", {}}, {"d", "", {}}});
  CHECK(storage.get_many(std::vector<std::string>{"c", "none"})[0].entry.value == "third");
  CHECK(storage.list("").items.size() == 4);
  CHECK(storage.remove("a"));
  CHECK(storage.clear() == 3);
}
#endif
