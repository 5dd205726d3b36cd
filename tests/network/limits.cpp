// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <chrono>
#include <string>

#include "http/limiter.hpp"
#include "server/host.hpp"

using namespace omnistore;
using http::Limiter;
using std::chrono::seconds;
using test::Answer;
using test::Client;

namespace {

Config limited(const HttpConfig::Limits &per_address, const HttpConfig::Limits &per_token = {}) {
  Config config = test::memory_config();
  config.http.per_address = per_address;
  config.http.per_token = per_token;
  config.http.tokens = {{.value = "first", .write = true}, {.value = "second", .write = true}};
  return config;
}

int get_with(Client &client, const std::string &token) {
  return client.ask("GET", "/k", {}, test::bearer(token)).status;
}

/// Repeats a request until it is refused, since the limit pays for one more each second.
template <class Ask>
Answer until_refused(const Ask &ask) {
  for (int i = 0; i < 100; ++i)
    if (Answer answer = ask(); answer.status == 429) return answer;
  FAIL("100 requests were served");
  return {};
}

} // namespace

TEST_CASE("a limiter lets a second's worth through at once, and then as much as the time pays for") {
  Limiter limiter({.requests = 10});
  const Limiter::Clock::time_point start{};
  for (int i = 0; i < 10; ++i) CHECK(limiter.take_request("a", start) == 0);
  CHECK(limiter.take_request("a", start) == 1);
  CHECK(limiter.take_request("b", start) == 0); // another client
  const auto later = start + std::chrono::milliseconds(500);
  for (int i = 0; i < 5; ++i) CHECK(limiter.take_request("a", later) == 0);
  CHECK(limiter.take_request("a", later) == 1);
  CHECK(limiter.refused() == 2);
}

TEST_CASE("a limiter makes a client wait until its bytes are paid for") {
  Limiter limiter({.bytes = 1000});
  const Limiter::Clock::time_point start{};
  CHECK(limiter.take_request("a", start) == 0);
  limiter.add_bytes("a", 4000, start);
  CHECK(limiter.take_request("a", start) == 3);
  CHECK(limiter.take_request("a", start + seconds(2)) == 1);
  CHECK(limiter.take_request("a", start + seconds(3)) == 0);
}

TEST_CASE("a limiter counts connections until they end") {
  Limiter limiter({.connections = 2});
  auto first = limiter.open("a"), second = limiter.open("a");
  CHECK(limiter.open("a") == nullptr);
  CHECK(limiter.open("b") != nullptr);
  first.reset();
  CHECK(limiter.open("a") != nullptr);
}

TEST_CASE("a limiter keeps the open connections of a client in mind, however many other clients come") {
  Limiter limiter({.connections = 1});
  const auto first = limiter.open("a");
  for (int i = 0; i < 100'000; ++i) limiter.open("other " + std::to_string(i));
  CHECK(limiter.open("a") == nullptr);
}

TEST_CASE("too many requests of an address are refused with 429 and Retry-After, also with wrong tokens") {
  const test::Host host(limited({.requests = 1}));
  Client client(host.http());
  CHECK(client.ask("GET", "/k", {}, test::bearer("wrong")).status == 401);
  const Answer refused = until_refused([&] { return client.ask("GET", "/k", {}, test::bearer("wrong")); });
  CHECK(refused.header("retry-after") == "1");
  CHECK_THAT(Client(host.admin()).ask("GET", "/metrics").body,
             Catch::Contains("omnistore_limited_total{listener=\"http\"} 1\n"));
  Client other(host.http()); // from the same address
  until_refused([&] { return other.ask("PUT", "/k", "v", test::bearer("first")); });
}

TEST_CASE("addresses of IPv4 are limited one by one, also by a listener that takes IPv6 too") {
  Config config = limited({.requests = 5});
  config.http.listen = GENERATE("127.0.0.1:0", "[::]:0");
  const test::Host host(config);
  const std::string address = "127.0.0.1" + host.http().substr(host.http().rfind(':'));
  Client client(address), other(address, "127.0.0.2");
  for (int i = 0; i < 5; ++i) CHECK(get_with(client, "first") == 404);
  until_refused([&] { return client.ask("GET", "/k", {}, test::bearer("first")); });
  CHECK(get_with(other, "first") != 429);
}

TEST_CASE("too many requests of a token are refused, and those of others are served") {
  const test::Host host(limited({}, {.requests = 1}));
  Client client(host.http()), other(host.http());
  CHECK(get_with(client, "first") == 404);
  until_refused([&] { return other.ask("GET", "/k", {}, test::bearer("first")); });
  CHECK(get_with(client, "second") == 404);
}

TEST_CASE("a client that moved too many bytes has its next request refused") {
  const test::Host host(limited({.bytes = 1000}));
  Client client(host.http());
  REQUIRE(client.ask("PUT", "/k", std::string(100'000, 'x'), test::bearer("first")).status == 200);
  const Answer refused = client.ask("GET", "/k", {}, test::bearer("first"));
  CHECK(refused.status == 429);
  CHECK(std::stoi(refused.header("retry-after")) > 90);
}

TEST_CASE("a token that moved too many bytes has its next request refused, and those of others are served") {
  const test::Host host(limited({}, {.bytes = 1000}));
  Client client(host.http()), other(host.http());
  REQUIRE(client.ask("PUT", "/k", std::string(100'000, 'x'), test::bearer("first")).status == 200);
  CHECK(get_with(client, "first") == 429);
  CHECK(get_with(other, "second") == 200); // which moves them out
  CHECK(get_with(other, "second") == 429);
}

TEST_CASE("events are bytes of the client that watches") {
  test::Host host(limited({}, {.bytes = 1000}));
  Client watcher(host.http()), other(host.http());
  watcher.send(test::request("GET", "/", {}, test::bearer("first") + "Accept: text/event-stream\r\n"));
  REQUIRE(watcher.head().status == 200);
  CHECK(get_with(other, "first") == 404);
  const std::string key(900, 'k'); // a hundred of its events take a minute and a half to be paid for
  for (int i = 0; i < 100; ++i) host.storage.set(key + std::to_string(i), "v");
  std::string seen;
  for (std::string piece; seen.find(key + "99") == seen.npos && !(piece = watcher.chunk()).empty();) seen += piece;
  CHECK(get_with(other, "first") == 429);
}

TEST_CASE("clients of a unix socket have no address that could be limited") {
  const test::Folder folder;
  Config config = limited({.requests = 5, .connections = 1});
  config.http.listen = "unix:" + folder / "data.sock";
  const test::Host host(config);
  Client client(host.http()), other(host.http());
  for (int i = 0; i < 10; ++i) CHECK(get_with(i % 2 ? client : other, "first") == 404);
}

TEST_CASE("too many connections of an address are refused, and a stream of events counts as one") {
  const test::Host host(limited({.connections = 2}));
  Client watcher(host.http()), client(host.http());
  watcher.send(test::request("GET", "/", {}, test::bearer("first") + "Accept: text/event-stream\r\n"));
  REQUIRE(watcher.head().status == 200);
  REQUIRE(get_with(client, "first") == 404);
  Client third(host.http());
  const Answer refused = third.receive();
  CHECK(refused.status == 429);
  CHECK(refused.header("retry-after") == "1");
  CHECK(third.ended());
  CHECK(get_with(client, "first") == 404);
}

TEST_CASE("too many connections of a token are refused") {
  const test::Host host(limited({}, {.connections = 1}));
  Client client(host.http()), other(host.http());
  CHECK(get_with(client, "first") == 404);
  CHECK(get_with(other, "first") == 429);
  CHECK(get_with(other, "second") == 404);
}
