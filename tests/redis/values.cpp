// SPDX-License-Identifier: Apache-2.0
#include "driven.hpp"

using test::Got;
using test::RedisClient;
using test::shared_server;
using test::Store;

TEST_CASE("a value comes back byte by byte, whatever is in it") {
  Store store;
  std::string all;
  for (int i = 0; i < 256; ++i) all += static_cast<char>(i);
  for (const std::string &value :
       {all, std::string(), std::string("\r\n$5\r\n"), std::string(1 << 20, '\0'), all + all}) {
    REQUIRE(store.set("v", value) == OMNISTORE_OK);
    CHECK(store.get("v") == value);
  }
}

TEST_CASE("an empty value is a value") {
  Store store;
  CHECK(store.set("empty", "") == OMNISTORE_OK);
  Got got;
  CHECK(store.stat("empty", got) == OMNISTORE_OK);
  CHECK(got.value_size == 0);
  CHECK(store.remove("empty") == OMNISTORE_OK);
  CHECK(store.get("empty") == std::nullopt);
}

TEST_CASE("a key without a value is not found, and the sink is not begun") {
  Store store;
  Got got;
  CHECK(store.get("none", got) == OMNISTORE_NOT_FOUND);
  CHECK(store.get("none", got, 0, UINT64_MAX, OMNISTORE_GET_META) == OMNISTORE_NOT_FOUND);
  CHECK(store.get("none", got, 1, 2) == OMNISTORE_NOT_FOUND);
  CHECK(store.stat("none", got) == OMNISTORE_NOT_FOUND);
  CHECK(store.stat("none", got, OMNISTORE_GET_META) == OMNISTORE_NOT_FOUND);
  CHECK(store.remove("none") == OMNISTORE_NOT_FOUND);
  CHECK(got.begun == 0);
}

TEST_CASE("a value of 16 MiB goes both ways") {
  Store store;
  std::string value(16 << 20, 'x');
  for (size_t i = 0; i < value.size(); i += 4096) value[i] = static_cast<char>(i >> 12);
  REQUIRE(store.set("large", value) == OMNISTORE_OK);
  CHECK((store.get("large") == value));
}

TEST_CASE("keys lie as unstorage's driver puts them: base, ':' and key") {
  Store store;
  RedisClient other(shared_server());
  REQUIRE(store.set("a:b", "ours") == OMNISTORE_OK);
  CHECK(other({"GET", store.base() + ":a:b"}) == "ours");
  other({"SET", store.base() + ":a", "theirs"});
  CHECK(store.get("a") == "theirs");
  CHECK(store.list() == std::vector<std::string>{"a", "a:b"});
}

TEST_CASE("a base is taken as unstorage's driver takes it") {
  for (const auto &[base, prefix] : {std::pair{"x1/y", "x1:y:"}, {"x2:", "x2:"}, {":x3:", "x3:"}, {"x4", "x4:"}}) {
    Store store("{" + test::option("url", shared_server().url()) + "," + test::option("base", base) + "}");
    REQUIRE(store.set("k", base) == OMNISTORE_OK);
    CHECK(RedisClient(shared_server())({"GET", prefix + std::string("k")}) == base);
  }
}

TEST_CASE("without a base a key lies under its own name") {
  test::RedisServer server;
  Store store("{" + test::option("url", server.url()) + "}");
  REQUIRE(store.set("a:b", "v") == OMNISTORE_OK);
  CHECK(RedisClient(server)({"KEYS", "*"}) == "a:b");
  CHECK(store.list() == std::vector<std::string>{"a:b"});
}

