// SPDX-License-Identifier: Apache-2.0
// One value over HTTP, as unstorage's server has it.
#include <catch2/catch.hpp>

#include "host.hpp"

using namespace std::string_literals;
using test::Answer;
using test::Client;
using test::Host;

TEST_CASE("a value that was put is got, byte for byte") {
  Host host;
  Client client(host.http());
  const std::string value = "\x00\x01\xff line\r\n\r\nGET / HTTP/1.1"s;
  const Answer put = client.ask("PUT", "/a/b", value);
  CHECK(put.status == 200);
  CHECK(put.body == "OK");
  const Answer got = client.ask("GET", "/a/b");
  CHECK(got.status == 200);
  CHECK(got.body == value);
  CHECK(host.storage.get("a:b") == value);
}

TEST_CASE("a value is text that no browser takes for a page, and bytes if Accept wants bytes") {
  Host host;
  Client client(host.http());
  client.ask("PUT", "/a", "<script>");
  const Answer text = client.ask("GET", "/a");
  CHECK(text.header("content-type") == "text/plain; charset=utf-8");
  CHECK(text.header("x-content-type-options") == "nosniff");
  const Answer bytes = client.ask("GET", "/a", {}, "Accept: application/octet-stream\r\n");
  CHECK(bytes.header("content-type") == "application/octet-stream");
  CHECK(bytes.body == "<script>");
}

TEST_CASE("an empty value is a value") {
  Host host;
  Client client(host.http());
  CHECK(client.ask("PUT", "/empty", "").status == 200);
  const Answer got = client.ask("GET", "/empty");
  CHECK(got.status == 200);
  CHECK(got.header("content-length") == "0");
  CHECK(client.ask("HEAD", "/empty").status == 200);
}

TEST_CASE("an absent value is 404 with unstorage's message") {
  Host host;
  Client client(host.http());
  const Answer got = client.ask("GET", "/absent");
  CHECK(got.status == 404);
  CHECK(got.header("content-type") == "application/json");
  CHECK(got.body == R"({"status":404,"statusText":"Not Found","message":"KV value not found"})");
  CHECK(client.ask("HEAD", "/absent").status == 404);
}

TEST_CASE("a HEAD has the headers of the GET and no body") {
  Host host;
  Client client(host.http());
  client.ask("PUT", "/a", "12345");
  const Answer head = client.ask("HEAD", "/a");
  CHECK(head.status == 200);
  const Answer got = client.ask("GET", "/a"); // if there were a body, it would stand before this response
  CHECK(got.body == "12345");
  for (const char *name : {"content-type", "content-length", "etag", "last-modified", "cache-control"}) {
    CHECK(head.header(name) == got.header(name));
  }
}

TEST_CASE("a removal responds with OK, even if there was nothing") {
  Host host;
  Client client(host.http());
  client.ask("PUT", "/a", "1");
  for (int i = 0; i < 2; ++i) {
    const Answer removed = client.ask("DELETE", "/a");
    CHECK(removed.status == 200);
    CHECK(removed.body == "OK");
  }
  CHECK_FALSE(host.storage.has("a"));
}

TEST_CASE("segments are decoded once, and separators in them separate") {
  Host host;
  Client client(host.http());
  CHECK(client.ask("PUT", "/a%20b/%C3%A9/%2525", "x").status == 200);
  CHECK(host.storage.has("a b:\xc3\xa9:%25"));
  client.ask("PUT", "/one%3Atwo%2Fthree", "y");
  CHECK(host.storage.has("one:two:three"));
}

TEST_CASE("a key that cannot be is 400") {
  Host host;
  Client client(host.http());
  for (const char *target : {"/a%zz", "/a%2", "/a/../b", "/a/%2e%2e/b", "/.", "/a%00b", "/a%3Fb", "/%ff"}) {
    INFO(target);
    CHECK(client.ask("GET", target).status == 400);
    CHECK(client.ask("PUT", target, "x").status == 400);
  }
  CHECK(host.storage.keys().all().empty());
}

