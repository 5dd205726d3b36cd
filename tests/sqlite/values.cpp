// SPDX-License-Identifier: Apache-2.0
// Values: what lies in the table, and how long ones go in and out.
#include "driven.hpp"

using namespace test;

TEST_CASE("a value is a row that any program can read") {
  Fixture f;
  REQUIRE(f.store.set("a:b", "text", {.expiry = f.host.time + 1000, .user = "mine"}) == OMNISTORE_OK);
  CHECK(f.sql.one("SELECT value FROM omnistore WHERE key = 'a:b'") == "text");
  CHECK(f.sql.one("SELECT mtime FROM omnistore") == std::to_string(f.host.time));
  CHECK(f.sql.one("SELECT expiry FROM omnistore") == std::to_string(f.host.time + 1000));
  CHECK(f.sql.one("SELECT user FROM omnistore") == "mine");
  CHECK(f.sql.one("SELECT printf('%016x', version) FROM omnistore") == f.store.etag("a:b"));
}

TEST_CASE("a row that another program inserted is a value, whatever its type is") {
  Fixture f;
  f.sql("INSERT INTO omnistore (key, value) VALUES ('text', 'h\xc3\xa9llo'), ('blob', x'00ff'), ('number', 42)");
  CHECK(f.store.get("text") == "h\xc3\xa9llo");
  CHECK(f.store.get("blob") == std::string("\0\xff", 2));
  CHECK(f.store.get("number") == "42");
  Got text, number;
  CHECK(f.store.stat("text", text) == OMNISTORE_OK);
  CHECK(text.value_size == 6);
  CHECK(text.etag.size() == 16);
  CHECK(f.store.stat("number", number) == OMNISTORE_OK);
  CHECK(number.value_size == 2);
}

TEST_CASE("a listing gives no row whose key is not text") {
  Fixture f;
  f.sql("INSERT INTO omnistore (key, value) VALUES (x'62', 'blob'), ('a', 'text')");
  CHECK(f.store.list() == Keys{"a"});
}

TEST_CASE("a long value goes in and out without being in memory as a whole") {
  Fixture f;
  const std::string value = bytes_of(40 << 20);
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < value.size(); at += 1 << 20) parts.push_back(value.substr(at, 1 << 20));
  Pieces source(parts);
  sqlite3_memory_highwater(1);
  const sqlite3_int64 before = sqlite3_memory_used();
  REQUIRE(f.store.set("long", source) == OMNISTORE_OK);
  Got got;
  got.offers_buffer = false;
  REQUIRE(f.store.get("long", got) == OMNISTORE_OK);
  CHECK(sqlite3_memory_highwater(0) - before < 24 << 20);
  CHECK(got.bytes == value);
  CHECK(got.writes > 10);
  CHECK(got.value_size == value.size());
}

TEST_CASE("a part of a value is read, of a short one and of a long one") {
  Fixture f;
  for (const std::size_t size : {1000u, 3'000'000u}) {
    const std::string value = bytes_of(size);
    REQUIRE(f.store.set("v", value) == OMNISTORE_OK);
    Got middle, end, behind;
    CHECK(f.store.get("v", middle, size / 2, 100) == OMNISTORE_OK);
    CHECK(middle.bytes == value.substr(size / 2, 100));
    CHECK(middle.value_size == size);
    CHECK(f.store.get("v", end, size - 10) == OMNISTORE_OK);
    CHECK(end.bytes == value.substr(size - 10));
    CHECK(f.store.get("v", behind, size + 10, 5) == OMNISTORE_OK);
    CHECK(behind.bytes.empty());
  }
}

TEST_CASE("a slow reader of a long value delays nobody, and gets the value that it began with") {
  Folder folder;
  Host host;
  Store store(host, folder / "data.db", R"(,"readers":1)");
  const std::string value = bytes_of(2'000'000);
  REQUIRE(store.set("long", value) == OMNISTORE_OK);
  Got got;
  got.on_write = [&] {
    CHECK(store.set("long", "new") == OMNISTORE_OK);
    CHECK(store.get("long") == "new");
    return OMNISTORE_OK;
  };
  CHECK(store.get("long", got) == OMNISTORE_OK);
  CHECK(got.bytes == value);
}

namespace {

/// A source that does something before each piece.
struct Meanwhile : omnistore_source {
  std::function<void()> act;
  int left = 8;
  explicit Meanwhile(std::function<void()> run) : omnistore_source{sizeof(omnistore_source), 0, nullptr}, act(run) {
    read = [](omnistore_source *source, void *buffer, std::uint64_t capacity, std::uint64_t *count) {
      auto &self = *static_cast<Meanwhile *>(source);
      self.act();
      *count = self.left-- > 0 ? capacity : 0;
      std::fill_n(static_cast<char *>(buffer), *count, 'x');
      return OMNISTORE_OK;
    };
  }
};

} // namespace

