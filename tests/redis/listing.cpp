// SPDX-License-Identifier: Apache-2.0
#include "driven.hpp"

#include <algorithm>
#include <set>

#include "support/forwarder.hpp"

using test::Page;
using test::RedisClient;
using test::shared_server;
using test::Store;

namespace {

std::string numbered(std::string_view prefix, size_t number) {
  const std::string digits = std::to_string(number);
  return std::string(prefix) + std::string(6 - digits.size(), '0') + digits;
}

/// Sets `count` keys with another client, quickly.
void fill(RedisClient &other, const std::string &prefix, size_t count) {
  other({"EVAL", "for i = 1, tonumber(ARGV[2]) do redis.call('SET', string.format('%s%06d', ARGV[1], i), 'v') end", "0",
         prefix, std::to_string(count)});
}

} // namespace

TEST_CASE("a listing gives the keys of a base in the order of their bytes, page by page") {
  Store store;
  std::vector<std::string> expected;
  for (size_t i = 0; i < 1234; ++i) expected.push_back(numbered("b:", i));
  for (const std::string &key : expected) store.set(key, "v");
  store.set("bb", "v");
  store.set("a:1", "v");
  for (const uint32_t limit : {1u, 7u, 100u, 1234u, 5000u})
    CHECK(store.list("b:", OMNISTORE_ANY_DEPTH, limit) == expected);
  CHECK(store.list("b").size() == 1235); // a driver may get a text that is no base; keys that start with it
  CHECK(store.list("none:").empty());
}

TEST_CASE("glob characters in a base are characters") {
  const std::string option = test::option("url", shared_server().url());
  for (const char *base : {"g*", "g?", "g[ab]", "g[^a]", "g\\\\d", "g]-"}) {
    Store store("{" + option + "," + test::option("base", base) + "}");
    RedisClient other(shared_server());
    for (const char *near : {"gx:k", "ga:k", "gb:k", "gxy:k", "gd:k"}) other({"SET", near, "v"});
    store.set("x*y:k", "v");
    store.set("xzy:k", "v");
    store.set("x[z]y:k", "v");
    CHECK(store.list() == std::vector<std::string>{"x*y:k", "x[z]y:k", "xzy:k"});
    CHECK(store.list("x*y:") == std::vector<std::string>{"x*y:k"});
    CHECK(store.list("x[z]y:") == std::vector<std::string>{"x[z]y:k"});
  }
}

TEST_CASE("a base that begins another's name does not hold its keys") {
  Store store;
  RedisClient other(shared_server());
  other({"SET", store.base() + "x:k", "v"});
  other({"SET", "x" + store.base() + ":k", "v"});
  other({"SET", store.base(), "v"});
  store.set("k", "v");
  CHECK(store.list() == std::vector<std::string>{"k"});
}

TEST_CASE("names that are no keys of a store, and keys without values, are not listed") {
  Store store;
  RedisClient other(shared_server());
  for (const char *name : {"a::b", ":a", "a:", "a/b", "a?b", "a:..:b", "\xff"}) other({"SET", store.full(name), "v"});
  other({"SET", store.full(std::string(5000, 'k')), "v"});
  other({"LPUSH", store.full("list"), "v"});
  store.set("a:b", "v");
  CHECK(store.list() == std::vector<std::string>{"a:b"});
}

TEST_CASE("a cursor is good in another store and after a restart of the host") {
  RedisClient other(shared_server());
  const std::string base = Store::own_base();
  const std::string options = "{" + test::option("url", shared_server().url()) + "," + test::option("base", base) + "}";
  fill(other, base + ":", 300);
  std::string cursor;
  size_t seen = 0;
  do {
    Store store(options);
    Page page;
    REQUIRE(store.page(page, "", 70, cursor) == OMNISTORE_OK);
    for (const std::string &key : page.keys()) REQUIRE(key == numbered("", ++seen));
    cursor = page.cursor;
  } while (!cursor.empty());
  CHECK(seen == 300);
}

TEST_CASE("a cursor of another listing, or of none, is refused") {
  Store store;
  store.set("a:1", "v");
  store.set("a:2", "v");
  Page page, unused;
  REQUIRE(store.page(page, "a:", 1, "") == OMNISTORE_OK);
  REQUIRE_FALSE(page.cursor.empty());
  CHECK(store.page(unused, "b:", 1, page.cursor) == OMNISTORE_INVALID);
  CHECK(store.page(unused, "a:", 1, ":nonsense") == OMNISTORE_INVALID);
  CHECK(store.page(unused, "a:", 1, page.cursor) == OMNISTORE_OK);
}

TEST_CASE("cursors after the longest keys continue as well") {
  Store store;
  std::vector<std::string> keys;
  for (const char last : {'a', 'b', 'c'}) keys.push_back(std::string(4095, 'k') + last);
  for (const std::string &key : keys) store.set(key, "v");
  CHECK(store.list("", OMNISTORE_ANY_DEPTH, 1) == keys);
}

TEST_CASE("a key that is removed between two pages is not on the second, and a new one before it is not either") {
  Store store;
  for (size_t i = 0; i < 10; ++i) store.set(numbered("k", i), "v");
  Page first, second;
  REQUIRE(store.page(first, "", 5, "") == OMNISTORE_OK);
  store.remove(numbered("k", 7));
  store.set("k999999", "v");
  REQUIRE(store.page(second, "", 100, first.cursor) == OMNISTORE_OK);
  const auto keys = second.keys();
  CHECK_FALSE(std::count(keys.begin(), keys.end(), numbered("k", 7)));
  CHECK(store.list("", OMNISTORE_ANY_DEPTH, 100).back() == "k999999");
}

