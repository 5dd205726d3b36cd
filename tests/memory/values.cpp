// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "driven.hpp"

using test::Got;
using test::Store;

TEST_CASE("a value is read back byte for byte, whatever its size") {
  Store store;
  for (const size_t size : {0, 1, 15, 100, 4096, 16383, 16384, 1 << 20}) {
    std::string value(size, '\0');
    for (size_t i = 0; i < size; ++i) value[i] = static_cast<char>(i * 7 + size);
    const std::string key = test::numbered("key:", size);
    REQUIRE(store.set(key, value) == OMNISTORE_OK);
    REQUIRE(store.get(key) == value);
  }
}

TEST_CASE("a value is replaced by a longer and by a shorter one") {
  Store store;
  for (const size_t size : {10, 1000, 20, 100000, 0, 16384, 3})
    for (const char letter : {'a', 'b'}) {
      const std::string value(size, letter);
      REQUIRE(store.set("key", value) == OMNISTORE_OK);
      REQUIRE(store.get("key") == value);
      REQUIRE(store.list() == std::vector<std::string>{"key"});
    }
}

TEST_CASE("an absent key is not found, and nothing is begun") {
  Store store;
  store.set("a", "1");
  Got got;
  REQUIRE(store.get("b", got) == OMNISTORE_NOT_FOUND);
  REQUIRE(store.stat("b", got) == OMNISTORE_NOT_FOUND);
  REQUIRE(store.remove("b") == OMNISTORE_NOT_FOUND);
  REQUIRE(got.begun == 0);
}

TEST_CASE("keys a and a:b stand side by side") {
  Store store;
  store.set("a", "1");
  store.set("a:b", "2");
  REQUIRE(store.remove("a") == OMNISTORE_OK);
  REQUIRE(store.get("a") == std::nullopt);
  REQUIRE(store.get("a:b") == "2");
}

TEST_CASE("keys have up to 4096 bytes") {
  Store store;
  const std::string key(4096, 'k'), other = key.substr(1) + "l";
  store.set(key, "1");
  store.set(other, "2");
  REQUIRE(store.get(key) == "1");
  REQUIRE(store.get(other) == "2");
}

TEST_CASE("a range of a value is given, with the size of the whole") {
  const size_t size = GENERATE(26, 100000);
  Store store;
  std::string value(size, ' ');
  for (size_t i = 0; i < size; ++i) value[i] = static_cast<char>('a' + i % 26);
  store.set("key", value);
  const auto part = [&](uint64_t offset, uint64_t length) {
    Got got;
    REQUIRE(store.get("key", got, offset, length) == OMNISTORE_OK);
    REQUIRE(got.value_size == size);
    return got.bytes;
  };
  REQUIRE(part(0, 3) == "abc");
  REQUIRE(part(size - 2, UINT64_MAX) == value.substr(size - 2));
  REQUIRE(part(size - 2, 100) == value.substr(size - 2));
  REQUIRE(part(size, 1) == "");
  REQUIRE(part(UINT64_MAX, UINT64_MAX) == "");
  REQUIRE(part(5, 0) == "");
}

TEST_CASE("a sink without a buffer is given the value in a write") {
  Store store;
  const std::string value(GENERATE(5, 100000), 'v');
  store.set("key", value);
  Got got;
  got.offers_buffer = false;
  REQUIRE(store.get("key", got) == OMNISTORE_OK);
  REQUIRE(got.bytes == value);
}

TEST_CASE("a sink that fails to begin or to write ends the get with its status") {
  Store store;
  store.set("key", std::string(GENERATE(5, 100000), 'v'));
  Got got;
  got.write = [](omnistore_sink *, const void *, uint64_t) -> omnistore_status { return OMNISTORE_UNAVAILABLE; };
  REQUIRE(store.get("key", got) == OMNISTORE_UNAVAILABLE);
  got.begin = [](omnistore_sink *, const omnistore_meta *, void **) -> omnistore_status { return OMNISTORE_TIMEOUT; };
  REQUIRE(store.get("key", got) == OMNISTORE_TIMEOUT);
  REQUIRE(store.set("key", "again") == OMNISTORE_OK);
}

TEST_CASE("stat gives size, mtime and expiry, and no bytes") {
  Store store;
  store.set("key", "12345", {.expiry = store.now() + 1000});
  Got got;
  REQUIRE(store.stat("key", got) == OMNISTORE_OK);
  REQUIRE(got.begun == 1);
  REQUIRE(got.bytes.empty());
  REQUIRE(got.value_size == 5);
  REQUIRE(got.mtime == store.now());
  REQUIRE(got.expiry == store.now() + 1000);
}

TEST_CASE("mtime is that of the last set, not of a touch") {
  Store store;
  const int64_t first = store.now();
  store.set("key", "1");
  store.host.time += 10;
  store.touch("key", store.now() + 1000);
  Got touched, set;
  store.stat("key", touched);
  REQUIRE(touched.mtime == first);
  store.set("key", "2");
  store.stat("key", set);
  REQUIRE(set.mtime == first + 10);
}

TEST_CASE("the traits are true") {
  const omnistore_traits &traits = *test::memory_driver().traits;
  REQUIRE(traits.thread_model == OMNISTORE_PARALLEL);
  REQUIRE(traits.order == OMNISTORE_ORDER_KEYS);
  REQUIRE(traits.keeps == OMNISTORE_KEEPS_NOTHING);
  REQUIRE((traits.capabilities & OMNISTORE_NEVER_BLOCKS) != 0);
  REQUIRE((traits.capabilities & OMNISTORE_SHARED) == 0);
}
