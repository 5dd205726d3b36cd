// SPDX-License-Identifier: Apache-2.0
// User meta lies in the string `key$` beside the value, as unstorage has it, and belongs to one value.
#include "driven.hpp"

#include <algorithm>

using test::Got;
using test::How;
using test::RedisClient;
using test::shared_server;
using test::Store;

namespace {

const std::string user("\0{\"p\":1.10}\xff", 12);

How with(std::string_view text, std::int64_t expiry = 0, std::uint32_t condition = OMNISTORE_ALWAYS) {
  How how;
  how.expiry = expiry;
  how.condition = condition;
  how.user = text;
  return how;
}

} // namespace

TEST_CASE("user meta comes back with its value, byte for byte, and lies at unstorage's key") {
  Store store;
  RedisClient other(shared_server());
  CHECK(store.set("k", "v", with(user)) == OMNISTORE_OK);
  CHECK(store.user("k") == user);
  CHECK(other({"GET", store.full("k$")}) == user);
  Got got;
  CHECK(store.get("k", got, 0, UINT64_MAX, OMNISTORE_GET_USER) == OMNISTORE_OK);
  CHECK(got.bytes == "v");
  CHECK(got.user == user);
  Got without;
  CHECK(store.get("k", without, 0, UINT64_MAX, OMNISTORE_GET_META) == OMNISTORE_OK);
  CHECK(without.user.empty());
}

TEST_CASE("user meta goes with its value, however that ends") {
  Store store;
  RedisClient other(shared_server());
  store.set("k", "1", with(user));
  SECTION("set") { store.set("k", "2"); }
  SECTION("set if present") { store.set("k", "2", with("", 0, OMNISTORE_IF_PRESENT)); }
  SECTION("removed and set") {
    CHECK(store.remove("k") == OMNISTORE_OK);
    CHECK(other({"EXISTS", store.full("k$"), store.full("k$$")}) == "0");
    store.set("k", "2");
  }
  SECTION("removed by another program and set if absent") {
    other({"DEL", store.full("k")});
    CHECK(store.user("k").empty());
    store.set("k", "2", with("", 0, OMNISTORE_IF_ABSENT));
  }
  SECTION("cleared and set") {
    store.clear();
    store.set("k", "2");
  }
  SECTION("replaced by another program") {
    other({"SET", store.full("k"), "2"});
    CHECK(store.user("k").empty());
    Got got;
    CHECK(store.get("k", got, 0, UINT64_MAX, OMNISTORE_GET_USER) == OMNISTORE_OK);
    CHECK(got.user.empty());
    return;
  }
  CHECK(store.get("k") == "2");
  CHECK(store.user("k").empty());
  CHECK(other({"EXISTS", store.full("k$"), store.full("k$$")}) == "0");
}

TEST_CASE("user meta has the end of its value") {
  Store store;
  RedisClient other(shared_server());
  const std::int64_t expiry = test::now_ms() + 3'600'000;
  store.set("k", "1", with(user, expiry));
  for (const char *key : {"k", "k$", "k$$"}) CHECK(other({"PEXPIRETIME", store.full(key)}) == std::to_string(expiry));
  store.touch("k", expiry + 1000);
  for (const char *key : {"k", "k$", "k$$"})
    CHECK(other({"PEXPIRETIME", store.full(key)}) == std::to_string(expiry + 1000));
  store.touch_user("k", "other");
  for (const char *key : {"k$", "k$$"}) CHECK(other({"PEXPIRETIME", store.full(key)}) == std::to_string(expiry + 1000));
  CHECK(store.user("k") == "other");
  store.touch("k", 0);
  for (const char *key : {"k", "k$", "k$$"}) CHECK(other({"PEXPIRETIME", store.full(key)}) == "-1");
}

