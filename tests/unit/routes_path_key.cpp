// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "http/target.hpp"
#include "routes/path_key.hpp"

using namespace omnistore::routes;
using namespace omnistore::http;

namespace {

struct Decoded {
  std::string key;
  bool is_base = false;
  bool valid = false;
};

Decoded decode(std::string_view path) {
  Decoded result;
  result.valid = decode_key(path, result.key, result.is_base) == nullptr;
  return result;
}

} // namespace

TEST_CASE("a path that ends in a separator is a base, others are keys") {
  CHECK(decode("/a/b").key == "a:b");
  CHECK_FALSE(decode("/a/b").is_base);
  for (const char *path : {"/a/b/", "/a/b/:", "/a/b:", "/a:b//"}) {
    INFO(path);
    CHECK(decode(path).is_base);
    CHECK(decode(path).key == "a:b");
  }
  for (const char *path : {"/", "/:", "//", ""}) {
    CHECK(decode(path).is_base);
    CHECK(decode(path).key.empty());
    CHECK(decode(path).valid);
  }
}

TEST_CASE("an escaped separator at the end makes no base, so that a remove cannot become a clear") {
  CHECK(decode("/a%3A").key == "a");
  CHECK_FALSE(decode("/a%3A").is_base);
  CHECK_FALSE(decode("/%2F").valid);
}

TEST_CASE("escapes are decoded once") {
  CHECK(decode("/a%20b%2525").key == "a b%25");
  CHECK(decode("/%e2%82%ac").key == "\xe2\x82\xac");
  for (const char *path : {"/%", "/%2", "/%zz", "/a%2gb", "/%00"}) CHECK_FALSE(decode(path).valid);
}

TEST_CASE("segments that are steps are refused, also escaped, and dots elsewhere are not") {
  for (const char *path :
       {"/.", "/..", "/a/./b", "/a/../b", "/%2e%2e/a", "/a%2f..%2fb", "/a:..", "/../", "/a\\..\\b"}) {
    INFO(path);
    CHECK_FALSE(decode(path).valid);
  }
  for (const char *path : {"/...", "/.a", "/a.", "/a/..b"}) CHECK(decode(path).valid);
}

TEST_CASE("a target is a path with a query, or a URL with its authority") {
  Target target;
  REQUIRE(split_target("/a?b=c?d", target));
  CHECK(target.path == "/a");
  CHECK(target.query == "b=c?d");
  REQUIRE(split_target("HTTP://host:80/a?q", target));
  CHECK(target.authority == "host:80");
  CHECK(target.path == "/a");
  REQUIRE(split_target("http://host?q", target));
  CHECK(target.path == "/");
  CHECK(target.query == "q");
  REQUIRE(split_target("*", target));
  for (const char *wrong : {"", "a", "ftp://host/a", "http://", "http:///a", "?a"})
    CHECK_FALSE(split_target(wrong, target));
}

TEST_CASE("a query's parameters are found by whole name and decoded") {
  CHECK(parameter("limit=1&cursor=a%2Fb", "cursor") == "a/b");
  CHECK(parameter("xlimit=1&limit=2&limit=3", "limit") == "2");
  CHECK(parameter("limit", "limit") == "");
  CHECK(parameter("cursor=100%", "cursor") == "100%");
  CHECK_FALSE(parameter("", "limit"));
  CHECK_FALSE(parameter("limits=1", "limit"));
}

TEST_CASE("numbers are whole and within bounds") {
  CHECK(number("10", 1, 10) == 10u);
  for (const char *wrong : {"", "0", "11", "-1", "+1", "1.0", "1 ", "99999999999999999999"})
    CHECK_FALSE(number(wrong, 1, 10));
}
