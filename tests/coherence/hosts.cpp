// SPDX-License-Identifier: Apache-2.0
// Two hosts with copies of one store's values, in a cache or an overlay: a write at one is never followed by an old
// read at the other that begins later than the bound.
#include <algorithm>
#include <string>

#include <catch2/catch.hpp>

#include "hosts.hpp"

using namespace test;

namespace {

/// Reads until the host gives `now`. Returns false if a read that began later than the bound gave `before`, or if a
/// minute has passed.
bool follows(const NearHost &host, const std::string &key, const std::string &before, const std::string &now,
             Clock::time_point written) {
  bool is_old = false;
  const bool seen = comes_true([&] {
    const Clock::time_point begun = Clock::now();
    const std::string value = host.get(key);
    is_old = value == before && begun > written + max_lag;
    return is_old || value == now;
  });
  return seen && !is_old;
}

} // namespace

TEST_CASE("a write at one host is seen at another that has a copy") {
  const std::string driver = GENERATE("redis", "redis below layers", "postgres", "etcd", "fs", "sqlite",
                                      "overlay over redis", "overlay over sqlite");
  INFO(driver);
  const auto store = shared(driver);
  const NearHost one(store->store(), near_of(driver)), other(store->store(), near_of(driver));
  REQUIRE(one.set("key", "0"));
  REQUIRE(comes_true([&] { return other.get("key") == "0"; }));
  for (int i = 1; i <= 20; ++i) {
    const std::string before = std::to_string(i - 1), now = std::to_string(i);
    const NearHost &writer = i % 2 ? one : other, &reader = i % 2 ? other : one;
    REQUIRE(writer.set("key", now));
    const Clock::time_point written = Clock::now();
    CHECK(writer.get("key") == now);
    REQUIRE(follows(reader, "key", before, now, written));
  }
}

TEST_CASE("reads of an unchanged value come from the copy") {
  const std::string driver = GENERATE("redis", "postgres", "etcd", "fs", "sqlite", "overlay over redis",
                                      "overlay over sqlite", "overlay over fs");
  INFO(driver);
  const auto store = shared(driver);
  const NearHost one(store->store(), near_of(driver)), other(store->store(), near_of(driver));
  REQUIRE(one.set("key", "value"));
  REQUIRE(comes_true([&] { return other.get("key") == "value"; }));
  REQUIRE(comes_true([&] { // the events of the set have come
    const std::int64_t before = other.misses();
    for (int i = 0; i < 20; ++i) other.get("key");
    return other.misses() == before;
  }));
}

TEST_CASE("copies stay in use while nothing changes for longer than the bound") {
  const std::string driver = GENERATE("redis", "redis below layers", "postgres", "etcd", "fs", "sqlite",
                                      "overlay over redis", "overlay over sqlite");
  INFO(driver);
  const auto store = shared(driver);
  const NearHost host(store->store(), near_of(driver));
  REQUIRE(host.set("key", "value"));
  REQUIRE(host.get("key") == "value");
  const Clock::time_point end = Clock::now() + 2 * max_lag;
  std::int64_t longest = 0;
  while (Clock::now() < end) longest = std::max(longest, host.count("watch_lag_ms"));
  CHECK(longest < max_lag.count());
  CHECK(host.get("key") == "value");
  CHECK(host.count("bypasses") == 0);
}

TEST_CASE("a host that is cut off from the store without a notice uses no copy after the bound") {
  const std::string driver =
      GENERATE("redis", "redis below layers", "postgres", "etcd", "overlay over redis", "overlay over postgres");
  INFO(driver);
  const auto store = shared(driver);
  const auto relay = store->relay();
  const NearHost one(store->store(), near_of(driver)), other(store->store(relay->port()), near_of(driver));
  REQUIRE(one.set("key", "old"));
  REQUIRE(comes_true([&] { return other.get("key") == "old"; }));
  REQUIRE(comes_true([&] { return other.count("watch_lag_ms") >= 0; }));
  relay->cut();
  REQUIRE(one.set("key", "new"));
  const Clock::time_point written = Clock::now();
  bool is_old = false;
  REQUIRE(comes_true([&] { // within the bound it may give the copy, and then nothing
    const Clock::time_point begun = Clock::now();
    const std::string value = other.get("key");
    is_old = value == "old" && begun > written + max_lag;
    return is_old || value.empty();
  }));
  REQUIRE_FALSE(is_old);
  relay->mend();
  REQUIRE(follows(other, "key", "old", "new", written));
  // The copies are used again.
  REQUIRE(comes_true([&] {
    const std::int64_t before = other.misses();
    for (int i = 0; i < 10; ++i) other.get("key");
    return other.misses() == before;
  }));
}

TEST_CASE("hosts follow each other again when the store was killed and has come back") {
  const std::string driver = GENERATE("redis", "postgres", "etcd", "overlay over redis");
  INFO(driver);
  const auto store = shared(driver);
  const NearHost one(store->store(), near_of(driver)), other(store->store(), near_of(driver));
  REQUIRE(one.set("key", "old"));
  REQUIRE(comes_true([&] { return other.get("key") == "old"; }));
  store->kill();
  REQUIRE(comes_true([&] { return other.get("key").empty(); })); // no copy is used any more
  store->start();
  REQUIRE(comes_true([&] { return one.set("key", "new"); }));
  REQUIRE(follows(other, "key", "old", "new", Clock::now()));
}

