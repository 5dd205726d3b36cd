// SPDX-License-Identifier: Apache-2.0
// The driver with a running host.
#include <catch2/catch.hpp>

#include <algorithm>
#include <string>
#include <vector>

#include <omnistore/ext/revalidate.h>
#include <omnistore/testing.hpp>

#include "cli/program.hpp"
#include "watched.hpp"

using Keys = std::vector<std::string>;

namespace {

/// A host with memory at the root and under "deep", and a store of the driver over a base of it.
struct Pair {
  explicit Pair(const std::string &path = "")
      : host(config(folder)), store(test::http_plugin(), "{\"base\":\"" + host.url + path + "\"}") {}

  test::Folder folder;
  test::Host host;
  omnistore::testing::BareStore store;

private:
  static std::string config(const test::Folder &folder) {
    const std::string file = folder / "omnistore.jsonc";
    test::write_file(file, R"({
      "mounts": { "": { "driver": "memory" }, "deep": { "driver": "memory" } },
      "server": { "http": { "listen": "127.0.0.1:0" } },
      "admin": { "listen": "127.0.0.1:0" },
    })");
    return file;
  }
};

struct Told {
  omnistore::ValueSink sink;
  omnistore_status status = OMNISTORE_INTERNAL;
  std::uint32_t unchanged = 7;
};

void get_changed(Pair &pair, std::string_view key, std::string_view etag, Told &told) {
  const omnistore_store &store = *pair.store.raw();
  const auto *table =
      static_cast<const omnistore_revalidate *>(store.driver->extension(store.self, OMNISTORE_REVALIDATE));
  const omnistore_get_request request{sizeof request, OMNISTORE_GET_META, 0, UINT64_MAX};
  omnistore::testing::BareCall call;
  told.status = table->get_changed(store.self, &call, omnistore::as_bytes(key), &request, omnistore::as_bytes(etag),
                                   &told.sink, &told.unchanged);
}

} // namespace

TEST_CASE("A value that is set through the driver is the host's value, byte for byte") {
  Pair pair;
  const std::string value("{\"a\":1}\0\xff\r\n", 11);
  for (const char *key : {"a", "a:b", "sp ace:per%cent", "grüße", "#odd&=+;,@", "deep:1"}) {
    CAPTURE(key);
    pair.store.set(key, value);
    CHECK(pair.store.get(key) == value);
    CHECK(pair.store.stat(key)->value_size == value.size());
    CHECK(test::omnistore({"--url", pair.host.url, "get", key}).out == value);
  }
  Keys listed = pair.store.keys(); // mount by mount
  std::sort(listed.begin(), listed.end());
  CHECK(listed == Keys{"#odd&=+;,@", "a", "a:b", "deep:1", "grüße", "sp ace:per%cent"});
  CHECK(pair.store.remove("a"));
  CHECK_FALSE(pair.store.remove("a"));
  CHECK(pair.store.get("a") == std::nullopt);
  CHECK(pair.store.get("a:b") == value);
}

TEST_CASE("A base that lies below the host's root is a view of it") {
  Pair pair("/view/of");
  for (const char *key : {"1", "2", "view:of:3", "of:4"}) pair.store.set(key, "x");
  test::omnistore({"--url", pair.host.url, "set", "elsewhere", "x"});
  CHECK(test::omnistore({"--url", pair.host.url, "get", "view:of:1"}).out == "x");
  CHECK(pair.store.keys() == Keys{"1", "2", "of:4", "view:of:3"});
  CHECK(pair.store.keys("", 1) == Keys{"1", "2", "of:4", "view:of:3"});
  CHECK(pair.store.keys("view:") == Keys{"view:of:3"});
  CHECK(pair.store.keys("of:", 1) == Keys{"of:4"});
}

TEST_CASE("The host's pages are followed over its mounts") {
  Pair pair;
  Keys expected;
  for (int i = 100; i < 300; ++i) {
    expected.push_back((i % 2 ? "deep:" : "flat:") + std::to_string(i));
    pair.store.set(expected.back(), "x");
  }
  std::sort(expected.begin(), expected.end());
  Keys listed = pair.store.keys("", 7);
  std::sort(listed.begin(), listed.end());
  CHECK(listed == expected);
}

