// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "host.hpp"
#include "support/redis_server.hpp"
#include "support/temporary.hpp"

using test::Answer;
using test::Client;
using test::Host;

namespace {

struct Case {
  const char *range;
  int status;
  const char *body;
  const char *content_range;
};

} // namespace

TEST_CASE("a range of a value is 206 with its place in the whole") {
  Host host;
  Client client(host.http());
  client.ask("PUT", "/a", "0123456789");
  const Case cases[] = {
      {"bytes=0-0", 206, "0", "bytes 0-0/10"},
      {"bytes=2-5", 206, "2345", "bytes 2-5/10"},
      {"bytes=7-", 206, "789", "bytes 7-9/10"},
      {"bytes=7-100", 206, "789", "bytes 7-9/10"},
      {"bytes=-3", 206, "789", "bytes 7-9/10"},
      {"bytes=-100", 206, "0123456789", "bytes 0-9/10"},
      // A header that is no single range counts as absent.
      {"bytes=5-2", 200, "0123456789", ""},
      {"bytes=0-1,4-5", 200, "0123456789", ""},
      {"lines=0-1", 200, "0123456789", ""},
      {"bytes=a-b", 200, "0123456789", ""},
      {"bytes=-", 200, "0123456789", ""},
  };
  for (const Case &one : cases) {
    INFO(one.range);
    const Answer got = client.ask("GET", "/a", {}, std::string("Range: ") + one.range + "\r\n");
    CHECK(got.status == one.status);
    CHECK(got.body == one.body);
    CHECK(got.header("content-range") == one.content_range);
  }
}

TEST_CASE("a range after the value's end is 416 with the value's size") {
  Host host;
  Client client(host.http());
  client.ask("PUT", "/a", "0123456789");
  client.ask("PUT", "/empty", "");
  for (const char *range : {"bytes=10-", "bytes=100-200", "bytes=-0"}) {
    INFO(range);
    const Answer got = client.ask("GET", "/a", {}, std::string("Range: ") + range + "\r\n");
    CHECK(got.status == 416);
    CHECK(got.header("content-range") == "bytes */10");
  }
  CHECK(client.ask("GET", "/a", {}, "Range: bytes=" + std::string(40, '9') + "-\r\n").status == 416);
  CHECK(client.ask("GET", "/empty", {}, "Range: bytes=0-\r\n").status == 416);
  CHECK(client.ask("GET", "/empty", {}, "Range: bytes=-0\r\n").status == 416);
  CHECK(client.ask("GET", "/absent", {}, "Range: bytes=0-\r\n").status == 404);
}

TEST_CASE("The last bytes of an empty value are an empty value") {
  const test::Folder folder;
  omnistore::Config config = test::memory_config();
  config.mounts["files"].store.driver = "fs";
  config.mounts["files"].store.options = R"({"base": ")" + folder.path().string() + "\"}";
  Host host(config);
  Client client(host.http());
  for (const std::string target : {"/empty", "/files/empty"}) {
    client.ask("PUT", target, "");
    for (const std::string &last : {std::string("1"), std::string("1000"), std::string(40, '9')}) {
      INFO(target << " " << last);
      const Answer got = client.ask("GET", target, {}, "Range: bytes=-" + last + "\r\n");
      CHECK(got.status == 200);
      CHECK(got.header("content-length") == "0");
      CHECK(got.body.empty());
    }
  }
}

TEST_CASE("A range of a number of any length, and several ranges, are understood") {
  Host host;
  Client client(host.http());
  client.ask("PUT", "/a", "0123456789");
  const std::string huge(40, '9');
  CHECK(client.ask("GET", "/a", {}, "Range: bytes=8-" + huge + "\r\n").body == "89");
  CHECK(client.ask("GET", "/a", {}, "Range: bytes=-" + huge + "\r\n").body == "0123456789");
  CHECK(client.ask("GET", "/a", {}, "Range: bytes=0-1,3-4\r\n").status == 200); // the whole: a server may
}

TEST_CASE("with If-Range the range holds only for the value that it names") {
  Host host;
  Client client(host.http());
  const std::string etag = client.ask("PUT", "/a", "0123456789").header("etag");
  CHECK(client.ask("GET", "/a", {}, "Range: bytes=0-1\r\nIf-Range: " + etag + "\r\n").body == "01");
  const Answer other = client.ask("GET", "/a", {}, "Range: bytes=0-1\r\nIf-Range: \"other\"\r\n");
  CHECK(other.status == 200);
  CHECK(other.body == "0123456789");
  CHECK(client.ask("GET", "/a", {}, "Range: bytes=0-1\r\nIf-Range: Sun, 06 Nov 1994 08:49:37 GMT\r\n").status == 200);
}

TEST_CASE("a store that has no etag for a part of a value gives the whole value for a range that depends on it") {
  const test::RedisServer server;
  omnistore::Config config = test::memory_config();
  config.mounts["r"].store.driver = "redis";
  config.mounts["r"].store.options = R"({"url": ")" + server.url() + "\"}";
  Host host(config);
  Client client(host.http());
  const std::string etag = client.ask("PUT", "/r/a", "0123456789").header("etag");
  REQUIRE_FALSE(etag.empty());
  for (const std::string &range :
       {std::string("bytes=-3"), "bytes=0-1\r\nIf-Range: " + etag, "bytes=0-1\r\nIf-Match: " + etag}) {
    const Answer answer = client.ask("GET", "/r/a", {}, "Range: " + range + "\r\n");
    INFO(range << ": " << answer.body);
    CHECK(answer.status == 200);
    CHECK(answer.body == "0123456789");
  }
  CHECK(client.ask("GET", "/r/a", {}, "Range: bytes=2-3\r\n").body == "23");
}