TEST_CASE("a key that ends in '$' is read and written as any other, and is listed only if it is a layer's") {
  Store store;
  REQUIRE(store.set("k$", "{}") == OMNISTORE_OK);
  CHECK(store.get("k$") == "{}");
  CHECK(store.list().empty());
  REQUIRE(store.set("layer$:k$", "{}") == OMNISTORE_OK);
  CHECK(store.list() == std::vector<std::string>{"layer$:k$"});
  CHECK(store.set("k$", "2", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_CONFLICT);
  CHECK(store.set("k$", "2", {.condition = OMNISTORE_IF_PRESENT}) == OMNISTORE_OK);
  CHECK(store.remove("k$") == OMNISTORE_OK);
}

TEST_CASE("a range is read without the rest, and reported with the whole value's size") {
  Store store;
  store.set("r", "0123456789");
  const auto range = [&](uint64_t offset, uint64_t length) {
    Got got;
    REQUIRE(store.get("r", got, offset, length) == OMNISTORE_OK);
    CHECK(got.value_size == 10);
    return got.bytes;
  };
  CHECK(range(2, 3) == "234");
  CHECK(range(7, 100) == "789");
  CHECK(range(0, 0) == "");
  CHECK(range(5, 0) == "");
  CHECK(range(0, 1) == "0");
  CHECK(range(10, 5) == "");
  CHECK(range(UINT64_MAX, UINT64_MAX) == "");
  CHECK(range(3, UINT64_MAX) == "3456789");
}

TEST_CASE("get, stat and set have the same etag, which changes with the value") {
  Store store;
  Got set, read;
  REQUIRE(store.set("e", "one", {}, &set) == OMNISTORE_OK);
  REQUIRE(store.get("e", read, 0, UINT64_MAX, OMNISTORE_GET_META) == OMNISTORE_OK);
  CHECK(set.etag.size() == 40);
  CHECK(read.etag == set.etag);
  CHECK(store.etag("e") == set.etag);
  store.set("e", "two");
  CHECK(store.etag("e") != set.etag);
  Got plain;
  store.get("e", plain, 0, UINT64_MAX, 0);
  CHECK(plain.etag.empty());
}

TEST_CASE("a key of another type is corrupt, and the message says so") {
  Store store;
  RedisClient other(shared_server());
  other({"LPUSH", store.full("list"), "x"});
  Got got;
  CHECK(store.get("list", got) == OMNISTORE_CORRUPT);
  CHECK(store.message().find("WRONGTYPE") != std::string::npos);
  CHECK(store.message().find("another type than a string") != std::string::npos);
  CHECK(store.get("list", got, 0, UINT64_MAX, OMNISTORE_GET_META) == OMNISTORE_CORRUPT);
  CHECK(store.stat("list", got) == OMNISTORE_CORRUPT);
  CHECK(store.stat("list", got, OMNISTORE_GET_META) == OMNISTORE_CORRUPT);
  CHECK(got.begun == 0);
}

TEST_CASE("a write with a condition, or a new ttl, of a key of another type is corrupt and leaves it") {
  Store store;
  RedisClient other(shared_server());
  other({"LPUSH", store.full("list"), "x"});
  const auto is_corrupt = [&](omnistore_status status) {
    return status == OMNISTORE_CORRUPT && store.message().find("another type than a string") != std::string::npos;
  };
  CHECK(is_corrupt(store.set("list", "v", {.condition = OMNISTORE_IF_ABSENT})));
  CHECK(is_corrupt(store.set("list", "v", {.condition = OMNISTORE_IF_PRESENT})));
  CHECK(is_corrupt(store.set("list", "v", {.condition = OMNISTORE_IF_MATCH, .etag = "x"})));
  CHECK(is_corrupt(store.remove("list", OMNISTORE_IF_MATCH, "x")));
  CHECK(is_corrupt(store.touch("list", 0)));
  CHECK(is_corrupt(store.touch("list", test::now_ms() + 100'000)));
  Got got;
  CHECK(is_corrupt(store.get("list", got, 1, 2)));
  CHECK(other({"TYPE", store.full("list")}) == "list");
  CHECK(other({"PTTL", store.full("list")}) == "-1");
}

TEST_CASE("a server that is full is no space") {
  test::RedisServer server({"--maxmemory", "100kb", "--maxmemory-policy", "noeviction"});
  Store store("{" + test::option("url", server.url()) + "}");
  CHECK(store.set("k", "x") == OMNISTORE_NO_SPACE);
  CHECK(store.message().starts_with("OOM"));
}

TEST_CASE("a replica takes no writes") {
  test::RedisServer server;
  RedisClient other(server);
  Store store("{" + test::option("url", server.url()) + "}");
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  REQUIRE(other({"CONFIG", "SET", "replica-serve-stale-data", "yes"}) == "OK");
  REQUIRE(other({"REPLICAOF", "127.0.0.1", "1"}) == "OK");
  CHECK(store.set("k", "w") == OMNISTORE_READ_ONLY);
  CHECK(store.get("k") == "v");
}
