// SPDX-License-Identifier: Apache-2.0
// The parts that need no server.
#include <algorithm>
#include <random>
#include <set>

#include <catch2/catch.hpp>

#include <omnistore/failure.hpp>

#include "connection/commands.hpp"
#include "connection/url.hpp"
#include "listing/window.hpp"
#include "servers/slots.hpp"
#include "values/layout.hpp"

using redis::Endpoint;
using redis::parse_url;

TEST_CASE("a url is taken apart, and its parts are decoded") {
  const Endpoint full = parse_url("redis://us%65r:p%40ss%3A%2F@example.org:7000/12");
  CHECK(full.host == "example.org");
  CHECK(full.port == 7000);
  CHECK(full.user == "user");
  CHECK(full.password == "p@ss:/");
  CHECK(full.database == 12);
  const Endpoint least = parse_url("redis://");
  CHECK(least.shown() == "127.0.0.1:6379");
  CHECK_FALSE(least.has_password);
  CHECK(parse_url("redis://:pw@h").user.empty());
  CHECK(parse_url("redis://:pw@h").has_password);
  CHECK(parse_url("redis://h/").database == 0);
  CHECK(parse_url("redis://h?db=4").database == 4);
  CHECK(parse_url("redis://[::1]:7000/1").shown() == "[::1]:7000");
  CHECK(parse_url("redis://u:with@sign@h").password == "with@sign");
}

TEST_CASE("a unix socket's url has a path, a login and a database") {
  const Endpoint socket = parse_url("unix://u:p@/run/my%20redis.sock?db=3");
  CHECK(socket.path == "/run/my redis.sock");
  CHECK(socket.shown() == "/run/my redis.sock");
  CHECK(socket.user == "u");
  CHECK(socket.database == 3);
  CHECK(parse_url("redis+unix:///run/a@b.sock").path == "/run/a@b.sock");
  CHECK_FALSE(parse_url("unix:///run/a@b.sock").has_password);
}

TEST_CASE("a malformed url is refused, without a word of it") {
  for (const char *url : {"",
                          "127.0.0.1:6379",
                          "redis:/h",
                          "rediss://h:",
                          "redis://h:",
                          "redis://h:99999",
                          "redis://h:1x",
                          "redis://h/-1",
                          "redis://h/99999999999",
                          "redis://h/2147483647",
                          "redis://h/4294967295",
                          "unix:///run?db=2147483647",
                          "redis://h?x=1",
                          "redis://%zz@h",
                          "redis://u:%4@h",
                          "redis://user@h",
                          "redis://[::1",
                          "redis://[::1]x",
                          "unix://",
                          "unix://x",
                          "redis://u:%00@h",
                          "unix:///run?db="}) {
    CAPTURE(url);
    CHECK_THROWS_AS(parse_url(url), omnistore::Failure);
  }
  try {
    parse_url("redis://me:hunter2@h:hunter2/hunter2");
  } catch (const omnistore::Failure &failure) {
    CHECK(std::string(failure.what()).find("hunter2") == std::string::npos);
  }
  CHECK_THROWS_AS(parse_url("unix:///" + std::string(200, 'x')), omnistore::Failure);
}

TEST_CASE("commands go out in the protocol's form") {
  redis::Commands commands;
  commands.add("SET", redis::KeyParts{"a:", "b"}, std::string_view("\0\r\n", 3)).add("EXPIRE", -5, 42u);
  CHECK(commands.count() == 2);
  constexpr char expected[] = "*3\r\n$3\r\nSET\r\n$3\r\na:b\r\n$3\r\n\0\r\n\r\n"
                              "*3\r\n$6\r\nEXPIRE\r\n$2\r\n-5\r\n$2\r\n42\r\n";
  CHECK(commands.bytes() == std::string(expected, sizeof expected - 1));
}