TEST_CASE("a slow sender of a long value delays no other writer") {
  Fixture f;
  Meanwhile source([&] { CHECK(f.store.set("other", "value") == OMNISTORE_OK); });
  omnistore_set_request request = Driven::set_request({});
  request.source = &source;
  request.source_size = OMNISTORE_UNKNOWN_SIZE;
  Call call;
  CHECK(f.store.driver().set(f.store.self(), &call, omnistore::as_bytes("long"), &request, nullptr) == OMNISTORE_OK);
  Got got;
  CHECK(f.store.stat("long", got) == OMNISTORE_OK);
  CHECK(got.value_size > 300'000);
}

TEST_CASE("a long value that does not arrive whole leaves the old one, and no file") {
  Fixture f;
  REQUIRE(f.store.set("k", "old") == OMNISTORE_OK);
  Pieces source({bytes_of(400'000), bytes_of(400'000)}, OMNISTORE_CANCELLED);
  CHECK(f.store.set("k", source) == OMNISTORE_CANCELLED);
  CHECK(f.store.get("k") == "old");
  for (const auto &entry : std::filesystem::directory_iterator(f.folder.path()))
    CHECK(entry.path().filename().string().starts_with("data.db"));
}

TEST_CASE("a long value replaces another if its condition holds, and leaves it if not") {
  Fixture f;
  REQUIRE(f.store.set("k", "old") == OMNISTORE_OK);
  const auto send = [&](std::uint32_t condition) {
    Pieces source({bytes_of(400'000), bytes_of(400'000)});
    omnistore_set_request request = Driven::set_request({});
    request.source = &source;
    request.source_size = OMNISTORE_UNKNOWN_SIZE;
    request.condition = condition;
    Call call;
    return f.store.driver().set(f.store.self(), &call, omnistore::as_bytes("k"), &request, nullptr);
  };
  CHECK(send(OMNISTORE_IF_ABSENT) == OMNISTORE_CONFLICT);
  CHECK(f.store.get("k") == "old");
  CHECK(send(OMNISTORE_IF_PRESENT) == OMNISTORE_OK);
  CHECK(f.store.get("k") == bytes_of(400'000) + bytes_of(400'000));
}

TEST_CASE("a listing of folders skips the keys in them") {
  Fixture f;
  f.sql("INSERT INTO omnistore (key, value) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
        "20000) SELECT 'folder:' || i, 'x' FROM n");
  REQUIRE(f.store.set("a", "1") == OMNISTORE_OK);
  REQUIRE(f.store.set("folder", "2") == OMNISTORE_OK);
  REQUIRE(f.store.set("folder;", "3") == OMNISTORE_OK);
  CHECK(f.store.list("", 0) == Keys{"a", "folder", "folder;"});
}

TEST_CASE("keys are listed out of their index alone") {
  Fixture f;
  const std::string plan = f.sql.plan("SELECT key FROM omnistore WHERE key > 'a' AND key < 'b' AND id NOT IN (SELECT "
                                      "id FROM omnistore WHERE expiry <= 5) ORDER BY key");
  INFO(plan);
  CHECK(plan.find("COVERING INDEX sqlite_autoindex_omnistore_1") != std::string::npos);
  CHECK(plan.find("omnistore_expiry") != std::string::npos);
  CHECK(plan.find("SCAN") == std::string::npos);
  CHECK(plan.find("TEMP B-TREE") == std::string::npos);
}

TEST_CASE("a touch of a long value keeps its bytes, its etag and its mtime, and does not read it into memory") {
  Fixture f;
  const std::string value = bytes_of(40'000'000);
  REQUIRE(f.store.set("k", value, {.user = "mine"}) == OMNISTORE_OK);
  const std::string etag = f.store.etag("k");
  f.host.time += 10;
  sqlite3_memory_highwater(1);
  CHECK(f.store.touch("k", f.host.time + 1000) == OMNISTORE_OK);
  CHECK(sqlite3_memory_highwater(0) < 30'000'000);
  Got got;
  REQUIRE(f.store.get("k", got) == OMNISTORE_OK);
  CHECK(got.bytes == value);
  CHECK(got.etag == etag);
  CHECK(got.mtime == f.host.time - 10);
  CHECK(got.expiry == f.host.time + 1000);
  CHECK(f.store.user("k") == "mine");
  CHECK(f.store.touch_user("k", "other") == OMNISTORE_OK);
  CHECK(f.store.user("k") == "other");
  f.host.drop_tasks();
}
