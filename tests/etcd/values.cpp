// SPDX-License-Identifier: Apache-2.0
// Values, their meta and their etags, in etcd and as another program sees them.
#include <catch2/catch.hpp>

#include "etcd/driven.hpp"

using namespace test;

TEST_CASE("a value that another program wrote is the value, and its revision is the etag") {
  Fixture f;
  f.other.put(f.prefix + "a", "plain");
  Got got;
  REQUIRE(f.store.get("a", got) == OMNISTORE_OK);
  CHECK(got.bytes == "plain");
  CHECK(got.mtime == 0);
  const std::string etag = got.etag;
  f.other.put(f.prefix + "a", "plain");
  CHECK(f.store.etag("a") != etag);
}

TEST_CASE("a value of any bytes comes back with its meta and its mtime") {
  Fixture f;
  std::string bytes;
  for (int i = 0; i < 1000; ++i) bytes += static_cast<char>(i & 0xff);
  REQUIRE(f.store.set("a", bytes, {.user = std::string_view("m\0eta", 5)}) == OMNISTORE_OK);
  Got got;
  REQUIRE(f.store.get("a", got, 0, UINT64_MAX, OMNISTORE_GET_META | OMNISTORE_GET_USER) == OMNISTORE_OK);
  CHECK(got.bytes == bytes);
  CHECK(got.user == std::string("m\0eta", 5));
  CHECK(got.mtime == f.host.time);
}

TEST_CASE("the etag of a set is that of the next get") {
  Fixture f;
  Got set;
  REQUIRE(f.store.set("a", "1", {}, &set) == OMNISTORE_OK);
  CHECK(set.etag == f.store.etag("a"));
}

TEST_CASE("a touched value keeps its etag, by which it can be replaced and removed") {
  Fixture f;
  f.store.set("a", "1");
  const std::string etag = f.store.etag("a");
  REQUIRE(f.store.touch("a", f.host.time + 60'000) == OMNISTORE_OK);
  REQUIRE(f.store.etag("a") == etag);
  SECTION("replaced") { CHECK(f.store.set("a", "2", {.condition = OMNISTORE_IF_MATCH, .etag = etag}) == OMNISTORE_OK); }
  SECTION("removed") { CHECK(f.store.remove("a", OMNISTORE_IF_MATCH, etag) == OMNISTORE_OK); }
}

TEST_CASE("a value expires at its moment though its lease is still there") {
  Fixture f;
  REQUIRE(f.store.set("a", "1", {.expiry = f.host.time + 60'000}) == OMNISTORE_OK);
  CHECK(f.store.set("b", "1") == OMNISTORE_OK);
  f.host.time += 59'999;
  CHECK(f.store.get("a") == "1");
  CHECK(f.store.list() == Keys{"a", "b"});
  f.host.time += 1;
  CHECK_FALSE(f.store.get("a"));
  CHECK(f.store.list() == Keys{"b"});
  CHECK(f.store.remove("a") == OMNISTORE_NOT_FOUND);
  CHECK(f.store.set("a", "2", {.condition = OMNISTORE_IF_PRESENT}) == OMNISTORE_CONFLICT);
  CHECK(f.store.set("a", "2", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_OK);
}

TEST_CASE("a lease removes a value that has expired, and a value without an expiry has none") {
  Fixture f;
  f.store.set("a", "1", {.expiry = f.host.time + 1'000});
  f.store.set("b", "1");
  CHECK(f.other.look(f.prefix + "a").find("\"lease\"") != std::string::npos);
  CHECK(f.other.look(f.prefix + "b").find("\"lease\"") == std::string::npos);
  CHECK(eventually([&] { return Gateway::number(f.other.look(f.prefix + "a"), "mod_revision") == 0; }));
}

TEST_CASE("values that expire at about the same time share a lease") {
  Fixture f;
  f.store.set("a", "1", {.expiry = f.host.time + 600'000});
  f.store.set("b", "1", {.expiry = f.host.time + 600'001});
  const auto lease = [&](const char *key) { return Gateway::number(f.other.look(f.prefix + key), "lease"); };
  CHECK(lease("a") != 0);
  CHECK(lease("a") == lease("b"));
}

TEST_CASE("a set whose shared lease was revoked takes a new one") {
  Fixture f;
  f.store.set("a", "1", {.expiry = f.host.time + 600'000});
  const std::int64_t lease = Gateway::number(f.other.look(f.prefix + "a"), "lease");
  f.other("/v3/lease/revoke", R"({"ID":")" + std::to_string(lease) + "\"}");
  REQUIRE(f.store.set("a", "2", {.expiry = f.host.time + 600'000}) == OMNISTORE_OK);
  CHECK(f.store.get("a") == "2");
}

TEST_CASE("a value that is too large for a request says which settings to raise") {
  Fixture f;
  CHECK(f.store.set("a", std::string(f.store.traits.max_value_size, 'x')) == OMNISTORE_OK);
  CHECK(f.store.set("a", std::string(f.store.traits.max_value_size + 1, 'x')) == OMNISTORE_TOO_LARGE);
  CHECK(f.store.message().find("--max-request-bytes and the option maxRequestBytes") != std::string::npos);
}

TEST_CASE("folders are skipped without a look at their keys, in both directions") {
  Fixture f;
  for (int i = 0; i < 600; ++i) f.other.put(f.prefix + "f:" + std::to_string(1000 + i), "x");
  for (const char *key : {"a", "f", "g:1", "z"}) f.store.set(key, "1");
  CHECK(f.store.list("", 0, 2) == Keys{"a", "f", "z"});
  CHECK(f.store.list("", 0, 2, OMNISTORE_LIST_FOLDERS) == Keys{"a", "f", "f:", "g:", "z"});
  CHECK(f.store.list("", 0, 2, OMNISTORE_LIST_FOLDERS | OMNISTORE_LIST_REVERSE) == Keys{"z", "g:", "f:", "f", "a"});
  CHECK(f.store.list("", 0, 2, OMNISTORE_LIST_FOLDERS, "b", "g") == Keys{"f", "f:"});
}

TEST_CASE("keys of other programs that are no keys of ours are not listed") {
  Fixture f;
  f.other.put(f.prefix + "a//b", "x");
  f.other.put(f.prefix + ":c", "x");
  f.other.put(f.prefix + "d", "x");
  CHECK(f.store.list() == Keys{"d"});
}
