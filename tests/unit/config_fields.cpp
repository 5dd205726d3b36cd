// SPDX-License-Identifier: Apache-2.0
#include <atomic>
#include <thread>

#include "support/temporary.hpp"
#include "unit/config_support.hpp"

#include "config/formats.hpp"

using namespace omnistore;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using test::parse;
using test::problem;
using test::problems;

TEST_CASE("every field arrives in its member") {
  auto config = parse(R"({
    "$schema": "./omnistore.schema.json",
    "plugins": { "paths": ["/opt/plugins"],
                 "pin": { "fs": "sha256:00112233445566778899AABBCCDDEEFF00112233445566778899aabbccddeeff" } },
    "prefix": "app:v1",
    "ttl": "1h",
    "mounts": {
      "": { "driver": "memory", "options": { "size": 1000 } },
      "local": { "driver": "fs", "options": { "base": "./.cache" }, "ttl": "7d", "prefix": "", "readOnly": true,
                 "optional": true }
    },
    "server": { "http": { "listen": "[::1]:0", "threads": 3, "maxHeader": "8KiB", "maxBody": "1MB",
                          "maxConnections": 7, "maxWatches": 3, "watchKeepAlive": "2s",
                          "idleTimeout": "5s", "requestTimeout": 250, "hosts": ["h"],
                          "origins": ["*"], "tokens": [{ "value": "t", "write": true, "bases": ["shared:"] },
                                                               { "certificate": "CN=c" }],
                          "tokenFile": "/etc/tokens",
                          "limits": { "address": { "requests": 10, "bytes": "1KiB", "connections": 3 },
                                      "token": { "requests": 20 } },
                          "socketMode": "0660",
                          "tls": { "certificate": "/etc/host.pem", "key": "/etc/host.key", "clientCa": "/etc/ca.pem",
                                   "requireClient": true } } },
    "admin": { "listen": "" },
    "openTimeout": "7s", "stopTimeout": 900,
    "log": { "level": "debug", "json": true, "slow": "100ms",
             "access": "/var/log/access.log", "accessFormat": "json", "audit": "/var/log/audit.log" }
  })");
  CHECK(config.plugin_paths == std::vector<std::string>{"/opt/plugins"});
  CHECK(config.pins.at("fs") == "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff");
  CHECK(config.prefix == "app:v1");
  CHECK(config.ttl == 3'600'000);
  REQUIRE(config.mounts.size() == 2);
  const MountConfig &root = config.mounts.at(""), &local = config.mounts.at("local");
  CHECK(root.store.driver == "memory");
  CHECK(root.store.options == R"({"size":1000})");
  CHECK_FALSE((root.ttl || root.prefix || root.read_only || root.optional));
  CHECK(local.ttl == 7 * 86'400'000);
  CHECK(local.prefix == "");
  CHECK((local.read_only && local.optional));
  CHECK(config.http.listen == "[::1]:0");
  CHECK(config.http.threads == 3);
  CHECK(config.http.max_header == 8192);
  CHECK(config.http.max_body == 1'000'000);
  CHECK(config.http.max_connections == 7);
  CHECK(config.http.max_watches == 3);
  CHECK(config.http.watch_keep_alive == 2000);
  CHECK(config.http.idle_timeout == 5000);
  CHECK(config.http.request_timeout == 250);
  CHECK(config.http.hosts == std::vector<std::string>{"h"});
  CHECK(config.http.origins == std::vector<std::string>{"*"});
  REQUIRE(config.http.tokens.size() == 2);
  CHECK(config.http.tokens[0].value == "t");
  CHECK(config.http.tokens[0].write);
  CHECK(config.http.tokens[0].bases == std::vector<std::string>{"shared"});
  CHECK(config.http.tokens[1].certificate == "CN=c");
  CHECK(config.http.token_file == "/etc/tokens");
  CHECK(config.http.per_address == HttpConfig::Limits{10, 1024, 3});
  CHECK(config.http.per_token == HttpConfig::Limits{20, 0, 0});
  CHECK(config.http.socket_mode == 0660);
  CHECK(config.http.tls == HttpConfig::Tls{"/etc/host.pem", "/etc/host.key", "/etc/ca.pem", true});
  CHECK(config.log.access == "/var/log/access.log");
  CHECK(config.log.access_json);
  CHECK(config.log.audit == "/var/log/audit.log");
  CHECK(config.admin.listen.empty());
  CHECK(config.log.level == "debug");
  CHECK(config.log.json);
  CHECK(config.log.slow == 100);
  CHECK(config.open_timeout == 7000);
  CHECK(config.stop_timeout == 900);
}

