// SPDX-License-Identifier: Apache-2.0
// Expiries: what has expired is hidden at once, and removed by a sweep that finds it by an index.
#include "driven.hpp"

using namespace test;

TEST_CASE("a value that has expired is removed from the table, and reported") {
  Fixture f;
  REQUIRE(f.store.set("ends", "1", {.expiry = f.host.time + 1000}) == OMNISTORE_OK);
  REQUIRE(f.store.set("later", "2", {.expiry = f.host.time + 3'600'000}) == OMNISTORE_OK);
  REQUIRE(f.store.set("stays", "3") == OMNISTORE_OK);
  f.host.time += 1000;
  CHECK_FALSE(f.store.get("ends"));
  CHECK(f.store.list() == Keys{"later", "stays"});
  CHECK(f.sql.one("SELECT count(*) FROM omnistore") == "3");
  f.host.run_for(2000);
  CHECK(f.sql.one("SELECT count(*) FROM omnistore") == "2");
  CHECK(f.host.take_expired() == std::vector<std::string>{"ends"});
  f.host.drop_tasks();
}

TEST_CASE("a value that expired while the store was closed is removed after it opens") {
  Folder folder;
  const std::string path = folder / "data.db";
  Host host;
  {
    Store store(host, path);
    REQUIRE(store.set("ends", "1", {.expiry = host.time + 1000}) == OMNISTORE_OK);
    host.drop_tasks();
  }
  host.time += 5000;
  Store store(host, path);
  host.run_for(1000);
  CHECK(Sql{path}.one("SELECT count(*) FROM omnistore") == "0");
  host.drop_tasks();
}

TEST_CASE("a sweep finds expiries that another process has set, within a minute") {
  Fixture f;
  f.sql("INSERT INTO omnistore (key, value, expiry) VALUES ('k', 'v', " + std::to_string(f.host.time + 1000) + ")");
  f.host.run_for(70'000);
  CHECK(f.sql.one("SELECT count(*) FROM omnistore") == "0");
  f.host.drop_tasks();
}

TEST_CASE("a sweep of many values goes in pieces") {
  Fixture f;
  f.sql("INSERT INTO omnistore (key, value, expiry) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n "
        "WHERE i < 5000) SELECT 'k' || i, 'x', " +
        std::to_string(f.host.time + 10) + " FROM n");
  f.host.run_for(70'000);
  CHECK(f.sql.one("SELECT count(*) FROM omnistore") == "0");
  CHECK(f.host.take_expired().size() == 5000);
  f.host.drop_tasks();
}

TEST_CASE("expiries are found by an index") {
  Fixture f;
  for (const char *sql : {"SELECT id FROM omnistore WHERE expiry <= 5 LIMIT 10",
                          "SELECT min(expiry) FROM omnistore WHERE expiry IS NOT NULL"}) {
    INFO(sql);
    CHECK(f.sql.plan(sql).find("omnistore_expiry") != std::string::npos);
  }
}
