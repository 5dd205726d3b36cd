// SPDX-License-Identifier: Apache-2.0
// Values, their meta, conditions and batches, and how other clients of memcached see them.
#include <deque>
#include <set>
#include <thread>

#include "driven.hpp"

using test::Batch;
using test::Got;
using test::MemcachedServer;
using test::seen;
using test::Store;

TEST_CASE("a value without an expiry and user meta lies as it is under its key") {
  const MemcachedServer server;
  Store store({&server}, R"(,"base":"app")" + Store::patient());
  REQUIRE(store.set("a:b", "value") == OMNISTORE_OK);
  CHECK(seen(server, "app:a:b") == "VALUE app:a:b 0 5\r\nvalue\r\nEND\r\n");
  CHECK(server.ask("set app:c 7 0 5\r\nother\r\n", "\r\n") == "STORED\r\n");
  CHECK(store.get("c") == "other");
}

TEST_CASE("an expiry and user meta lie in a header before the value, which the flags announce") {
  const MemcachedServer server;
  Store store({&server});
  const std::int64_t expiry = store.host.time + 3'600'000;
  REQUIRE(store.set("k", "value", {.expiry = expiry, .user = "{\"a\":1}"}) == OMNISTORE_OK);
  Got got;
  REQUIRE(store.get("k", got, 0, UINT64_MAX, OMNISTORE_GET_META | OMNISTORE_GET_USER) == OMNISTORE_OK);
  CHECK(got.bytes == "value");
  CHECK(got.expiry == expiry);
  CHECK(got.user == "{\"a\":1}");
  const std::string raw = seen(server, "k");
  CHECK(raw.starts_with("VALUE k 1869442665 24\r\n"));
  CHECK(raw.ends_with("{\"a\":1}value\r\nEND\r\n"));
}

