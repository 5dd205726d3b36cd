// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "driven.hpp"

using test::Keys;
using test::numbered;
using test::Page;
using test::Store;

namespace {
Keys sorted(const Page &page) {
  Keys keys = page.keys();
  std::sort(keys.begin(), keys.end());
  return keys;
}
} // namespace

TEST_CASE("a clear removes everything and names each key") {
  Store store;
  for (size_t i = 0; i < 5000; ++i) store.set(numbered("k", i), "v", {.expiry = i % 2 ? store.now() + 100 : 0});
  const Keys keys = store.list();
  Page removed;
  REQUIRE(store.clear("", &removed) == OMNISTORE_OK);
  REQUIRE(sorted(removed) == keys);
  REQUIRE(store.list().empty());
  store.host.time += 1000;
  store.host.run_tasks();
  REQUIRE(store.host.take_events().empty());
  store.set("again", "v");
  REQUIRE(store.list() == Keys{"again"});
}

TEST_CASE("a clear of a base removes the keys under it and no others") {
  Store store;
  for (size_t i = 0; i < 1000; ++i) store.set(numbered("a:b:", i), "v");
  for (const char *key : {"a", "a:b", "a:c", "a:b;", "b"}) store.set(key, "v");
  const Keys under = store.list("a:b:");
  Page removed;
  REQUIRE(store.clear("a:b:", &removed) == OMNISTORE_OK);
  REQUIRE(sorted(removed) == under);
  REQUIRE(store.list() == Keys{"a", "a:b", "a:b;", "a:c", "b"});
  REQUIRE(store.clear("none:") == OMNISTORE_OK);
}

TEST_CASE("a clear without a page names nothing") {
  Store store;
  store.set("a:b", "v");
  store.set("b", "v");
  REQUIRE(store.clear("a:") == OMNISTORE_OK);
  REQUIRE(store.list() == Keys{"b"});
  REQUIRE(store.clear() == OMNISTORE_OK);
  REQUIRE(store.list().empty());
}

TEST_CASE("a clear that its page stops returns the page's status") {
  Store store;
  store.set("a:b", "v");
  Page removed;
  removed.emit = [](omnistore_page *, omnistore_bytes, const omnistore_meta *) -> omnistore_status {
    return OMNISTORE_UNAVAILABLE;
  };
  REQUIRE(store.clear(GENERATE("", "a:"), &removed) == OMNISTORE_UNAVAILABLE);
}