TEST_CASE("meta in a listing is size and expiry") {
  Store store;
  const int64_t expiry = test::now_ms() + 3'600'000;
  store.set("a", "12345", {.expiry = expiry});
  store.set("b", "");
  Page page;
  REQUIRE(store.page(page, "", 10, "", OMNISTORE_ANY_DEPTH, OMNISTORE_LIST_META) == OMNISTORE_OK);
  REQUIRE(page.items.size() == 2);
  const bool in_order = page.items[0].key == "a";
  CHECK(page.items[in_order ? 0 : 1].meta == std::pair<uint64_t, int64_t>{5, expiry});
  CHECK(page.items[in_order ? 1 : 0].meta == std::pair<uint64_t, int64_t>{0, 0});
}

namespace {

/// Keys that come and go, for the time of the object: the server's table grows, and shrinks when most are gone.
class Tide {
public:
  Tide(const test::RedisServer &server, std::string prefix, size_t keys)
      : prefix_(std::move(prefix)), keys_(keys), thread_([this, &server] { run(server); }) {}
  ~Tide() {
    stop_ = true;
    thread_.join();
  }

private:
  void run(const test::RedisServer &server) {
    RedisClient other(server);
    while (!stop_) {
      each(other, "redis.call('SET', key, 'v')");
      each(other, "redis.call('UNLINK', key)");
    }
  }
  void each(RedisClient &other, const std::string &what) {
    for (size_t i = 0; i < keys_ && !stop_; i += 500)
      other({"EVAL",
             "for i = ARGV[1], ARGV[1] + 499 do local key = string.format('%s%06d', ARGV[2], i) " + what + " end", "0",
             std::to_string(i), prefix_});
  }

  const std::string prefix_;
  const size_t keys_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

} // namespace

TEST_CASE("while others write a listing gives each key that was there throughout, and none twice") {
  test::RedisServer server({"--hz", "500"}); // so often the server looks whether its table should shrink
  Store store("{" + test::option("url", server.url()) + "," + test::option("base", "b") +
              ",\"scanCount\":10,\"commandTimeout\":60000}");
  RedisClient other(server);
  constexpr size_t stays = 1000;
  fill(other, "b:stay:", stays);
  const Tide tide(server, "b:go:", 12'000); // SCAN then gives again what it had given
  for (int run = 0; run < 15; ++run) {
    const std::vector<std::string> keys = store.list("", OMNISTORE_ANY_DEPTH, 1500);
    const std::set<std::string> distinct(keys.begin(), keys.end());
    REQUIRE(distinct.size() == keys.size());
    const auto stayed = [](const std::string &key) { return key.starts_with("stay:"); };
    REQUIRE(std::count_if(keys.begin(), keys.end(), stayed) == static_cast<long>(stays));
  }
}

TEST_CASE("many listings at once are each whole") {
  Store store;
  RedisClient other(shared_server());
  fill(other, store.full("k"), 1000);
  std::atomic<int> whole = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 12; ++i)
    threads.emplace_back([&] { whole += store.list("", OMNISTORE_ANY_DEPTH, 50).size() == 1000; });
  for (std::thread &thread : threads) thread.join();
  CHECK(whole == 12);
}

TEST_CASE("a clear removes the keys of its base alone, and emits each that it removed once") {
  Store store;
  RedisClient other(shared_server());
  fill(other, store.full("b:"), 2500);
  store.set("bb", "v");
  store.set("b", "v");
  other({"SET", "x" + store.full("b:1"), "v"});
  Page removed;
  REQUIRE(store.clear("b:", &removed) == OMNISTORE_OK);
  const auto keys = removed.keys();
  CHECK(keys.size() == 2500);
  CHECK(std::set(keys.begin(), keys.end()).size() == 2500);
  CHECK(store.list() == std::vector<std::string>{"b", "bb"});
  CHECK(other({"GET", "x" + store.full("b:1")}) == "v");
}

TEST_CASE("a clear of everything clears the store's base, and leaves keys that are no values") {
  Store store;
  RedisClient other(shared_server());
  store.set("a", "v");
  store.set("a$", "v");
  other({"LPUSH", store.full("list"), "v"});
  REQUIRE(store.clear() == OMNISTORE_OK);
  CHECK(store.list().empty());
  CHECK(other({"EXISTS", store.full("a$")}) == "0");
  CHECK(other({"EXISTS", store.full("list")}) == "1");
}

TEST_CASE("a listing and a clear during which another server takes over are whole") {
  test::RedisServer first, second; // the same keys, in other places of their tables
  for (test::RedisServer *server : {&first, &second}) {
    RedisClient other(*server);
    fill(other, "k", 5000);
  }
  test::Forwarder forwarder(first.port());
  Store store("{" + test::option("url", "redis://127.0.0.1:" + std::to_string(forwarder.port())) +
              ",\"scanCount\":100,\"poolSize\":1}");
  forwarder.switch_after(25, second.port());
  CHECK(store.list("", OMNISTORE_ANY_DEPTH, 10'000).size() == 5000);
  CHECK(forwarder.switched());
  forwarder.switch_after(25, first.port());
  // The piece that is cut off holds a removal or a step: the one makes it fail, the other is done again.
  if (store.clear() == OMNISTORE_OK) CHECK(store.list().empty());
  CHECK(forwarder.switched());
}