TEST_CASE("a touch changes user meta alone, and needs a value") {
  Store store;
  RedisClient other(shared_server());
  CHECK(store.touch_user("k", user) == OMNISTORE_NOT_FOUND);
  CHECK(other({"EXISTS", store.full("k$"), store.full("k$$")}) == "0");
  store.set("k", "1");
  const std::string etag = store.etag("k");
  CHECK(store.touch_user("k", user) == OMNISTORE_OK);
  CHECK(store.user("k") == user);
  CHECK(store.etag("k") == etag);
  CHECK(store.touch_user("k", "") == OMNISTORE_OK);
  CHECK(store.user("k").empty());
  CHECK(store.get("k") == "1");
}

TEST_CASE("user meta that unstorage writes belongs to the value that is there") {
  Store store;
  RedisClient other(shared_server());
  other({"SET", store.full("k"), "1"});
  other({"SET", store.full("k$"), R"({"n":1})"});
  CHECK(store.user("k") == R"({"n":1})");
  store.touch_user("k", "ours");
  other({"SET", store.full("k$"), R"({"n":2})"});
  CHECK(store.user("k") == R"({"n":2})");
  store.set("k", "2");
  CHECK(store.user("k").empty());
}

TEST_CASE("a set whose condition does not hold leaves value and user meta") {
  Store store;
  store.set("k", "1", with(user));
  CHECK(store.set("k", "2", with("other", 0, OMNISTORE_IF_ABSENT)) == OMNISTORE_CONFLICT);
  CHECK(store.set("k", "2", with("", 0, OMNISTORE_IF_ABSENT)) == OMNISTORE_CONFLICT);
  CHECK(store.set("none", "2", with("other", 0, OMNISTORE_IF_PRESENT)) == OMNISTORE_CONFLICT);
  CHECK(store.get("k") == "1");
  CHECK(store.user("k") == user);
  CHECK(store.user("none").empty());
}

TEST_CASE("user meta is not listed") {
  Store store;
  store.set("a", "1", with(user));
  store.set("b:c", "2", with(user));
  CHECK(store.list() == std::vector<std::string>{"a", "b:c"});
  CHECK(store.list("", OMNISTORE_ANY_DEPTH, 1) == std::vector<std::string>{"a", "b:c"});
  CHECK(store.list("b:") == std::vector<std::string>{"b:c"});
}

TEST_CASE("a clear removes user meta with its value or without one, and emits values alone") {
  Store store;
  RedisClient other(shared_server());
  const std::string longest(4096, 'k');
  for (const char *key : {"b:1", "b:2", "b:gone", "a"}) store.set(key, "1", with(user));
  store.set("b:" + longest.substr(2), "1", with(user));
  other({"DEL", store.full("b:gone"), store.full("b:" + longest.substr(2))});
  other({"LPUSH", store.full("b:list"), "x"});
  other({"SET", store.full("b:list$"), "x"});
  test::Page removed;
  REQUIRE(store.clear("b:", &removed) == OMNISTORE_OK);
  auto keys = removed.keys();
  std::sort(keys.begin(), keys.end());
  CHECK(keys == std::vector<std::string>{"b:1", "b:2"});
  CHECK(other({"KEYS", store.full("b:*")}) == store.full("b:list"));
  CHECK(store.user("a") == user);
}

TEST_CASE("user meta of a value that is gone is not found") {
  Store store;
  RedisClient other(shared_server());
  store.set("k", "1", with(user));
  other({"DEL", store.full("k")});
  Got got;
  CHECK(store.stat("k", got, OMNISTORE_GET_USER) == OMNISTORE_NOT_FOUND);
  CHECK(store.get("k", got, 0, UINT64_MAX, OMNISTORE_GET_USER) == OMNISTORE_NOT_FOUND);
  CHECK(store.get("k", got, 0, UINT64_MAX, OMNISTORE_GET_USER | OMNISTORE_GET_META) == OMNISTORE_NOT_FOUND);
}

