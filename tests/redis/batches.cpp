// SPDX-License-Identifier: Apache-2.0
#include "many.hpp"

#include <algorithm>

using test::Got;
using test::Item;
using test::Many;
using test::RedisClient;
using test::shared_server;
using test::Store;

namespace {

using Keys = test::BatchKeys;

std::string batch_key(size_t i) { return "k" + std::to_string(i); }

} // namespace

TEST_CASE("a batch of gets gives each its value, and not found for absent keys") {
  Store store;
  std::vector<std::string> names;
  for (size_t i = 0; i < 2000; ++i) {
    names.push_back(batch_key(i));
    if (i % 3 != 0) store.set(names.back(), "value" + std::to_string(i));
  }
  Many many;
  REQUIRE(get_many(store, Keys(names), many) == OMNISTORE_OK);
  for (size_t i = 0; i < 2000; ++i) {
    REQUIRE(many.statuses[i] == (i % 3 != 0 ? OMNISTORE_OK : OMNISTORE_NOT_FOUND));
    if (i % 3 != 0) REQUIRE(many.got[i].bytes == "value" + std::to_string(i));
  }
}

TEST_CASE("a batch has etags and expiries if it wants meta") {
  Store store;
  const int64_t expiry = test::now_ms() + 3'600'000;
  store.set("a", "1", {.expiry = expiry});
  store.set("b", "2");
  Many many;
  REQUIRE(get_many(store, Keys({"a", "none", "b"}), many, OMNISTORE_GET_META) == OMNISTORE_OK);
  CHECK(many.statuses == std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_NOT_FOUND, OMNISTORE_OK});
  CHECK(many.got[0].expiry == expiry);
  CHECK(many.got[0].etag == store.etag("a"));
  CHECK(many.got[2].expiry == 0);
  CHECK(many.got[2].bytes == "2");
}

TEST_CASE("a batch of ranges gives the same part of each") {
  Store store;
  store.set("a", "0123456789");
  store.set("b", "012");
  Many many;
  REQUIRE(get_many(store, Keys({"a", "none", "b"}), many, 0, 2, 3) == OMNISTORE_OK);
  CHECK(many.statuses == std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_NOT_FOUND, OMNISTORE_OK});
  CHECK(many.got[0].bytes == "234");
  CHECK(many.got[2].bytes == "2");
}

TEST_CASE("a batch of sets does each in its way, and the last of a key wins") {
  Store store;
  store.set("there", "old");
  const std::string etag = store.etag("there");
  RedisClient other(shared_server());
  const int64_t expiry = test::now_ms() + 3'600'000;
  Many many;
  const std::deque<Item> items{{"1", {}},
                               {"2", {.condition = OMNISTORE_IF_ABSENT}},
                               {"3", {.condition = OMNISTORE_IF_PRESENT}},
                               {"4", {.condition = OMNISTORE_IF_MATCH, .etag = etag}},
                               {"5", {.expiry = expiry}}};
  REQUIRE(set_many(store, Keys({"a", "a", "b", "there", "a"}), items, many) == OMNISTORE_OK);
  CHECK(many.statuses == std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_CONFLICT, OMNISTORE_CONFLICT,
                                                       OMNISTORE_OK, OMNISTORE_OK});
  CHECK(store.get("a") == "5");
  CHECK(store.get("b") == std::nullopt);
  CHECK(store.get("there") == "4");
  CHECK(other.number({"PEXPIRETIME", store.full("a")}) == expiry);
}

TEST_CASE("a batch of sets is as long and as large as it is") {
  Store store;
  std::vector<std::string> names;
  std::deque<Item> items;
  for (size_t i = 0; i < 1500; ++i) {
    names.push_back(batch_key(i));
    items.push_back({std::string(i % 100 == 0 ? 1 << 20 : 10, static_cast<char>('a' + i % 26)), {}});
  }
  Many many;
  REQUIRE(set_many(store, Keys(names), items, many) == OMNISTORE_OK);
  CHECK(std::count(many.statuses.begin(), many.statuses.end(), OMNISTORE_OK) == 1500);
  for (size_t i = 0; i < 1500; i += 50) REQUIRE((store.get(names[i]) == items[i].value));
}

TEST_CASE("a batch of removes says which were there") {
  Store store;
  store.set("a", "1");
  store.set("b", "2");
  Many many;
  REQUIRE(remove_many(store, Keys({"a", "none", "b", "a"}), many) == OMNISTORE_OK);
  CHECK(many.statuses ==
        std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_NOT_FOUND, OMNISTORE_OK, OMNISTORE_NOT_FOUND});
  CHECK(store.list().empty());
}

TEST_CASE("if a part of a batch is refused each item says so for itself") {
  test::RedisServer server;
  RedisClient other(server);
  REQUIRE(other({"ACL", "SETUSER", "default", "resetkeys", "~good*"}) == "OK");
  Store store("{" + test::option("url", server.url()) + "}");
  Many many;
  REQUIRE(set_many(store, Keys({"good1", "bad", "good2"}), {{"1", {}}, {"2", {}}, {"3", {}}}, many) == OMNISTORE_OK);
  CHECK(many.statuses == std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_DENIED, OMNISTORE_OK});
  CHECK(many.call.messages.at(1).starts_with("NOPERM"));
  CHECK_FALSE(many.call.messages.contains(0));
}

