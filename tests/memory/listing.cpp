// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "driven.hpp"

using test::Keys;
using test::numbered;
using test::Page;
using test::Store;

TEST_CASE("keys are listed in the order of their bytes, whatever the page's size") {
  Store store;
  Keys keys;
  for (size_t i = 0; i < 3000; ++i) keys.push_back(numbered(i % 3 ? "b:" : "a\xff", i * 7919 % 3000));
  for (const std::string &key : keys) store.set(key, "v");
  std::sort(keys.begin(), keys.end());
  for (const uint32_t limit : {1u, 2u, 7u, 64u, 1000u, 2999u, 3000u, 3001u, UINT32_MAX})
    REQUIRE(store.list("", OMNISTORE_ANY_DEPTH, limit) == keys);
}

TEST_CASE("a page holds no more than its limit, and the last one has no next") {
  Store store;
  for (size_t i = 0; i < 10; ++i) store.set(numbered("k", i), "v");
  Page first, second, all;
  store.page(first, "", 6, "");
  REQUIRE(first.items.size() == 6);
  REQUIRE(!first.cursor.empty());
  store.page(second, "", 6, first.cursor);
  REQUIRE(second.items.size() == 4);
  REQUIRE(second.cursor.empty());
  store.page(all, "", 10, "");
  REQUIRE(all.items.size() == 10);
  REQUIRE(all.cursor.empty());
}

TEST_CASE("a listing of a base holds the keys under it and no others") {
  Store store;
  for (const char *key : {"a", "a:", "a:b", "a:c:d", "a;", "aa:b", "b:a", "a:b:c"}) store.set(key, "v");
  REQUIRE(store.list("a:") == Keys{"a:", "a:b", "a:b:c", "a:c:d"});
  REQUIRE(store.list("c:").empty());
  REQUIRE(store.list("b:") == Keys{"b:a"});
}

TEST_CASE("a listing with a depth leaves out deeper keys") {
  Store store;
  Keys deep;
  for (size_t i = 0; i < 500; ++i) store.set(numbered("x:y:", i), "v");
  for (size_t i = 0; i < 500; ++i) store.set(numbered("x:y:z:", i), "v");
  for (const char *key : {"x", "x:a", "x:y", "x:y;", "x:z", "w:1", "y"}) store.set(key, "v");
  REQUIRE(store.list("", 0) == Keys{"x", "y"});
  REQUIRE(store.list("", 1) == Keys{"w:1", "x", "x:a", "x:y", "x:y;", "x:z", "y"});
  REQUIRE(store.list("x:", 0) == Keys{"x:a", "x:y", "x:y;", "x:z"});
  REQUIRE(store.list("x:", 1, 9).size() == 504);
  REQUIRE(store.list("", OMNISTORE_ANY_DEPTH).size() == 1007);
  REQUIRE(store.list("x:y:", 0).size() == 500);
}

TEST_CASE("a cursor is good after its key has gone") {
  Store store;
  for (const char *key : {"a", "b", "c", "d"}) store.set(key, "v");
  Page first, second;
  store.page(first, "", 2, "");
  store.remove("b");
  store.remove("c");
  store.page(second, "", 2, first.cursor);
  REQUIRE(second.items.size() == 1);
  REQUIRE(second.items[0].key == "d");
}

TEST_CASE("a cursor of another base is refused") {
  Store store;
  store.set("a:b", "v");
  Page page;
  REQUIRE(store.page(page, "a:", 2, "b:c") == OMNISTORE_INVALID);
  REQUIRE(store.message() == "the cursor is not one of a listing of this base");
}

TEST_CASE("a listing gives meta if the request wants it") {
  Store store;
  store.set("a", "12345", {.expiry = store.now() + 1000});
  Page with, without;
  store.page(with, "", 2, "", OMNISTORE_ANY_DEPTH, OMNISTORE_LIST_META);
  store.page(without, "", 2, "");
  REQUIRE(with.items[0].meta == std::pair<uint64_t, int64_t>{5, store.now() + 1000});
  REQUIRE(!without.items[0].meta);
}

TEST_CASE("a page that fails to take a key ends the listing with its status") {
  Store store;
  store.set("a", "v");
  Page page;
  page.emit = [](omnistore_page *, omnistore_bytes, const omnistore_meta *) -> omnistore_status {
    return OMNISTORE_UNAVAILABLE;
  };
  REQUIRE(store.page(page, "", 2, "") == OMNISTORE_UNAVAILABLE);
}

TEST_CASE("keys set in ascending and in descending order, and removed again, are listed right") {
  Store store;
  std::set<std::string> keys;
  const auto holds = [&] { return store.list() == Keys(keys.begin(), keys.end()); };
  for (size_t i = 5000; i < 10000; ++i) store.set(*keys.insert(numbered("k", i)).first, "v");
  for (size_t i = 5000; i-- > 0;) store.set(*keys.insert(numbered("k", i)).first, "v");
  REQUIRE(holds());
  for (size_t i = 0; i < 10000; ++i)
    if (i % 100 != 0) store.remove(numbered("k", i)), keys.erase(numbered("k", i));
  REQUIRE(holds());
  for (size_t i = 0; i < 10000; i += 3) store.set(*keys.insert(numbered("k", i)).first, "v");
  REQUIRE(holds());
}

TEST_CASE("keys that are removed when a part of them has been listed leave the others in order") {
  Store store;
  std::set<std::string> keys;
  for (size_t i = 0; i < 30'000; ++i) store.set(*keys.insert(numbered("k", i * 7919 % 30'000)).first, "v");
  Page page;
  store.page(page, "", 5000, "");
  for (size_t i = 0; i < 30'000; ++i)
    if (i % 7 != 0) store.remove(numbered("k", i)), keys.erase(numbered("k", i));
  REQUIRE(store.list() == Keys(keys.begin(), keys.end()));
}

TEST_CASE("a listing while others write holds every key that was there throughout, none twice") {
  Store store;
  Keys stay;
  for (size_t i = 0; i < 2000; ++i) stay.push_back(numbered("k", i * 10));
  for (const std::string &key : stay) store.set(key, "v");
  std::atomic<bool> stop{false};
  const auto write = [&](size_t offset) {
    for (size_t i = 0; !stop; ++i) {
      const std::string key = numbered("k", i * 7919 % 2000 * 10 + offset);
      store.set(key, "v");
      store.set(stay[i % 2000], std::string(i % 200, 'w'));
      if (i % 2) store.remove(key);
    }
  };
  std::thread one(write, 3), two(write, 7);
  for (int round = 0; round < 10; ++round) {
    const Keys keys = store.list("", OMNISTORE_ANY_DEPTH, 97);
    REQUIRE(std::adjacent_find(keys.begin(), keys.end(), std::greater_equal<>()) == keys.end());
    REQUIRE(std::includes(keys.begin(), keys.end(), stay.begin(), stay.end()));
  }
  stop = true;
  one.join(), two.join();
}