TEST_CASE("an expiry is kept to the millisecond, before memcached knows of it") {
  const MemcachedServer server;
  Store store({&server});
  const std::int64_t start = store.host.time, expiry = start + 60'000;
  REQUIRE(store.set("k", "v", {.expiry = expiry}) == OMNISTORE_OK);
  store.host.time = expiry - 1;
  CHECK(store.get("k") == "v");
  store.host.time = expiry;
  CHECK(store.get("k") == std::nullopt);
  CHECK(Batch(store, {"k"}).statuses[0] == OMNISTORE_NOT_FOUND);
  CHECK(store.remove("k") == OMNISTORE_NOT_FOUND);
  CHECK(store.touch("k", 0) == OMNISTORE_NOT_FOUND);
  CHECK(store.set("k", "w", {.condition = OMNISTORE_IF_PRESENT}) == OMNISTORE_CONFLICT);
  CHECK(store.set("k", "w", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_OK);
  CHECK(store.get("k") == "w");
}

TEST_CASE("memcached itself drops a value after its expiry") {
  const MemcachedServer server;
  Store store({&server});
  REQUIRE(store.set("k", "v", {.expiry = test::now_ms() + 1}) == OMNISTORE_OK);
  CHECK(test::eventually([&] { return seen(server, "k") == "END\r\n"; }));
}

TEST_CASE("an expiry in more than 30 days, or after 2038, keeps its value") {
  const MemcachedServer server;
  Store store({&server});
  const std::int64_t day = 24 * 3'600'000;
  for (const std::int64_t days : {29, 31, 400, 10'000}) {
    const std::int64_t expiry = store.host.time + days * day;
    REQUIRE(store.set("k", "v", {.expiry = expiry}) == OMNISTORE_OK);
    Got got;
    REQUIRE(store.get("k", got, 0, UINT64_MAX, OMNISTORE_GET_META) == OMNISTORE_OK);
    CHECK(got.expiry == expiry);
    REQUIRE(store.touch("k", expiry + 1) == OMNISTORE_OK);
    CHECK(store.get("k") == "v");
  }
}

TEST_CASE("a touch changes the expiry or the user meta, and keeps value and etag") {
  const MemcachedServer server;
  Store store({&server});
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  const std::string etag = store.etag("k");
  REQUIRE(store.touch("k", store.host.time + 60'000) == OMNISTORE_OK);
  REQUIRE(store.touch_user("k", "meta") == OMNISTORE_OK);
  CHECK(store.etag("k") == etag);
  CHECK(store.user("k") == "meta");
  CHECK(store.get("k") == "v");
  REQUIRE(store.touch("k", 0) == OMNISTORE_OK);
  REQUIRE(store.touch_user("k", "") == OMNISTORE_OK);
  CHECK(seen(server, "k") == "VALUE k 0 1\r\nv\r\nEND\r\n");
  REQUIRE(store.touch("k", store.host.time - 1) == OMNISTORE_OK);
  CHECK(store.get("k") == std::nullopt);
}

TEST_CASE("an etag that is not that of the value refuses a set and a remove") {
  const MemcachedServer server;
  Store store({&server});
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  const std::string old = store.etag("k");
  REQUIRE(store.set("k", "w", {.condition = OMNISTORE_IF_MATCH, .etag = old}) == OMNISTORE_OK);
  CHECK(store.set("k", "x", {.condition = OMNISTORE_IF_MATCH, .etag = old}) == OMNISTORE_CONFLICT);
  CHECK(store.remove("k", OMNISTORE_IF_MATCH, old) == OMNISTORE_CONFLICT);
  CHECK(store.get("k") == "w");
  CHECK(store.remove("k", OMNISTORE_IF_MATCH, store.etag("k")) == OMNISTORE_OK);
  CHECK(store.get("k") == std::nullopt);
  CHECK(store.set("k", "x", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_OK);
}

TEST_CASE("a counter that many threads raise by its etag loses no step") {
  const MemcachedServer server;
  Store store({&server});
  REQUIRE(store.set("n", "0") == OMNISTORE_OK);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      for (int i = 0; i < 50;) {
        Got got;
        store.get("n", got);
        const std::string next = std::to_string(std::stoi(got.bytes) + 1);
        i += store.set("n", next, {.condition = OMNISTORE_IF_MATCH, .etag = got.etag}) == OMNISTORE_OK;
      }
    });
  for (std::thread &thread : threads) thread.join();
  CHECK(store.get("n") == "200");
}

TEST_CASE("exactly one of many threads that set a key if it is absent succeeds") {
  const MemcachedServer server;
  Store store({&server});
  for (int round = 0; round < 20; ++round) {
    const std::string key = "k" + std::to_string(round);
    std::atomic<int> won = 0;
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t)
      threads.emplace_back([&] { won += store.set(key, "v", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_OK; });
    for (std::thread &thread : threads) thread.join();
    CHECK(won == 1);
  }
}

TEST_CASE("keys that memcached refuses as they are keep their values") {
  const MemcachedServer server;
  Store store({&server});
  const std::string start(240, 'x');
  const std::vector<std::string> keys = {"with blank",
                                         "with%20blank",
                                         "tab\there",
                                         "line\nbreak",
                                         "del\x7f",
                                         "é:ü",
                                         start,
                                         start + "0123456789",
                                         start + "01234567890",
                                         start + "01234567891",
                                         std::string(4096, 'k'),
                                         std::string(250, ' ')};
  for (const std::string &key : keys) REQUIRE(store.set(key, "value of " + key) == OMNISTORE_OK);
  for (const std::string &key : keys) CHECK(store.get(key) == "value of " + key);
  const Batch batch(store, keys);
  for (std::size_t i = 0; i < keys.size(); ++i) CHECK(batch.got[i].bytes == "value of " + keys[i]);
  CHECK(seen(server, "with%20blank").starts_with("VALUE"));
  CHECK(seen(server, "with%2520blank").starts_with("VALUE"));
}

TEST_CASE("the server's own limit of a value is known, and what is larger leaves the old value") {
  const MemcachedServer server({"-I", "2m"});
  Store store({&server});
  CHECK(store.traits.max_value_size > 2'000'000);
  CHECK(store.traits.max_value_size < 2 << 20);
  const std::string largest(store.traits.max_value_size, 'v');
  CHECK(store.set("k", largest) == OMNISTORE_OK);
  CHECK((store.get("k") == largest));
  CHECK(store.set("k", largest, {.expiry = store.host.time + 60'000}) == OMNISTORE_OK);
  CHECK(store.set("k", largest + "and more than fits beside it", {.user = "m"}) == OMNISTORE_TOO_LARGE);
  CHECK(store.message().find("item_size_max") != std::string::npos);
  CHECK((store.get("k") == largest));
  CHECK(store.touch_user("k", "meta") == OMNISTORE_TOO_LARGE);
}

TEST_CASE("a set in a server that may not evict is no space when it is full") {
  const MemcachedServer server({"-M", "-m", "2"});
  Store store({&server});
  const std::string value(100'000, 'v');
  omnistore_status status = OMNISTORE_OK;
  for (int i = 0; i < 1000 && status == OMNISTORE_OK; ++i) status = store.set("k" + std::to_string(i), value);
  CHECK(status == OMNISTORE_NO_SPACE);
  CHECK(store.message().find(server.address()) != std::string::npos);
  CHECK(store.get("k0") == value);
}

TEST_CASE("a listing is refused, and so is a clear") {
  const MemcachedServer server;
  Store store({&server});
  CHECK(store.traits.capabilities & OMNISTORE_CANNOT_LIST);
  CHECK_FALSE(store.driver().clear);
  CHECK_FALSE(store.driver().watch);
  omnistore_list_request request{};
  request.size = sizeof request;
  request.limit = 10;
  test::Call call;
  test::Page page;
  CHECK(store.driver().list(store.self(), &call, &request, &page) == OMNISTORE_UNSUPPORTED);
  CHECK(call.message() == "this driver cannot list its keys");
}

TEST_CASE("a batch of sets takes values of every size, and one that is too large fails alone") {
  const MemcachedServer one, two;
  Store store({&one, &two});
  std::vector<std::string> keys, values;
  for (std::size_t i = 0; i < 600; ++i) {
    keys.push_back("with blank " + std::to_string(i % 500));
    values.push_back(std::string(i * i / 10, static_cast<char>('a' + i % 26)));
  }
  values[507] = std::string("line\r\nbreak\0and NUL", 19);
  values[8] = std::string(store.traits.max_value_size + 1, 'x');
  const auto statuses = test::set_all(store, keys, values);
  for (std::size_t i = 0; i < 600; ++i) {
    CHECK(statuses[i] == (i == 8 ? OMNISTORE_TOO_LARGE : OMNISTORE_OK));
    if (i < 500 && i + 500 >= 600 && i != 8) CHECK((store.get(keys[i]) == values[i]));
    if (i >= 500) CHECK((store.get(keys[i]) == values[i]));
  }
  CHECK((store.get(keys[7]) == values[507]));
}

TEST_CASE("a batch of gets over several servers gives each its value, and the same key twice") {
  const MemcachedServer one, two, three;
  Store store({&one, &two, &three});
  std::vector<std::string> keys;
  for (int i = 0; i < 1000; ++i) {
    keys.push_back("k" + std::to_string(i));
    if (i % 3 != 0) REQUIRE(store.set(keys.back(), "v" + std::to_string(i)) == OMNISTORE_OK);
  }
  keys.push_back("k1");
  const Batch batch(store, keys, OMNISTORE_GET_META);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    REQUIRE(batch.statuses[i] == (i % 3 != 0 || i == 1000 ? OMNISTORE_OK : OMNISTORE_NOT_FOUND));
    if (batch.statuses[i] == OMNISTORE_OK) CHECK(batch.got[i].bytes == "v" + keys[i].substr(1));
  }
  for (const MemcachedServer *server : {&one, &two, &three}) {
    const std::string stats = server->ask("stats\r\n", "END\r\n");
    const std::size_t at = stats.find("curr_items ");
    CHECK(std::stoi(stats.substr(at + 11)) > 100);
  }
}

TEST_CASE("when a server is added most keys keep their place") {
  const MemcachedServer one, two, three, four;
  Store before({&one, &two, &three}), after({&one, &two, &three, &four});
  int same = 0;
  for (int i = 0; i < 400; ++i) {
    const std::string key = "k" + std::to_string(i);
    REQUIRE(before.set(key, "v") == OMNISTORE_OK);
    same += after.get(key) == "v";
  }
  CHECK(same > 240); // three of four keep their server
  CHECK(same < 400);
}

TEST_CASE("options of memcached that cannot be right fail the open as invalid") {
  test::Host host;
  for (const char *options :
       {R"({"servers": []})", R"({"servers": ["127.0.0.1:x"]})", R"({"servers": ["[::1"]})", R"({"servers": [":1"]})",
        R"({"servers": ["127.0.0.1:0"]})", R"({"servers": ["127.0.0.1:65536"]})", R"({"servers": ["::1"]})",
        R"({"servers": ["a/b"]})", R"({"servers": ["a:1", "a:1"]})"}) {
    INFO(options);
    test::Driven driven(test::memcached_driver());
    try {
      driven.open(host, options);
      FAIL("the store opens");
    } catch (const omnistore::testing::StatusError &refused) {
      CHECK(refused.status == OMNISTORE_INVALID);
    }
  }
}