TEST_CASE("a key of another type fails only its own item of a batch, however the batch reads") {
  const uint32_t flags = GENERATE(0u, OMNISTORE_GET_META);
  const uint64_t length = GENERATE(uint64_t{2}, UINT64_MAX);
  Store store;
  RedisClient other(shared_server());
  store.set("a", "1");
  store.set("b", "2");
  other({"LPUSH", store.full("list"), "x"});
  other({"HSET", store.full("hash"), "field", "x"});
  Many many;
  REQUIRE(get_many(store, Keys({"a", "list", "none", "hash", "b"}), many, flags, 0, length) == OMNISTORE_OK);
  CHECK(many.statuses == std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_CORRUPT, OMNISTORE_NOT_FOUND,
                                                       OMNISTORE_CORRUPT, OMNISTORE_OK});
  CHECK(many.call.messages.at(1).find("another type than a string") != std::string::npos);
  CHECK(many.got[0].bytes == "1");
  CHECK(many.got[4].bytes == "2");
}

TEST_CASE("a key of another type is reported after the first piece of a batch") {
  Store store;
  RedisClient other(shared_server());
  std::vector<std::string> names;
  for (size_t i = 0; i < 1200; ++i) names.push_back(batch_key(i));
  other({"LPUSH", store.full(names[1100]), "x"});
  Many many;
  REQUIRE(get_many(store, Keys(names), many) == OMNISTORE_OK);
  CHECK(many.statuses[1100] == OMNISTORE_CORRUPT);
  CHECK(std::count(many.statuses.begin(), many.statuses.end(), OMNISTORE_NOT_FOUND) == 1199);
  CHECK(many.call.messages.at(1100).find("WRONGTYPE") != std::string::npos);
}

TEST_CASE("a key of another type fails only its own item of a batch of sets with conditions, and stays") {
  Store store;
  RedisClient other(shared_server());
  const std::vector<std::string> bad{"l1", "l2", "l3"};
  for (const std::string &name : bad) other({"LPUSH", store.full(name), "x"});
  store.set("there", "old");
  Many many;
  const std::deque<Item> items{{"1", {.condition = OMNISTORE_IF_ABSENT}},
                               {"2", {.condition = OMNISTORE_IF_PRESENT}},
                               {"3", {.condition = OMNISTORE_IF_MATCH, .etag = "x"}},
                               {"4", {.condition = OMNISTORE_IF_ABSENT}},
                               {"5", {.condition = OMNISTORE_IF_PRESENT}},
                               {"6", {.condition = OMNISTORE_IF_PRESENT}}};
  REQUIRE(set_many(store, Keys({"l1", "l2", "l3", "there", "there", "none"}), items, many) == OMNISTORE_OK);
  CHECK(many.statuses == std::vector<omnistore_status>{OMNISTORE_CORRUPT, OMNISTORE_CORRUPT, OMNISTORE_CORRUPT,
                                                       OMNISTORE_CONFLICT, OMNISTORE_OK, OMNISTORE_CONFLICT});
  CHECK(store.get("there") == "5");
  for (const std::string &name : bad) CHECK(other({"TYPE", store.full(name)}) == "list");
}

TEST_CASE("a batch of sets stores user meta with each value, and drops that of older values") {
  Store store;
  RedisClient other(shared_server());
  const int64_t expiry = test::now_ms() + 3'600'000;
  for (const char *key : {"a", "b", "c"}) store.set(key, "old", {.user = "old"});
  Many many;
  const std::deque<Item> items{{"1", {.expiry = expiry, .user = "new"}},
                               {"2", {}},
                               {"3", {.condition = OMNISTORE_IF_ABSENT, .user = "new"}},
                               {"4", {.user = "first"}},
                               {"5", {}}};
  REQUIRE(set_many(store, Keys({"a", "b", "c", "d", "d"}), items, many) == OMNISTORE_OK);
  CHECK(many.statuses ==
        std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_OK, OMNISTORE_CONFLICT, OMNISTORE_OK, OMNISTORE_OK});
  CHECK(store.user("a") == "new");
  for (const char *key : {"a", "a$", "a$$"}) CHECK(other.number({"PEXPIRETIME", store.full(key)}) == expiry);
  CHECK(store.user("c") == "old");
  for (const char *key : {"b", "d"}) CHECK(other({"EXISTS", store.full(key) + "$", store.full(key) + "$$"}) == "0");
}

TEST_CASE("a batch of removes takes user meta along") {
  Store store;
  RedisClient other(shared_server());
  for (const char *key : {"a", "b"}) store.set(key, "1", {.user = "mine"});
  Many many;
  REQUIRE(remove_many(store, Keys({"a", "none", "b"}), many) == OMNISTORE_OK);
  CHECK(many.statuses == std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_NOT_FOUND, OMNISTORE_OK});
  CHECK(other({"KEYS", store.full("*")}).empty());
}