TEST_CASE("an empty config is the config that is built in code") {
  Config read = parse("{}"), built;
  CHECK(read.plugin_paths == built.plugin_paths);
  CHECK(read.pins == built.pins);
  CHECK(read.prefix == built.prefix);
  CHECK(read.ttl == built.ttl);
  CHECK(read.mounts.empty());
  CHECK(read.log.level == built.log.level);
  CHECK(read.log.json == built.log.json);
  CHECK(read.log.slow == built.log.slow);
  CHECK(read.open_timeout == built.open_timeout);
  CHECK(read.stop_timeout == built.stop_timeout);
  CHECK(built.http.listen == "127.0.0.1:7700");
  CHECK(built.admin.listen == "127.0.0.1:7701");
  for (auto [a, b] : {std::pair(&read.http, &built.http), std::pair(&read.admin, &built.admin)}) {
    CHECK(a->listen == b->listen);
    CHECK(a->threads == b->threads);
    CHECK(a->max_header == b->max_header);
    CHECK(a->max_body == b->max_body);
    CHECK(a->max_connections == b->max_connections);
    CHECK(a->max_watches == b->max_watches);
    CHECK(a->watch_keep_alive == b->watch_keep_alive);
    CHECK(a->idle_timeout == b->idle_timeout);
    CHECK(a->request_timeout == b->request_timeout);
    CHECK(a->hosts == b->hosts);
    CHECK(a->origins == b->origins);
    CHECK(a->tokens.size() == b->tokens.size());
  }
}

TEST_CASE("a mount without options has an empty object of them") {
  CHECK(parse(R"({"mounts":{"":{"driver":"memory"}}})").mounts.at("").store.options == "{}");
}

TEST_CASE("mountpoints are normalised") {
  auto config =
      parse(R"({"mounts":{"/cache//a/":{"driver":"memory"},"b\\c":{"driver":"memory"},"/":{"driver":"null"}}})");
  CHECK(config.mounts.contains("cache:a"));
  CHECK(config.mounts.contains("b:c"));
  CHECK(config.mounts.contains(""));
}

TEST_CASE("two mountpoints that are one after normalising are an error, with both lines") {
  CHECK(problem("{\"mounts\":{\n\"a/b\":{\"driver\":\"m\"},\n\"a:b:\":{\"driver\":\"m\"}}}") ==
        "mounts.\"a:b:\": it is the same mountpoint as the one in line 2, \"a:b\" (line 3, column 1)");
}

TEST_CASE("a mountpoint that no key could have is an error") {
  auto name = GENERATE("a/../b", ".", "a?b", "a\\u0000b");
  CHECK_THAT(problem("{\"mounts\":{\"" + std::string(name) + "\":{\"driver\":\"m\"}}}"),
             Contains("this is not a mountpoint: "));
}

TEST_CASE("a prefix is normalised, without a colon at its end") {
  CHECK(parse(R"({"prefix":"/app//v1/"})").prefix == "app:v1");
  CHECK(parse(R"({"mounts":{"":{"driver":"m","prefix":"x:"}}})").mounts.at("").prefix == "x");
}

TEST_CASE("a bad prefix is an error") {
  CHECK(problem(R"({"prefix":"a/../b"})") ==
        "prefix: expected a prefix of keys, such as app:v1 (a part of it is '.' or "
        "'..'), found \"a/../b\" (line 1, column 11)");
  CHECK_THAT(problem(R"({"mounts":{"":{"driver":"m","prefix":5}}})"),
             StartsWith("mounts.\"\".prefix: expected a string, found 5"));
  CHECK_THAT(problem("{\"prefix\":\"" + std::string(5000, 'a') + "\"}"), Contains("longer than 4096 bytes"));
}

TEST_CASE("layers are children in their order, with the place of each") {
  auto store = parse(R"({"mounts":{"cache":{"driver":"overlay","layers":[
      {"driver":"memory","options":{"size":1}},
      {"driver":"cache","layers":[{"driver":"fs"}]}]}}})")
                   .mounts.at("cache")
                   .store;
  CHECK(store.driver == "overlay");
  CHECK(store.path == "mounts.cache");
  REQUIRE(store.children.size() == 2);
  CHECK(store.children[0].driver == "memory");
  CHECK(store.children[0].options == R"({"size":1})");
  CHECK(store.children[1].path == "mounts.cache.layers.1");
  REQUIRE(store.children[1].children.size() == 1);
  CHECK(store.children[1].children[0].path == "mounts.cache.layers.1.layers.0");
}