TEST_CASE("a key of another type stays corrupt when user meta is read or given") {
  Store store;
  RedisClient other(shared_server());
  other({"LPUSH", store.full("list"), "x"});
  Got got;
  CHECK(store.stat("list", got, OMNISTORE_GET_USER) == OMNISTORE_CORRUPT);
  CHECK(store.get("list", got, 0, UINT64_MAX, OMNISTORE_GET_USER) == OMNISTORE_CORRUPT);
  CHECK(store.touch_user("list", user) == OMNISTORE_CORRUPT);
  CHECK(store.touch_user("list", "") == OMNISTORE_CORRUPT);
  CHECK(store.set("list", "v", with(user, 0, OMNISTORE_IF_ABSENT)) == OMNISTORE_CORRUPT);
  CHECK(store.set("list", "v", with(user, 0, OMNISTORE_IF_PRESENT)) == OMNISTORE_CORRUPT);
  CHECK(store.set("list", "v", with(user, 0, OMNISTORE_IF_MATCH)) == OMNISTORE_CORRUPT);
  CHECK(other({"EXISTS", store.full("list$"), store.full("list$$")}) == "0");
  CHECK(other({"TYPE", store.full("list")}) == "list");
}

TEST_CASE("user meta that is no string, or too long, counts as absent") {
  Store store;
  RedisClient other(shared_server());
  store.set("k", "1");
  SECTION("a list") { other({"LPUSH", store.full("k$"), "x"}); }
  SECTION("too long") { other({"SET", store.full("k$"), std::string(OMNISTORE_MAX_USER_SIZE + 1, 'x')}); }
  CHECK(store.user("k").empty());
  Got got;
  CHECK(store.get("k", got, 0, UINT64_MAX, OMNISTORE_GET_USER) == OMNISTORE_OK);
  CHECK(got.bytes == "1");
  CHECK(got.user.empty());
}

TEST_CASE("an etag that reads as another condition matches nothing") {
  Store store;
  for (const char *etag : {"", "NX", "XX"}) {
    How how = with(user, 0, OMNISTORE_IF_MATCH);
    how.etag = etag;
    CHECK(store.set("none", "v", how) == OMNISTORE_CONFLICT);
    store.set("k", "1");
    CHECK(store.set("k", "v", how) == OMNISTORE_CONFLICT);
    CHECK(store.get("k") == "1");
  }
}

TEST_CASE("a set with user meta that a full server refuses leaves the old value, whole") {
  test::RedisServer server({"--maxmemory", "100kb", "--maxmemory-policy", "noeviction"});
  RedisClient other(server);
  Store store("{" + test::option("url", server.url()) + "}");
  CHECK(store.set("k", "x", with(user)) == OMNISTORE_NO_SPACE);
  CHECK(other({"EXISTS", "k", "k$", "k$$"}) == "0");
  other({"CONFIG", "SET", "maxmemory", "0"});
  CHECK(store.set("k", "old", with(user)) == OMNISTORE_OK);
  other({"CONFIG", "SET", "maxmemory", "1"});
  CHECK(store.set("k", "new", with("other")) == OMNISTORE_NO_SPACE);
  CHECK(store.get("k") == "old");
  CHECK(store.user("k") == user);
}

TEST_CASE("the option ttl ends value and user meta together") {
  Store store("{" + test::option("url", shared_server().url()) + "," + test::option("base", Store::own_base()) +
              ",\"ttl\":3600000}");
  RedisClient other(shared_server());
  store.set("k", "1", with(user));
  const std::string expiry = other({"PEXPIRETIME", store.full("k")});
  CHECK(expiry != "-1");
  for (const char *key : {"k$", "k$$"}) CHECK(other({"PEXPIRETIME", store.full(key)}) == expiry);
}

TEST_CASE("user meta whose time is over with its value is gone from the server") {
  Store store;
  RedisClient other(shared_server());
  store.set("k", "1", with(user, test::now_ms() + 30));
  CHECK(test::eventually([&] {
    return other({"EXISTS", store.full("k"), store.full("k$"), store.full("k$$")}) == "0";
  }));
  store.set("k", "1", with(user));
  store.set("k", "2", with("other", test::now_ms() - 5));
  CHECK(store.get("k") == std::nullopt);
  CHECK(other({"EXISTS", store.full("k"), store.full("k$"), store.full("k$$")}) == "0");
}
