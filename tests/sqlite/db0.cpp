// SPDX-License-Identifier: Apache-2.0
// Tables that unstorage's db0 driver made: the statements here are its own (unstorage 1.x, drivers/db0).
#include "driven.hpp"

using namespace test;

namespace {

constexpr const char *TABLE = "CREATE TABLE IF NOT EXISTS unstorage (key TEXT PRIMARY KEY, value TEXT, blob BLOB, "
                              "created_at TEXT DEFAULT CURRENT_TIMESTAMP, updated_at TEXT DEFAULT CURRENT_TIMESTAMP)";

std::string set_item(const std::string &key, const std::string &value) {
  return "INSERT INTO unstorage (key, value, created_at, updated_at) VALUES ('" + key + "', '" + value +
         "', CURRENT_TIMESTAMP, CURRENT_TIMESTAMP) ON CONFLICT(key) DO UPDATE SET value = '" + value +
         "', updated_at = CURRENT_TIMESTAMP";
}
std::string set_item_raw(const std::string &key, const std::string &hex) {
  return "INSERT INTO unstorage (key, blob, created_at, updated_at) VALUES ('" + key + "', x'" + hex +
         "', CURRENT_TIMESTAMP, CURRENT_TIMESTAMP) ON CONFLICT(key) DO UPDATE SET blob = x'" + hex +
         "', updated_at = CURRENT_TIMESTAMP";
}

struct Db0 {
  Folder folder;
  std::string path = folder / "db.sqlite3";
  Sql sql{path};
  Host host;
  std::unique_ptr<Store> store;
  Db0() {
    sql(TABLE);
    store = std::make_unique<Store>(host, path, R"(,"layout":"db0")");
  }
};

} // namespace

TEST_CASE("values that unstorage's db0 driver wrote are read") {
  Db0 f;
  f.sql(set_item("a:text", "{\"n\":1}"));
  f.sql(set_item_raw("a:raw", "00ff"));
  f.sql(set_item("b", "h\xc3\xa9"));
  CHECK(f.store->get("a:text") == "{\"n\":1}");
  CHECK(f.store->get("a:raw") == std::string("\0\xff", 2));
  CHECK(f.store->list() == Keys{"a:raw", "a:text", "b"});
  CHECK(f.store->list("a:") == Keys{"a:raw", "a:text"});
  Got got;
  CHECK(f.store->stat("b", got) == OMNISTORE_OK);
  CHECK(got.value_size == 3);
  CHECK(got.mtime > 1'700'000'000'000);
}

TEST_CASE("unstorage's db0 driver reads values in its layout") {
  Db0 f;
  REQUIRE(f.store->set("text", "h\xc3\xa9llo") == OMNISTORE_OK);
  REQUIRE(f.store->set("raw", "\xff\xfe") == OMNISTORE_OK);
  CHECK(f.sql.one("SELECT value FROM unstorage WHERE key = 'text'") == "h\xc3\xa9llo");
  CHECK(f.sql.one("SELECT typeof(value) FROM unstorage WHERE key = 'text'") == "text");
  CHECK(f.sql.one("SELECT hex(blob) FROM unstorage WHERE key = 'raw'") == "FFFE");
  CHECK(f.sql.one("SELECT updated_at FROM unstorage WHERE key = 'raw'") == "2023-11-14 22:13:20.000");
}

TEST_CASE("a set in unstorage's layout leaves no older value in the other column") {
  Db0 f;
  f.sql(set_item_raw("k", "00ff"));
  REQUIRE(f.store->set("k", "text") == OMNISTORE_OK);
  CHECK(f.sql.one("SELECT blob FROM unstorage WHERE key = 'k'") == "NULL");
  REQUIRE(f.store->set("k", "\xff") == OMNISTORE_OK);
  CHECK(f.store->get("k") == "\xff");
}

TEST_CASE("unstorage's layout keeps conditions, and states its limits") {
  Db0 f;
  CHECK(f.store->set("k", "1", {.condition = OMNISTORE_IF_PRESENT}) == OMNISTORE_CONFLICT);
  CHECK(f.store->set("k", "1", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_OK);
  CHECK(f.store->set("k", "2", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_CONFLICT);
  CHECK(f.store->set("k", "2", {.condition = OMNISTORE_IF_PRESENT}) == OMNISTORE_OK);
  CHECK(f.store->get("k") == "2");
  CHECK(f.store->remove("k") == OMNISTORE_OK);
  CHECK(f.store->remove("k") == OMNISTORE_NOT_FOUND);
  CHECK((f.store->traits.capabilities & (OMNISTORE_CAN_TTL | OMNISTORE_CAN_META | OMNISTORE_CAN_ETAG)) == 0);
}

TEST_CASE("a row of unstorage's without a value is no value") {
  Db0 f;
  f.sql("INSERT INTO unstorage (key) VALUES ('nothing')");
  CHECK_FALSE(f.store->get("nothing"));
}