TEST_CASE("through becomes layers of one child each, outermost first, around the driver and its own layers") {
  auto store = parse(R"({"mounts":{"x":{"driver":"d","options":{"o":1},"layers":[{"driver":"e"}],
      "through":[{"driver":"a"},{"driver":"b"}]}}})")
                   .mounts.at("x")
                   .store;
  CHECK(store.driver == "a");
  CHECK(store.path == "mounts.x.through.0");
  REQUIRE(store.children.size() == 1);
  CHECK(store.children[0].driver == "b");
  CHECK(store.children[0].path == "mounts.x.through.1");
  const auto &inner = store.children[0].children.at(0);
  CHECK(inner.driver == "d");
  CHECK(inner.path == "mounts.x");
  CHECK(inner.options == R"({"o":1})");
  CHECK(inner.children.at(0).driver == "e");
}

TEST_CASE("a layer may have through of its own") {
  auto store = parse(R"({"mounts":{"":{"driver":"o","layers":[{"driver":"d","through":[{"driver":"a"}]}]}}})")
                   .mounts.at("")
                   .store;
  CHECK(store.children.at(0).driver == "a");
  CHECK(store.children.at(0).path == "mounts.\"\".layers.0.through.0");
  CHECK(store.children.at(0).children.at(0).driver == "d");
}

TEST_CASE("a field that does not exist yet is an unknown field") {
  CHECK_THAT(problem(R"({"server":{"resp":{}}})"), StartsWith("server.resp: there is no such field"));
}

TEST_CASE("invalidation and origin stand for a cache around the store and its origin") {
  const Config config = parse(R"({"mounts":{"a":{"driver":"m","through":[{"driver":"t"}],"invalidation":{"maxAge":5},
    "origin":{"driver":"o","options":{"x":1}}},"b":{"driver":"m","origin":{"driver":"o"}}}})");
  const StoreConfig &cache = config.mounts.at("a").store;
  CHECK(cache.driver == "cache");
  CHECK(cache.options == R"({"maxAge":5})");
  CHECK(cache.path == "mounts.a");
  REQUIRE(cache.children.size() == 2);
  CHECK(cache.children[0].driver == "t");
  CHECK(cache.children[0].children.at(0).driver == "m");
  CHECK(cache.children[1].driver == "o");
  CHECK(cache.children[1].options == R"({"x":1})");
  CHECK(config.mounts.at("b").store.driver == "cache");
  CHECK(config.mounts.at("b").store.options == "{}");
}

TEST_CASE("a mount without a driver is an error") {
  CHECK(problem(R"({"mounts":{"a":{}}})") == "mounts.a: the field \"driver\" is missing (line 1, column 16)");
}

