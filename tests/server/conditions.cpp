// SPDX-License-Identifier: Apache-2.0
// ETag, If-Match and If-None-Match.
#include <atomic>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "host.hpp"

using test::Answer;
using test::Client;
using test::Host;

TEST_CASE("the etag of GET, HEAD and PUT is one, and changes with each write") {
  Host host;
  Client client(host.http());
  const std::string first = client.ask("PUT", "/a", "1").header("etag");
  REQUIRE(first.size() > 2);
  CHECK(first.front() == '"');
  CHECK(client.ask("GET", "/a").header("etag") == first);
  CHECK(client.ask("HEAD", "/a").header("etag") == first);
  CHECK(client.ask("PUT", "/a", "1").header("etag") != first);
}

TEST_CASE("a GET of what the client has already is 304") {
  Host host;
  Client client(host.http());
  const std::string etag = client.ask("PUT", "/a", "1").header("etag");
  for (const std::string &list : {etag, "W/" + etag, "\"other\", " + etag, std::string("*")}) {
    INFO(list);
    const Answer same = client.ask("GET", "/a", {}, "If-None-Match: " + list + "\r\n");
    CHECK(same.status == 304);
    CHECK(same.header("etag") == etag);
    CHECK(same.body.empty());
    CHECK(client.ask("HEAD", "/a", {}, "If-None-Match: " + list + "\r\n").status == 304);
  }
  CHECK(client.ask("GET", "/a", {}, "If-None-Match: \"other\"\r\n").body == "1");
  CHECK(client.ask("GET", "/absent", {}, "If-None-Match: *\r\n").status == 404);
}

TEST_CASE("a PUT with If-None-Match: * stores only what is not there") {
  Host host;
  Client client(host.http());
  CHECK(client.ask("PUT", "/a", "first", "If-None-Match: *\r\n").status == 200);
  CHECK(client.ask("PUT", "/a", "second", "If-None-Match: *\r\n").status == 412);
  CHECK(host.storage.get("a") == "first");
}

TEST_CASE("a PUT with If-Match stores only over what it names") {
  Host host;
  Client client(host.http());
  CHECK(client.ask("PUT", "/a", "x", "If-Match: *\r\n").status == 412);
  CHECK(client.ask("PUT", "/a", "x", "If-Match: \"none\"\r\n").status == 412);
  CHECK_FALSE(host.storage.has("a"));
  const std::string first = client.ask("PUT", "/a", "1").header("etag");
  const std::string second = client.ask("PUT", "/a", "2", "If-Match: " + first + "\r\n").header("etag");
  CHECK(second.size() > 2);
  CHECK(client.ask("PUT", "/a", "3", "If-Match: " + first + "\r\n").status == 412);
  CHECK(client.ask("PUT", "/a", "4", "If-Match: W/" + second + "\r\n").status == 412);
  CHECK(client.ask("PUT", "/a", "5", "If-Match: \"other\", " + second + "\r\n").status == 200);
  CHECK(client.ask("PUT", "/a", "6", "If-Match: *\r\n").status == 200);
  CHECK(host.storage.get("a") == "6");
}

TEST_CASE("a PUT with If-None-Match and an etag stores over anything else") {
  Host host;
  Client client(host.http());
  const std::string etag = client.ask("PUT", "/a", "1").header("etag");
  CHECK(client.ask("PUT", "/a", "2", "If-None-Match: " + etag + "\r\n").status == 412);
  CHECK(client.ask("PUT", "/a", "2", "If-None-Match: \"other\"\r\n").status == 200);
  CHECK(client.ask("PUT", "/b", "2", "If-None-Match: \"other\"\r\n").status == 200);
}

TEST_CASE("a DELETE with If-Match removes only what it names") {
  Host host;
  Client client(host.http());
  const std::string etag = client.ask("PUT", "/a", "1").header("etag");
  CHECK(client.ask("DELETE", "/a", {}, "If-Match: \"other\"\r\n").status == 412);
  CHECK(client.ask("DELETE", "/a", {}, "If-None-Match: *\r\n").status == 412);
  CHECK(host.storage.has("a"));
  CHECK(client.ask("DELETE", "/a", {}, "If-Match: " + etag + "\r\n").status == 200);
  CHECK_FALSE(host.storage.has("a"));
  CHECK(client.ask("DELETE", "/a", {}, "If-Match: " + etag + "\r\n").status == 412);
  CHECK(client.ask("DELETE", "/a", {}, "If-Match: *\r\n").status == 412);
}

TEST_CASE("a malformed condition is 400 and changes nothing") {
  Host host;
  Client client(host.http());
  for (const char *list : {"abc", "\"open", "\"a\" \"b\"", ""}) {
    CHECK(client.ask("PUT", "/a", "1", std::string("If-Match: ") + list + "\r\n").status == 400);
  }
  CHECK_FALSE(host.storage.has("a"));
}

TEST_CASE("of many that count up with If-Match none is lost") {
  Host host;
  Client(host.http()).ask("PUT", "/n", "0");
  constexpr int writers = 4, rounds = 25;
  std::vector<std::thread> threads;
  std::atomic<int> failures{0};
  for (int i = 0; i < writers; ++i) {
    threads.emplace_back([&] {
      Client client(host.http());
      for (int done = 0; done < rounds;) {
        const Answer now = client.ask("GET", "/n");
        const std::string next = std::to_string(std::stoi(now.body) + 1);
        const int status = client.ask("PUT", "/n", next, "If-Match: " + now.header("etag") + "\r\n").status;
        if (status != 200 && status != 412) ++failures;
        if (status != 412) ++done;
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  CHECK(failures == 0);
  CHECK(host.storage.get("n") == std::to_string(writers * rounds));
}
