// SPDX-License-Identifier: Apache-2.0
// Keys `a` and `a:b` side by side.
#include <thread>

#include "driven.hpp"

using namespace test;

TEST_CASE("a and a:b hold their own values, whichever comes first") {
  Fixture f;
  f.store.set("a", "1");
  f.store.set("a:b", "2");
  f.store.set("c:d", "3");
  f.store.set("c", "4");
  CHECK(f.store.get("a") == "1");
  CHECK(f.store.get("a:b") == "2");
  CHECK(f.store.get("c") == "4");
  CHECK(f.store.get("c:d") == "3");
  CHECK(f.store.list() == Keys{"a", "a:b", "c", "c:d"});
  CHECK(f.names() == Keys{"a", "a/$", "a/b", "c", "c/$", "c/d"});
}

TEST_CASE("keys nest to any depth over values that are there") {
  Fixture f;
  const Keys keys{"a", "a:b", "a:b:c", "a:b:c:d"};
  for (const std::string &key : keys) REQUIRE(f.store.set(key, key) == OMNISTORE_OK);
  for (const std::string &key : keys) CHECK(f.store.get(key) == key);
  CHECK(f.store.list() == keys);
}

TEST_CASE("a file that becomes a folder keeps time, etag and expiry") {
  Fixture f;
  const std::int64_t expiry = GENERATE(0, 1) * (f.host.time + 60000);
  f.store.set("a", "1", {.expiry = expiry});
  Got before, after;
  f.store.stat("a", before);
  f.store.set("a:b", "2");
  REQUIRE(f.store.stat("a", after) == OMNISTORE_OK);
  CHECK(after.mtime == before.mtime);
  CHECK(after.etag == before.etag);
  CHECK(after.expiry == expiry);
}

TEST_CASE("removing a leaves a:b, and the other way round") {
  Fixture f;
  f.store.set("a", "1");
  f.store.set("a:b", "2");
  CHECK(f.store.remove("a") == OMNISTORE_OK);
  CHECK(f.store.get("a") == std::nullopt);
  CHECK(f.store.get("a:b") == "2");
  CHECK(f.store.list() == Keys{"a:b"});
  f.store.set("a", "3");
  CHECK(f.store.remove("a:b") == OMNISTORE_OK);
  CHECK(f.store.get("a") == "3");
  CHECK(f.store.list() == Keys{"a"});
  CHECK(f.store.remove("a") == OMNISTORE_OK);
  CHECK(f.names().empty());
}

TEST_CASE("a value inside its folder is overwritten, looked up and matched like any other") {
  Fixture f;
  f.store.set("a:b", "2");
  CHECK(f.store.set("a", "1", {.condition = OMNISTORE_IF_PRESENT}) == OMNISTORE_CONFLICT);
  CHECK(f.store.set("a", "1", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_OK);
  CHECK(f.store.set("a", "x", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_CONFLICT);
  const std::string etag = f.store.etag("a");
  CHECK(f.store.set("a", "2", {.condition = OMNISTORE_IF_MATCH, .etag = etag}) == OMNISTORE_OK);
  CHECK(f.store.set("a", "3", {.condition = OMNISTORE_IF_MATCH, .etag = etag}) == OMNISTORE_CONFLICT);
  CHECK(f.store.get("a") == "2");
  CHECK(f.store.touch("a", f.host.time + 1000) == OMNISTORE_OK);
  f.host.time += 1001;
  CHECK(f.store.get("a") == std::nullopt);
  CHECK(f.store.list() == Keys{"a:b"});
}

TEST_CASE("a concurrent reader of a never misses it while it becomes a folder") {
  Fixture f;
  constexpr int keys = 200;
  for (int i = 0; i < keys; ++i) f.store.set("k" + std::to_string(i), "value");
  std::atomic<int> now{0}, missed{0};
  std::atomic<bool> done{false};
  std::vector<std::thread> readers;
  for (int t = 0; t < 3; ++t) {
    readers.emplace_back([&] {
      while (!done) {
        for (int i = now; i < std::min(now + 2, keys); ++i) {
          if (f.store.get("k" + std::to_string(i)) != "value") ++missed;
        }
      }
    });
  }
  for (; now < keys; ++now) REQUIRE(f.store.set("k" + std::to_string(now) + ":below", "2") == OMNISTORE_OK);
  done = true;
  for (std::thread &reader : readers) reader.join();
  CHECK(missed == 0);
  CHECK(f.store.list().size() == 2 * keys);
}

TEST_CASE("a and a:b that are set and removed by threads end as the last set says") {
  Fixture f;
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (const char *key : {"a", "a:b", "a:b:c", "a:d"}) {
    threads.emplace_back([&, key] {
      for (int i = 0; i < 200; ++i) {
        if (f.store.set(key, key) != OMNISTORE_OK || f.store.get(key) != key || f.store.remove(key) != OMNISTORE_OK) {
          ++failed;
        }
      }
      if (f.store.set(key, key) != OMNISTORE_OK) ++failed;
    });
  }
  for (std::thread &thread : threads) thread.join();
  CHECK(failed == 0);
  CHECK(f.store.list() == Keys{"a", "a:b", "a:b:c", "a:d"});
}