TEST_CASE("an address to listen on is address:port") {
  for (const char *good : {"127.0.0.1:0", "[::1]:7700", "localhost:65535", "0.0.0.0:80", ""})
    CHECK(problems("{\"admin\":{\"listen\":\"" + std::string(good) + "\"}}").empty());
  for (const char *bad : {"127.0.0.1", ":80", "127.0.0.1:65536", "::1:80", "127.0.0.256:80", "a b:80", "127.0.0.1:-1",
                          "127.0.0.1:8o", "example.org:80", "http://127.0.0.1:80", "[127.0.0.1]:80"})
    CHECK_THAT(problem("{\"admin\":{\"listen\":\"" + std::string(bad) + "\"}}"),
               StartsWith("admin.listen: expected address:port, such as 127.0.0.1:7700 or [::1]:7700"));
}

TEST_CASE("a token's base must not be empty, which would grant everything") {
  CHECK_THAT(problem(R"({"admin":{"tokens":[{"value":"t","bases":["/"]}]}})"),
             Contains("expected a text that is not empty"));
}

TEST_CASE("a pin is a SHA-256") {
  CHECK_THAT(problem(R"({"plugins":{"pin":{"fs":"md5:00"}}})"),
             StartsWith("plugins.pin.fs: expected \"sha256:\" and 64 hexadecimal digits, found \"md5:00\""));
}