TEST_CASE("The host says when a copy is still good") {
  Pair pair;
  pair.store.set("k", "first");
  Told first, same, changed;
  get_changed(pair, "k", "none-of-its-etags", first);
  REQUIRE(first.status == OMNISTORE_OK);
  CHECK(first.unchanged == 0);
  CHECK(first.sink.bytes == "first");
  REQUIRE_FALSE(first.sink.etag.empty());

  get_changed(pair, "k", first.sink.etag, same);
  CHECK(same.status == OMNISTORE_OK);
  CHECK(same.unchanged == 1);
  CHECK(same.sink.bytes.empty());
  CHECK(same.sink.etag == first.sink.etag);

  pair.store.set("k", "second");
  get_changed(pair, "k", first.sink.etag, changed);
  CHECK(changed.unchanged == 0);
  CHECK(changed.sink.bytes == "second");
}

TEST_CASE("A part is read from the host by Range") {
  Pair pair;
  pair.store.set("k", "0123456789");
  const auto part = [&](std::uint64_t offset, std::uint64_t length) {
    omnistore::ValueSink sink;
    omnistore::testing::BareCall call;
    const omnistore_get_request request{sizeof request, 0, offset, length};
    CHECK(pair.store.child().get(omnistore::Call(&call), "k", request, sink) == OMNISTORE_OK);
    CHECK(sink.value_size == 10);
    return sink.bytes;
  };
  CHECK(part(3, 4) == "3456");
  CHECK(part(8, UINT64_MAX) == "89");
  CHECK(part(10, 1).empty());
}

TEST_CASE("A value's expiry is the one that the host reports") {
  Pair pair;
  REQUIRE(test::omnistore({"--url", pair.host.url, "set", "k", "x", "--ttl", "1h"}).code == 0);
  const auto meta = pair.store.stat("k");
  REQUIRE(meta);
  const std::int64_t left = meta->expiry - pair.store.host().time;
  CHECK(left <= 3'600'000);
  CHECK(left > 3'500'000);
}

TEST_CASE("One host stands before another") {
  Pair pair; // its host is the one after
  const std::string file = pair.folder / "front.jsonc";
  test::write_file(file, R"({
    "mounts": { "": { "driver": "http", "options": {
      "base": ")" + pair.host.url +
                             R"(/deep", "headers": { "X-Word": "a secret word" }, "timeout": "10s", "ttl": true } },
      "plain": { "driver": "http", "options": { "base": ")" +
                             pair.host.url + R"(/elsewhere" } } },
    "server": { "http": { "listen": "127.0.0.1:0" } },
    "admin": { "listen": "127.0.0.1:0" },
  })");
  test::Host front(file);
  const auto run = [&](const test::Strings &words) {
    test::Strings all{"--url", front.url};
    all.insert(all.end(), words.begin(), words.end());
    return test::omnistore(all);
  };
  REQUIRE(run({"set", "user:1", "Ada"}).code == 0);
  CHECK(pair.store.get("deep:user:1") == "Ada");
  pair.store.set("deep:user:2", "Grace");
  CHECK(run({"get", "user:2"}).out == "Grace");
  CHECK(run({"ls"}).out == "user:1\nuser:2\n");
  CHECK(run({"rm", "user:1"}).code == 0);
  CHECK(run({"get", "user:1"}).code == 1);
  CHECK(run({"set", "session", "x", "--ttl", "1h"}).code == 0);
  CHECK(run({"get", "session"}).out == "x");
  CHECK(test::says(run({"meta", "session"}).out, "expir"));
  CHECK(pair.store.stat("deep:session")->expiry != 0);
  const test::Result unknown = run({"set", "plain:session", "x", "--ttl", "1h"});
  CHECK(unknown.code == 5);
  CHECK(test::says(unknown.err, "set the option ttl"));

  pair.host.stop();
  const test::Result away = run({"get", "user:2"});
  CHECK(away.code == 6);
  CHECK(test::says(away.err, "Connection refused"));
  CHECK_FALSE(test::says(front.stop().err, "secret word"));
}