TEST_CASE("PUT and HEAD of a base are 400") {
  Host host;
  Client client(host.http());
  for (const char *target : {"/", "/:", "/a/", "/a/:", "/a:"}) {
    INFO(target);
    CHECK(client.ask("PUT", target, "x").status == 400);
    CHECK(client.ask("HEAD", target).status == 400);
  }
}

TEST_CASE("another method is 405 and says which are allowed") {
  Host host;
  Client client(host.http());
  for (const char *method : {"TRACE", "PROPFIND", "BREW"}) {
    const Answer answer = client.ask(method, "/a", "x");
    CHECK(answer.status == 405);
    CHECK(answer.header("allow") == "GET, HEAD, PUT, POST, PATCH, DELETE, OPTIONS");
  }
}

TEST_CASE("the meta of a key is the JSON under key$") {
  Host host;
  Client client(host.http());
  client.ask("PUT", "/a", "1");
  client.ask("PUT", "/a%24", R"({"owner":"me"})");
  CHECK(client.ask("GET", "/a$").body == R"({"owner":"me"})");
  CHECK(client.ask("GET", "/").body == R"(["a"])");
}

TEST_CASE("X-Ttl goes in and comes out in seconds") {
  Host host;
  Client client(host.http());
  CHECK(client.ask("PUT", "/a", "1", "X-Ttl: 100\r\n").status == 200);
  const Answer got = client.ask("GET", "/a");
  const int left = std::stoi(got.header("x-ttl"));
  CHECK(left > 90);
  CHECK(left <= 100);
  CHECK(got.header("cache-control") == "max-age=" + got.header("x-ttl"));
  CHECK(client.ask("HEAD", "/a").header("x-ttl") != "");
  CHECK(client.ask("PUT", "/a", "1").status == 200);
  CHECK(client.ask("GET", "/a").header("x-ttl") == "");
  CHECK(client.ask("PUT", "/a", "1", "X-Ttl: soon\r\n").status == 400);
  CHECK(client.ask("PUT", "/a", "1", "X-Ttl: -1\r\n").status == 400);
}

TEST_CASE("a part of a value, or an encoded one, is not put") {
  Host host;
  Client client(host.http());
  CHECK(client.ask("PUT", "/a", "x", "Content-Range: bytes 0-0/5\r\n").status == 400);
  CHECK(client.ask("PUT", "/a", "x", "Content-Encoding: gzip\r\n").status == 415);
  CHECK_FALSE(host.storage.has("a"));
}

TEST_CASE("a value of unknown size is sent with its length") {
  omnistore::Config config = test::memory_config();
  config.mounts["slow"].store.driver = "gate";
  Host host(config);
  Client client(host.http());
  const Answer got = client.ask("GET", "/slow/unsized");
  CHECK(got.status == 200);
  CHECK(got.header("content-length") == "18");
  CHECK(got.body == "part one, part two");
}

TEST_CASE("a store that fails in the middle of a value gives an error, not a part") {
  omnistore::Config config = test::memory_config();
  config.mounts["slow"].store.driver = "gate";
  Host host(config);
  Client client(host.http());
  const Answer got = client.ask("GET", "/slow/breaks");
  CHECK(got.status == 500);
  CHECK(got.body.find("the disk is gone") != std::string::npos);
  CHECK(client.ask("GET", "/slow/free").body == "free");
}

TEST_CASE("a write to a read-only mount is 405") {
  omnistore::Config config = test::memory_config();
  config.mounts["fixed"].store.driver = "memory";
  config.mounts["fixed"].read_only = true;
  Host host(config);
  Client client(host.http());
  const Answer put = client.ask("PUT", "/fixed/a", "x");
  CHECK(put.status == 405);
  CHECK(put.header("allow") == "GET, HEAD, OPTIONS");
}