TEST_CASE("a host that stood still gives no old value when it continues") {
  const std::string driver = GENERATE("redis", "postgres", "etcd", "fs", "sqlite", "overlay over redis",
                                      "overlay over sqlite", "overlay over fs");
  INFO(driver);
  const auto store = shared(driver);
  const NearHost one(store->store(), near_of(driver));
  NearHost other(store->store(), near_of(driver));
  REQUIRE(one.set("key", "old"));
  REQUIRE(comes_true([&] { return other.get("key") == "old"; }));
  other.freeze();
  REQUIRE(one.set("key", "new"));
  const Clock::time_point written = Clock::now();
  REQUIRE(comes_true([&] { return one.set("other", "x") && Clock::now() > written + max_lag; }));
  other.thaw();
  CHECK(other.get("key") == "new");
}

TEST_CASE("a host that starts while the store is away uses copies once it is there") {
  const std::string driver = GENERATE("redis", "postgres", "overlay over redis");
  INFO(driver);
  const auto store = shared(driver);
  const NearHost one(store->store(), near_of(driver));
  REQUIRE(one.set("key", "value"));
  store->kill();
  const NearHost other(store->store(), near_of(driver));
  store->start();
  REQUIRE(comes_true([&] { return other.get("key") == "value"; }));
  REQUIRE(comes_true([&] {
    const std::int64_t before = other.misses();
    for (int i = 0; i < 10; ++i) other.get("key");
    return other.misses() == before;
  }));
}

TEST_CASE("an own write costs the next reader no fetch") {
  const auto store = shared("redis"); // it reports a host's own writes too
  const NearHost one(store->store());
  REQUIRE(one.set("key", "value"));
  REQUIRE(comes_true([&] { return one.count("invalidations") >= 1; }));
  CHECK(one.get("key") == "value");
  CHECK(one.count("fetches") == 0);
}

TEST_CASE("a coherent cache over an origin that cannot prove its watch does not open") {
  const Folder folder;
  write_file(folder / "config.jsonc", R"({ "plugins": { "paths": [")" OMNISTORE_BUILD R"(/plugins"] },
  "mounts": { "": { "driver": "memory", "invalidation": { "coherent": true },
    "origin": { "driver": "http", "options": { "base": "http://127.0.0.1:1" } } } } })");
  const Result result = omnistore({"-c", folder / "config.jsonc", "get", "key"});
  CHECK(result.code != 0);
  INFO(result.err);
  CHECK(says(result.err, "option coherent: the origin (http) cannot prove that it reports all changes"));
  CHECK(says(result.err, "use redis, postgres, etcd, fs or sqlite as the origin, or leave the option out"));
}

TEST_CASE("check refuses a coherent cache over a driver that cannot watch") {
  const Folder folder;
  write_file(folder / "config.jsonc", R"({ "plugins": { "paths": [")" OMNISTORE_BUILD R"(/plugins"] },
  "mounts": { "": { "driver": "memory", "invalidation": { "coherent": true },
    "origin": { "driver": "s3", "options": { "bucket": "b" } } } } })");
  const Result result = omnistore({"-c", folder / "config.jsonc", "check"});
  CHECK(result.code != 0);
  INFO(result.err << result.out);
  CHECK(says(result.err + result.out, "invalidation.coherent: the driver s3 cannot watch for changes by other hosts"));
}

TEST_CASE("an overlay over a layer that cannot prove its watch, or cannot watch, is refused") {
  const Folder folder;
  const auto run_over = [&](const std::string &layer, const Strings &command) {
    write_file(folder / "config.jsonc", R"({ "plugins": { "paths": [")" OMNISTORE_BUILD R"(/plugins"] },
  "mounts": { "": { "driver": "overlay", "options": { "writeTo": 1, "promote": true, "coherent": true },
    "layers": [{ "driver": "memory" }, )" + layer +
                                            "] } } }");
    Strings arguments{"-c", folder / "config.jsonc"};
    arguments.insert(arguments.end(), command.begin(), command.end());
    const Result result = omnistore(arguments);
    CHECK(result.code != 0);
    return result.err + result.out;
  };
  const std::string opened =
      run_over(R"({ "driver": "http", "options": { "base": "http://127.0.0.1:1" } })", {"get", "key"});
  INFO(opened);
  CHECK(says(opened, "option coherent: the last layer (http) cannot prove that it reports all changes"));
  CHECK(says(opened, "use redis, postgres, etcd, fs or sqlite as the last layer, or leave the option out"));
  const std::string checked = run_over(R"({ "driver": "s3", "options": { "bucket": "b" } })", {"check"});
  INFO(checked);
  CHECK(says(checked, "coherent: the driver s3 cannot watch for changes by other hosts"));
}