TEST_CASE("a key is a name that a host can request") {
  for (const char *key : {"a", "a:b", "a.b", "...", "a:..b", "gr\xc3\xbc\xc3\x9f", "\xf0\x9f\x98\x80", "a b*[", "k$"})
    CHECK(redis::is_key(key));
  for (const char *text : {"", ":", ":a", "a:", "a::b", "a/b", "a\\b", "a?", ".", "..", "a:.", "..:a", "a:..:b", "\xff",
                           "a\xc3", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\x80"}) {
    CAPTURE(text);
    CHECK_FALSE(redis::is_key(text));
  }
  CHECK(redis::is_key(std::string(4096, 'k')));
  CHECK_FALSE(redis::is_key(std::string(4097, 'k')));
  CHECK(redis::is_key(std::string(4096, 'k') + "$$"));
  CHECK_FALSE(redis::is_key(std::string(4097, 'k') + "$"));
  CHECK_FALSE(redis::is_key(std::string_view("a\0b", 3)));
}

TEST_CASE("a pattern takes glob characters as they are") {
  CHECK(redis::Layout("a[b]").pattern("c*:") == "a\\[b\\]:c\\*:*");
  CHECK(redis::Layout("").pattern("") == "*");
  CHECK(redis::Layout("x\\y?").pattern("") == "x:y\\?:*");
}

TEST_CASE("windows over keys in any order, some twice, give each after the last once and in order") {
  std::mt19937 random(5);
  std::set<std::string> expected;
  while (expected.size() < 3000) expected.insert("key" + std::to_string(random() % 100'000));
  std::vector<std::string> scanned(expected.begin(), expected.end());
  for (size_t i = 0; i < 500; ++i) scanned.push_back(scanned[random() % 3000]);
  for (const size_t budget : {size_t{1}, size_t{1000}, size_t{20'000}, size_t{1} << 30}) {
    CAPTURE(budget);
    std::vector<std::string> seen;
    size_t windows = 0;
    bool complete = false;
    while (!complete && windows < (budget == 1 ? 50u : 100'000u)) {
      std::shuffle(scanned.begin(), scanned.end(), random);
      redis::Collector collector(seen.empty() ? "" : seen.back(), budget);
      for (const std::string &key : scanned) collector.add(key);
      const redis::Window window = collector.finish();
      REQUIRE((window.complete || !window.keys.empty()));
      seen.insert(seen.end(), window.keys.begin(), window.keys.end());
      complete = window.complete;
      ++windows;
    }
    if (budget == 1)
      CHECK(std::equal(seen.begin(), seen.end(), expected.begin())); // one key a window
    else
      CHECK(std::equal(seen.begin(), seen.end(), expected.begin(), expected.end()));
    CHECK((windows == 1) == (budget == size_t{1} << 30));
  }
}

TEST_CASE("the key of user meta distinguishes it from values and from the records of layers") {
  for (const char *key : {"a$", "a:b$", "a$$", "a:b$$", "layer$:a$$"}) CHECK(redis::is_user_meta(key));
  for (const char *key : {"a", "$a", "a$b", "a$:b", "layer$:a$", "$", "a:$"}) CHECK_FALSE(redis::is_user_meta(key));
  CHECK(redis::owner_of("a:b$") == "a:b");
  CHECK(redis::owner_of("a:b$$") == "a:b");
  CHECK(redis::owner_of("a:b") == "a:b");
}

TEST_CASE("a name has the slot that Redis gives it") {
  CHECK(redis::slot_of("123456789") == 12739); // of the specification of Redis Cluster
  CHECK(redis::slot_of("foo") == 12182);
  CHECK(redis::slot_of("{foo}x") == redis::slot_of("foo"));
  CHECK(redis::slot_of("a{foo}{bar}") == redis::slot_of("foo"));
  CHECK(redis::slot_of("foo{{bar}}zap") == redis::slot_of("{bar"));
  CHECK(redis::slot_of("foo{}{bar}") != redis::slot_of("bar"));
  CHECK(redis::slot_of("app:{f", "oo}x") == redis::slot_of("foo"));
  CHECK(redis::slot_of("fo", "o") == 12182);
  for (std::uint16_t slot = 0; slot < redis::slot_count; ++slot)
    REQUIRE(redis::slot_of(std::string(redis::prefix_for(slot)) + "any{}}name") == slot);
}

TEST_CASE("in a cluster user meta has the slot of its value, and its name is that of no other") {
  const std::string parts[] = {"{", "}", "a", "b:", "{}", "}{", "$", "{a}"};
  std::set<std::string> keys;
  for (const auto &one : parts)
    for (const auto &two : parts)
      for (const auto &three : parts)
        for (const auto &four : parts) keys.insert(one + two + three + four + "z");
  for (const char *base : {"", "app", "{app}", "a}", "{a"}) {
    const redis::Layout layout(base, true);
    std::set<std::string> found;
    std::size_t made = 0;
    for (const std::string &key : keys) {
      if (!redis::is_key(key) || key.find("$:") != key.npos) continue;
      const std::string value = layout.prefix() + key;
      for (const char *end : {"$", "$$"}) {
        const redis::KeyParts name = layout.meta(key, end);
        std::string full(name.before);
        full.append(name.front).append(name.back).append(name.end);
        INFO(full);
        REQUIRE(redis::slot_of(full) == redis::slot_of(value));
        REQUIRE(layout.owner_of_meta(full) == key);
        REQUIRE_FALSE(layout.value_key_of(full));
        found.insert(full);
        ++made;
      }
      REQUIRE(layout.value_key_of(value) == key);
    }
    CHECK(found.size() == made);
  }
}
