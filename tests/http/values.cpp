// SPDX-License-Identifier: Apache-2.0
// Reading: values, their meta, parts of them.
#include "driven.hpp"

using test::Got;
using test::Origin;
using test::Store;

TEST_CASE("A value is the body of a GET of the key's path, requested as bytes") {
  Origin origin;
  origin.serve("/cache/user/1", std::string("a\0b\r\n", 5));
  Store store(origin.url("/cache"));
  Got got;
  REQUIRE(store.get("user:1", got) == OMNISTORE_OK);
  CHECK(got.bytes == std::string("a\0b\r\n", 5));
  CHECK(got.begun == 1);
  CHECK(got.value_size == 5);
  CHECK(origin.last().method == "GET");
  CHECK(origin.last().header("accept") == "application/octet-stream");
  CHECK(origin.last().header("accept-encoding") == "identity");
}

TEST_CASE("An absent value is a miss without a message, and nothing was begun") {
  const unsigned status = GENERATE(404u, 410u);
  Origin origin;
  origin.fail(3, status);
  Store store(origin);
  Got got;
  CHECK(store.get("k", got) == OMNISTORE_NOT_FOUND);
  CHECK(store.message().empty());
  CHECK(store.stat("k", got) == OMNISTORE_NOT_FOUND);
  CHECK(got.begun == 0);
}

TEST_CASE("An empty value is a value") {
  Origin origin;
  origin.serve("/k", "");
  Store store(origin);
  Got got;
  REQUIRE(store.get("k", got) == OMNISTORE_OK);
  CHECK(got.begun == 1);
  CHECK(got.value_size == 0);
  CHECK(got.writes == 0);
}

TEST_CASE("A part of an empty value from its begin is the empty value, with its meta") {
  Origin origin;
  Origin::Answer answer;
  answer.headers = {{"X-Ttl", "60"}};
  origin.serve("/k", answer);
  Store store(origin);
  Got got;
  REQUIRE(store.get("k", got, 0, 10) == OMNISTORE_OK);
  CHECK(got.begun == 1);
  CHECK(got.value_size == 0);
  CHECK(got.expiry != 0);
}

