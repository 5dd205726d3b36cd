// SPDX-License-Identifier: Apache-2.0
// Expiries: what has expired is hidden at once, and removed by a sweep that finds it in the index.
#include "driven.hpp"

using namespace test;

TEST_CASE("a value that has expired is removed and reported, once") {
  Fixture f;
  REQUIRE(f.store.set("ends", "1", {.expiry = f.host.time + 1000}) == OMNISTORE_OK);
  REQUIRE(f.store.set("later", "2", {.expiry = f.host.time + 3'600'000}) == OMNISTORE_OK);
  REQUIRE(f.store.set("stays", "3") == OMNISTORE_OK);
  f.host.time += 1000;
  CHECK_FALSE(f.store.get("ends"));
  CHECK(f.store.list() == Keys{"later", "stays"});
  f.host.run_for(70'000);
  CHECK(f.host.take_expired() == std::vector<std::string>{"ends"});
  f.host.run_for(70'000);
  CHECK(f.host.take_expired().empty());
  f.host.drop_tasks();
}

TEST_CASE("a value whose expiry was changed, or that was replaced, does not end at the old one") {
  Fixture f;
  for (const char *key : {"touched", "for-ever", "replaced"})
    REQUIRE(f.store.set(key, "v", {.expiry = f.host.time + 1000}) == OMNISTORE_OK);
  REQUIRE(f.store.touch("touched", f.host.time + 3'600'000) == OMNISTORE_OK);
  REQUIRE(f.store.touch("for-ever", 0) == OMNISTORE_OK);
  REQUIRE(f.store.set("replaced", "w") == OMNISTORE_OK);
  f.host.run_for(120'000);
  CHECK(f.host.take_expired().empty());
  CHECK(f.store.list() == Keys{"for-ever", "replaced", "touched"});
  f.host.drop_tasks();
}

TEST_CASE("a sweep of many values goes in pieces") {
  Fixture f;
  for (int i = 0; i < 2500; ++i)
    REQUIRE(f.store.set("k" + std::to_string(i), "x", {.expiry = f.host.time + 10}) == OMNISTORE_OK);
  f.host.run_for(70'000);
  CHECK(f.host.take_expired().size() == 2500);
  CHECK(f.store.list().empty());
  f.host.drop_tasks();
}

TEST_CASE("a value that expired while the store was closed is removed after it opens") {
  Folder folder;
  Host host;
  {
    Store store(host, folder / "db");
    REQUIRE(store.set("ends", "1", {.expiry = host.time + 1000}) == OMNISTORE_OK);
    host.drop_tasks();
  }
  host.time += 5000;
  Store store(host, folder / "db");
  host.run_for(1000);
  CHECK(host.take_expired() == std::vector<std::string>{"ends"});
  host.drop_tasks();
}
