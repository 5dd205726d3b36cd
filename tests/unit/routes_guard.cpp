// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <omnistore/error.hpp>

#include "routes/guard.hpp"

using namespace omnistore;
using namespace omnistore::routes;
using namespace omnistore::http;

TEST_CASE("an address to listen on is read, and printed as it was") {
  const Address four = parse_listen("127.0.0.1:7700", "server.http");
  CHECK(four.host == "127.0.0.1");
  CHECK(four.port == 7700);
  CHECK(four.loopback);
  CHECK(four.text() == "127.0.0.1:7700");
  const Address six = parse_listen("[::1]:80", "server.http");
  CHECK(six.loopback);
  CHECK(six.text() == "[::1]:80");
  CHECK(parse_listen("localhost:1", "server.http").loopback);
  for (const char *reachable : {"0.0.0.0:1", "[::]:1", "10.0.0.1:1", "[::ffff:10.0.0.1]:1"}) {
    CHECK_FALSE(parse_listen(reachable, "server.http").loopback);
  }
}

TEST_CASE("the error of a bad address names its field and the value") {
  CHECK_THROWS_WITH(
      parse_listen("7700", "admin"),
      "admin.listen: expected ADDRESS:PORT such as 127.0.0.1:7700 or [::1]:7700, or unix:/PATH, found \"7700\"");
}

TEST_CASE("a listener that others can reach is refused without tokens") {
  HttpConfig config;
  CHECK_THROWS_AS(Guard(config, parse_listen("0.0.0.0:7700", "server.http"), "server.http"), Error);
  config.tokens = {{"", false, {}, {}}};
  CHECK_THROWS_WITH(Guard(config, parse_listen("0.0.0.0:7700", "server.http"), "server.http"),
                    Catch::Contains("a token needs a value or the name in a certificate"));
}

TEST_CASE("an origin is the host's own only when it names host and port") {
  CHECK(Guard::same_origin("http://localhost:7700", "localhost:7700"));
  CHECK_FALSE(Guard::same_origin("http://localhost:7701", "localhost:7700"));
  CHECK_FALSE(Guard::same_origin("null", "null"));
  CHECK_FALSE(Guard::same_origin("", ""));
}

TEST_CASE("a token's base covers the keys under it and not the key of its name") {
  HttpConfig config;
  config.tokens = {{"t", true, {"a/b/"}, {}}};
  const Guard guard(config, parse_listen("127.0.0.1:1", "server.http"), "server.http");
  using Verdict = Guard::Verdict;
  CHECK(guard.judge("Bearer t", true, "a:b:c", false) == Verdict::granted);
  CHECK(guard.judge("bearer t", true, "a:b:c", false) == Verdict::granted);
  CHECK(guard.judge("Bearer t", true, "a:b", false) == Verdict::out_of_scope);
  CHECK(guard.judge("Bearer t", true, "a:b", true) == Verdict::granted);
  CHECK(guard.judge("Bearer t", true, "a", true) == Verdict::out_of_scope);
  CHECK(guard.judge("Bearer t", true, "", true) == Verdict::out_of_scope);
  CHECK(guard.judge("Bearer u", true, "a:b:c", false) == Verdict::wrong_token);
  CHECK(guard.judge("", true, "a:b:c", false) == Verdict::no_token);
}