TEST_CASE("Meta comes from the head: size, mtime, etag, and X-Ttl as the expiry") {
  Origin origin;
  Origin::Answer answer;
  answer.body = "12345";
  answer.headers = {
      {"ETag", "\"abc\""}, {"Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT"}, {"X-Ttl", "60"}, {"X-Other", "1"}};
  origin.serve("/k", answer);
  Store store(origin);
  Got got;
  SECTION("of stat, by HEAD") {
    REQUIRE(store.stat("k", got) == OMNISTORE_OK);
    CHECK(origin.last().method == "HEAD");
    CHECK(got.bytes.empty());
  }
  SECTION("of get") { REQUIRE(store.get("k", got) == OMNISTORE_OK); }
  CHECK(got.value_size == 5);
  CHECK(got.mtime == 784111777000);
  CHECK(got.etag == "abc");
  CHECK(got.expiry == store.bare.host().time + 60'000);
}

TEST_CASE("A server without HEAD gets a GET that stops before the value") {
  Origin origin;
  origin.serve("/k", std::string(8 << 20, 'x'), "\"e\"");
  origin.handle([](const Origin::Request &request) -> std::optional<Origin::Answer> {
    if (request.method != "HEAD") return {};
    Origin::Answer answer;
    answer.status = 405;
    return answer;
  });
  Store store(origin);
  Got got;
  REQUIRE(store.stat("k", got) == OMNISTORE_OK);
  CHECK(got.value_size == 8 << 20);
  CHECK(got.etag == "e");
  CHECK(got.bytes.empty());
}

TEST_CASE("A body in chunks has no size before its end") {
  Origin origin;
  Origin::Answer answer;
  answer.body = "in chunks";
  answer.chunked = true;
  origin.serve("/k", answer);
  Store store(origin);
  Got got;
  REQUIRE(store.get("k", got) == OMNISTORE_OK);
  CHECK(got.value_size == OMNISTORE_UNKNOWN_SIZE);
  CHECK(got.bytes == "in chunks");
}

TEST_CASE("Bytes reach the reader while the server still sends") {
  Origin origin;
  Origin::Answer answer;
  answer.body = std::string(1 << 20, 'x');
  answer.pause = 1000;
  origin.serve("/k", answer);
  Store store(origin);
  Got got;
  // The server continues only after the reader has had the first bytes.
  got.on_write = [&] {
    if (got.bytes.size() == 1000) origin.release();
    return OMNISTORE_OK;
  };
  REQUIRE(store.get("k", got) == OMNISTORE_OK);
  CHECK(got.bytes.size() == 1 << 20);
  CHECK(got.value_size == 1 << 20);
}

TEST_CASE("A large value goes through in pieces") {
  Origin origin;
  std::string value(64 << 20, '\0');
  for (std::size_t i = 0; i < value.size(); ++i) value[i] = static_cast<char>(i * 2654435761u >> 24);
  origin.serve("/k", value);
  Store store(origin);
  Got got;
  REQUIRE(store.get("k", got) == OMNISTORE_OK);
  CHECK(got.bytes == value);
  CHECK(got.writes > 64);
}

TEST_CASE("A sink that takes no more ends the transfer with its status") {
  Origin origin;
  Origin::Answer answer;
  answer.body = std::string(1 << 20, 'x');
  answer.pause = 1000; // and nobody lets it continue
  origin.serve("/k", answer);
  Store store(origin);
  Got got;
  got.on_write = [] { return OMNISTORE_NO_SPACE; };
  CHECK(store.get("k", got) == OMNISTORE_NO_SPACE);
  CHECK(got.writes == 1);
}

TEST_CASE("A part is requested by Range, and cut here if the server sends the whole") {
  const bool ranges = GENERATE(true, false);
  Origin origin;
  origin.ranges(ranges);
  origin.serve("/k", "0123456789");
  Store store(origin);
  const auto part = [&](std::uint64_t offset, std::uint64_t length) {
    Got got;
    REQUIRE(store.get("k", got, offset, length) == OMNISTORE_OK);
    CHECK(got.value_size == 10);
    CHECK(got.begun == 1);
    return got.bytes;
  };
  CHECK(part(2, 3) == "234");
  CHECK(origin.last().header("range") == "bytes=2-4");
  CHECK(part(7, UINT64_MAX) == "789");
  CHECK(origin.last().header("range") == "bytes=7-");
  CHECK(part(8, 100) == "89");
  CHECK(part(0, 1) == "0");
  CHECK(part(10, 5).empty());
  CHECK(part(50, 5).empty());
  CHECK(part(3, 0).empty());
  CHECK(part(UINT64_MAX - 1, UINT64_MAX - 1).empty());
}

TEST_CASE("Another part than the requested one is refused") {
  Origin origin;
  Origin::Answer answer;
  answer.status = 206;
  answer.body = "abc";
  answer.headers = {{"Content-Range", "bytes 0-2/10"}};
  origin.handle([&](const Origin::Request &) { return answer; });
  Store store(origin);
  Got got;
  CHECK(store.get("k", got, 5, 3) == OMNISTORE_UNAVAILABLE);
  CHECK(store.get("k", got) == OMNISTORE_UNAVAILABLE);
  CHECK(got.begun == 0);
}

TEST_CASE("A key's segments are escaped as unstorage's client does it") {
  Origin origin;
  Store store(origin.url("/base"));
  const auto target = [&](std::string_view key) {
    Got got;
    store.get(key, got);
    return origin.last().target;
  };
  CHECK(target("a:b") == "/base/a/b");
  CHECK(target("a b:c%d") == "/base/a%20b/c%25d");
  CHECK(target("#x&y=z+;@") == "/base/%23x%26y%3Dz%2B%3B%40");
  CHECK(target("kept-_.!~*'()") == "/base/kept-_.!~*'()");
  CHECK(target("grüße:…") == "/base/gr%C3%BC%C3%9Fe/%E2%80%A6");
  CHECK(target("a:...:b$") == "/base/a/.../b%24");
  CHECK(target("line\nend\x01") == "/base/line%0Aend%01");
}