TEST_CASE("a batch of gets gives user meta if it wants it, and never that of another value") {
  Store store;
  RedisClient other(shared_server());
  store.set("a", "1", {.user = "mine"});
  store.set("b", "2");
  store.set("stale", "3", {.user = "mine"});
  other({"SET", store.full("stale"), "4"});
  other({"LPUSH", store.full("list"), "x"});
  Many with, without;
  REQUIRE(get_many(store, Keys({"a", "b", "none", "stale", "list"}), with, OMNISTORE_GET_USER) == OMNISTORE_OK);
  CHECK(with.statuses == std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_OK, OMNISTORE_NOT_FOUND, OMNISTORE_OK,
                                                       OMNISTORE_CORRUPT});
  CHECK(with.got[0].user == "mine");
  CHECK(with.got[1].user.empty());
  CHECK(with.got[3].bytes == "4");
  CHECK(with.got[3].user.empty());
  REQUIRE(get_many(store, Keys({"a"}), without, OMNISTORE_GET_META) == OMNISTORE_OK);
  CHECK(without.got[0].user.empty());
}

TEST_CASE("a batch of stats gives each value's meta, as each item wants it") {
  Store store;
  store.set("a", "1");
  store.set("b", "22", {.expiry = test::now_ms() + 60'000});
  store.set("u", "333", {.user = "mine"});
  const Keys keys({"a", "none", "b", "u", "a"});
  const omnistore_get_request plain{sizeof plain, 0, 0, UINT64_MAX},
      meta{sizeof meta, OMNISTORE_GET_META, 0, UINT64_MAX}, user{sizeof user, OMNISTORE_GET_USER, 0, UINT64_MAX};
  const omnistore_get_request *requests[] = {&plain, &meta, &meta, &user, &meta};
  Many many;
  std::vector<omnistore_sink *> sinks;
  for (size_t i = 0; i < keys.views.size(); ++i) sinks.push_back(&many.got.emplace_back());
  many.statuses.assign(keys.views.size(), OMNISTORE_INTERNAL);
  REQUIRE(store.driver().stat_many(store.self(), &many.call, keys.views.data(), 5, requests, sinks.data(),
                                   many.statuses.data()) == OMNISTORE_OK);
  CHECK(many.statuses ==
        std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_NOT_FOUND, OMNISTORE_OK, OMNISTORE_OK, OMNISTORE_OK});
  CHECK(many.got[0].value_size == 1);
  CHECK(many.got[0].etag.empty());
  CHECK(many.got[2].value_size == 2);
  CHECK(many.got[2].expiry != 0);
  CHECK_FALSE(many.got[2].etag.empty());
  CHECK(many.got[3].value_size == 3);
  CHECK(many.got[3].user == "mine");
  CHECK_FALSE(many.got[4].etag.empty());
}

TEST_CASE("a batch of sets gives the etag of each value whose sink is there") {
  Store store;
  const Keys keys({"a", "b", "c"});
  const std::deque<Item> items{{"1", {}}, {"2", {}}, {"3", {.expiry = test::now_ms() + 60'000}}};
  std::deque<omnistore_set_request> requests;
  std::vector<const omnistore_set_request *> pointers;
  for (const Item &item : items) pointers.push_back(&requests.emplace_back(Store::set_request(item.value, item.how)));
  Many many;
  for (int i = 0; i < 3; ++i) many.got.emplace_back();
  omnistore_sink *results[] = {&many.got[0], nullptr, &many.got[2]};
  many.statuses.assign(3, OMNISTORE_INTERNAL);
  REQUIRE(store.driver().set_many(store.self(), &many.call, keys.views.data(), 3, pointers.data(), results,
                                  many.statuses.data()) == OMNISTORE_OK);
  for (const char *key : {"a", "c"}) {
    Got stat;
    REQUIRE(store.stat(key, stat, OMNISTORE_GET_META) == OMNISTORE_OK);
    CHECK(many.got[key == std::string("a") ? 0 : 2].etag == stat.etag);
  }
}

TEST_CASE("a batch of removals takes a condition for each item") {
  Store store;
  for (const char *key : {"a", "b", "c"}) store.set(key, "v");
  Got got;
  REQUIRE(store.stat("a", got, OMNISTORE_GET_META) == OMNISTORE_OK);
  const omnistore_remove_request match{sizeof match, 0, OMNISTORE_IF_MATCH, 0, omnistore::as_bytes(got.etag)},
      other{sizeof other, 0, OMNISTORE_IF_MATCH, 0, omnistore::as_bytes("other")},
      plain{sizeof plain, 0, OMNISTORE_ALWAYS, 0, {}};
  const omnistore_remove_request *requests[] = {&match, &other, &plain, &plain};
  const Keys keys({"a", "b", "c", "none"});
  Many many;
  many.statuses.assign(4, OMNISTORE_INTERNAL);
  REQUIRE(store.driver().remove_many(store.self(), &many.call, keys.views.data(), 4, requests, many.statuses.data()) ==
          OMNISTORE_OK);
  CHECK(many.statuses ==
        std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_CONFLICT, OMNISTORE_OK, OMNISTORE_NOT_FOUND});
}
