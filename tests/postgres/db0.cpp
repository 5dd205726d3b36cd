// SPDX-License-Identifier: Apache-2.0
// Tables that unstorage's db0 driver made: the statements here are its own (unstorage 1.x, drivers/db0).
#include "driven.hpp"

using namespace test;

namespace {

const std::string db0 = R"(,"layout":"db0","table":"unstorage")";

struct Db0 {
  std::string database = fresh_database(shared_server());
  Sql sql{shared_server(), database};
  Host host;
  std::unique_ptr<Store> store;
  Db0() {
    sql("CREATE TABLE IF NOT EXISTS unstorage (key VARCHAR(255) NOT NULL PRIMARY KEY, value TEXT, blob BYTEA, "
        "created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP, updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP)");
    store = std::make_unique<Store>(host, shared_server().options("test", database), db0);
  }
};

} // namespace

TEST_CASE("values that unstorage's db0 driver wrote are read") {
  Db0 f;
  f.sql("INSERT INTO unstorage (key, value) VALUES ('a:text', '{\"n\":1}'), ('b', 'h\xc3\xa9')");
  f.sql("INSERT INTO unstorage (key, blob) VALUES ('a:raw', '\\x00ff')");
  CHECK(f.store->get("a:text") == "{\"n\":1}");
  CHECK(f.store->get("a:raw") == std::string("\0\xff", 2));
  CHECK(f.store->list() == Keys{"a:raw", "a:text", "b"});
  CHECK(f.store->list("a:") == Keys{"a:raw", "a:text"});
  CHECK(f.store->list("", 0, 1, OMNISTORE_LIST_FOLDERS | OMNISTORE_LIST_REVERSE) == Keys{"b", "a:"});
  Got got;
  CHECK(f.store->stat("b", got) == OMNISTORE_OK);
  CHECK(got.value_size == 3);
  CHECK(got.mtime > 1'700'000'000'000);
  CHECK(got.etag.empty());
}

TEST_CASE("unstorage's db0 driver reads what was set in its layout, and no older value in the other column") {
  Db0 f;
  f.sql("INSERT INTO unstorage (key, blob) VALUES ('text', '\\x00ff')");
  REQUIRE(f.store->set("text", "h\xc3\xa9llo") == OMNISTORE_OK);
  REQUIRE(f.store->set("raw", "\xff\xfe") == OMNISTORE_OK);
  CHECK(f.sql("SELECT value FROM unstorage WHERE key = 'text' AND blob IS NULL") == "h\xc3\xa9llo");
  CHECK(f.sql("SELECT encode(blob, 'hex') FROM unstorage WHERE key = 'raw' AND value IS NULL") == "fffe");
  CHECK(f.sql("SELECT updated_at FROM unstorage WHERE key = 'raw'").starts_with("2023-11-1"));
}

TEST_CASE("unstorage's layout keeps conditions, and states what it cannot keep") {
  Db0 f;
  f.sql("INSERT INTO unstorage (key) VALUES ('k')"); // a row without a value is no value
  CHECK(f.store->set("k", "1", {.condition = OMNISTORE_IF_PRESENT}) == OMNISTORE_CONFLICT);
  CHECK(f.store->set("k", "1", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_OK);
  CHECK(f.store->set("k", "2", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_CONFLICT);
  CHECK(f.store->set("k", "2", {.condition = OMNISTORE_IF_PRESENT}) == OMNISTORE_OK);
  CHECK(f.store->get("k") == "2");
  CHECK(f.store->remove("k") == OMNISTORE_OK);
  CHECK(f.store->remove("k") == OMNISTORE_NOT_FOUND);
  CHECK((f.store->traits.capabilities & (OMNISTORE_CAN_TTL | OMNISTORE_CAN_META | OMNISTORE_CAN_ETAG)) == 0);
}

TEST_CASE("a table that is not unstorage's is refused in its layout") {
  Fixture f;
  try {
    const Store store(f.host, f.options, R"(,"layout":"db0","table":"t")");
    FAIL("it opened");
  } catch (const StatusError &refused) {
    CHECK(refused.status == OMNISTORE_INVALID);
    CHECK_THAT(refused.what(), Catch::Contains("lacks a column"));
  }
}

TEST_CASE("a key that is too long for unstorage's column fails alone in a batch") {
  Db0 f;
  const std::string long_key(300, 'x');
  const omnistore_bytes keys[] = {omnistore::as_bytes("a"), omnistore::as_bytes(long_key), omnistore::as_bytes("c")};
  const omnistore_set_request request = Driven::set_request("v");
  const omnistore_set_request *requests[] = {&request, &request, &request};
  omnistore_status statuses[3];
  Call call;
  REQUIRE(f.store->driver().set_many(f.store->self(), &call, keys, 3, requests, nullptr, statuses) == OMNISTORE_OK);
  CHECK(std::vector<omnistore_status>(statuses, statuses + 3) ==
        std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_TOO_LARGE, OMNISTORE_OK});
  CHECK_THAT(call.messages[1], Catch::Contains("too long"));
  CHECK(f.store->list() == Keys{"a", "c"});
}