TEST_CASE("durations have units, or are milliseconds") {
  struct Case {
    const char *text;
    std::int64_t value;
  };
  auto good = GENERATE(values<Case>({{"0", 0},
                                     {"250", 250},
                                     {"100ms", 100},
                                     {"90s", 90'000},
                                     {"5m", 300'000},
                                     {"1h", 3'600'000},
                                     {"7d", 604'800'000},
                                     {"1.5h", 5'400'000},
                                     {"2 s", 2000},
                                     {"9007199254740991ms", 9007199254740991}}));
  std::int64_t value = -1;
  CHECK(config::parse_duration(good.text, value));
  CHECK(value == good.value);
}

TEST_CASE("a ttl is read alike wherever it is given, and never turns into for ever by rounding") {
  const auto ttl = [](std::string_view text, std::int64_t bare) {
    std::int64_t value = -1;
    return config::read_ttl(text, bare, value).empty() ? value : -1;
  };
  CHECK(ttl("60", 1) == 60);
  CHECK(ttl("60", 1000) == 60'000);
  CHECK(ttl("1.5", 1000) == 1500);
  CHECK(ttl("0.0001", 1000) == 1);
  CHECK(ttl("0.00000001s", 1) == 1);
  CHECK(ttl("60.00000001", 1000) == 60'000);
  CHECK(ttl("0", 1000) == 0);
  CHECK(ttl("5m", 1000) == 300'000);
  CHECK(ttl("1e15", 1) == -1);
  CHECK(ttl("1000000000000000", 1) == 1'000'000'000'000'000);
  CHECK(ttl("1000000000000", 1000) == 1'000'000'000'000'000);
  for (const char *wrong : {"", "-1", "x", "nan", "inf", "1e3", "1e300", "+5", " 5", "5 minutes"}) {
    INFO(wrong);
    CHECK(ttl(wrong, 1000) == -1);
  }
}

TEST_CASE("a ttl that is too long is refused as such in every place") {
  std::int64_t value = 0;
  for (const char *text : {"100000000d", "1000000000000001ms", "99999999999999999999d", "1000000000000.001s"})
    CHECK(config::read_ttl(text, 1, value).starts_with("too long"));
  CHECK(config::read_ttl("1000000000001", 1000, value).starts_with("too long"));
  for (const boost::json::value &number :
       {boost::json::value(1e300), boost::json::value(UINT64_MAX), boost::json::value(INT64_MAX)})
    CHECK(config::read_ttl(number, value).starts_with("too long"));
  CHECK_FALSE(config::read_ttl(boost::json::value(-1), value).empty());
  CHECK_FALSE(config::read_ttl(boost::json::value(1.5), value).empty());
  for (const char *text : {"\"100000000d\"", "9007199254740993", "1000000000000001"}) {
    const std::string message = problem(std::string(R"({"ttl": )") + text + "}");
    INFO(text << ": " << message);
    CHECK(message.find("ttl: too long") != std::string::npos);
  }
}

TEST_CASE("a text that is no duration is refused") {
  auto bad = GENERATE("", "s", "-1s", "1", "1x", "1 hour", "1.s", ".5s", "0.5ms", "1h30m", "9007199254740992ms",
                      "99999999999999999999d", "104249991375d", "1e3", "0x10", " 1s", "1s ");
  std::int64_t value = 0;
  CHECK(config::parse_duration(bad, value) == (std::string_view(bad) == "1"));
}

TEST_CASE("sizes have units of 1000 or 1024, or are bytes") {
  struct Case {
    const char *text;
    std::int64_t value;
  };
  auto good = GENERATE(values<Case>({{"0", 0},
                                     {"12", 12},
                                     {"12B", 12},
                                     {"1kB", 1000},
                                     {"64KiB", 65'536},
                                     {"1MB", 1'000'000},
                                     {"2GiB", 2'147'483'648},
                                     {"1.5MiB", 1'572'864},
                                     {"3 TB", 3'000'000'000'000},
                                     {"1tib", 1'099'511'627'776}}));
  std::int64_t value = -1;
  CHECK(config::parse_bytes(good.text, value));
  CHECK(value == good.value);
}

TEST_CASE("a text that is no size is refused") {
  auto bad = GENERATE("", "KiB", "1K", "-1", "1.0001KiB", "8192TiB1", "9000000TiB", "1 kilobyte");
  std::int64_t value = 0;
  CHECK_FALSE(config::parse_bytes(bad, value));
}

TEST_CASE("a relative plugin path starts at the config file's folder") {
  test::Folder folder;
  test::write_file(folder / "etc/omnistore.jsonc",
                   R"({"plugins":{"paths":["plugins","../more/x.so","/abs"],"lock":"omnistore.lock"}})");
  auto config = Config::load(folder / "etc/omnistore.jsonc");
  CHECK(config.plugin_paths == std::vector<std::string>{folder / "etc/plugins", folder / "more/x.so", "/abs"});
  CHECK(config.plugin_lock == folder / "etc/omnistore.lock");
  CHECK(config.file == folder / "etc/omnistore.jsonc");
}

TEST_CASE("options' own paths are left as they are") {
  CHECK(Config::parse(R"({"mounts":{"":{"driver":"fs","options":{"base":"./.cache"}}}})", "/etc/x.jsonc", "", nullptr)
            .mounts.at("")
            .store.options == R"({"base":"./.cache"})");
}

TEST_CASE("a config file that is missing or a folder is an error that says so") {
  test::Folder folder;
  auto load = [&](const std::string &file) {
    try {
      Config::load(file);
    } catch (const Error &error) {
      return std::pair(error.status(), std::string(error.what()));
    }
    return std::pair(Status::ok, std::string());
  };
  auto missing = folder / "none.jsonc";
  CHECK(load(missing) == std::pair(Status::not_found, "config " + missing + ": No such file or directory"));
  CHECK(load(folder.path()) == std::pair(Status::io, "config " + folder.path().string() + ": Is a directory"));
}

TEST_CASE("an error names the file that was loaded") {
  test::Folder folder;
  test::write_file(folder / "a.jsonc", "{ \"tll\": 1 }");
  CHECK_THROWS_WITH(Config::load(folder / "a.jsonc"),
                    (folder / "a.jsonc") +
                        ":\n  tll: there is no such field; did you mean \"ttl\"? (line 1, column 3)");
}

TEST_CASE("configs can be read on many threads at once") {
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&] {
      auto config = Config::parse(R"({"prefix":"a","profiles":{"p":{"prefix":"b"},"q":{}}})", "", "p", nullptr);
      if (config.prefix == "b") ++right;
    });
  for (auto &thread : threads) thread.join();
  CHECK(right == 8);
}
