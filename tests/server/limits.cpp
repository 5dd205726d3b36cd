// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include <malloc.h>

#include <catch2/catch.hpp>

#include "host.hpp"

using test::Answer;
using test::Client;
using test::Host;
using test::request;

TEST_CASE("a head over the limit is 431") {
  omnistore::Config config = test::memory_config();
  config.http.max_header = 1000;
  Host host(config);
  Client whole(host.http());
  CHECK(whole.ask("GET", "/a", {}, "X-Long: " + std::string(2000, 'x') + "\r\n").status == 431);
  CHECK(whole.ended());
  Client endless(host.http());
  endless.send("GET /" + std::string(3000, 'x'));
  CHECK(endless.receive().status == 431);
  Client fits(host.http());
  CHECK(fits.ask("GET", "/a", {}, "X-Long: " + std::string(800, 'x') + "\r\n").status == 404);
}

TEST_CASE("a body over the limit is 413, before it is sent if its length is known") {
  omnistore::Config config = test::memory_config();
  config.http.max_body = 10'000;
  Host host(config);
  Client client(host.http());
  CHECK(client.ask("PUT", "/fits", std::string(10'000, 'x')).status == 200);
  client.send("PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10001\r\n\r\n");
  const Answer answer = client.receive();
  CHECK(answer.status == 413);
  CHECK(answer.body.find("10000 bytes") != std::string::npos);
  CHECK(client.ended());

  Client chunked(host.http());
  chunked.send("PUT /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1388\r\n" +
               std::string(5000, 'x') + "\r\n2000\r\n");
  CHECK(chunked.receive().status == 413);
  Client absurd(host.http());
  absurd.send("PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18446744073709551615\r\n\r\n");
  CHECK(absurd.receive().status == 413);
  CHECK_FALSE(host.storage.has("a"));
}

TEST_CASE("a refused body that is sent all the same does not lose the response") {
  omnistore::Config config = test::memory_config();
  config.http.max_body = 1000;
  Host host(config);
  Client client(host.http());
  client.send(request("PUT", "/a", std::string(500'000, 'x')));
  CHECK(client.receive().status == 413);
}

TEST_CASE("a chunk's head has a limit too") {
  omnistore::Config config = test::memory_config();
  config.http.max_header = 2000;
  Host host(config);
  Client client(host.http());
  client.send("PUT /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(100'000, 'x'));
  CHECK(client.receive().status == 400);
}

TEST_CASE("connections over the limit get an error, and others are served when there is room") {
  omnistore::Config config = test::memory_config();
  config.http.max_connections = 2;
  Host host(config);
  host.storage.set("a", "value");
  auto first = std::make_unique<Client>(host.http());
  Client second(host.http());
  CHECK(first->ask("GET", "/a").body == "value");
  CHECK(second.ask("GET", "/a").body == "value");
  Client third(host.http());
  CHECK(third.receive().status == 503);
  CHECK(third.ended());

  first->ask("GET", "/a", {}, "Connection: close\r\n");
  REQUIRE(first->ended());
  first.reset();
  // The server sees the end of the first some time after this side closed it.
  Answer answer;
  for (int attempt = 0; attempt < 10'000 && answer.status != 200; ++attempt) {
    Client next(host.http());
    answer = next.ask("GET", "/a");
  }
  CHECK(answer.body == "value");
}

TEST_CASE("an idle connection is closed after its time") {
  omnistore::Config config = test::memory_config();
  config.http.idle_timeout = 50;
  Host host(config);
  Client silent(host.http());
  CHECK(silent.ended());
  Client served(host.http());
  CHECK(served.ask("GET", "/a").status == 404);
  CHECK(served.ended());
}

TEST_CASE("a head or a body that does not come is 408 after the idle time") {
  omnistore::Config config = test::memory_config();
  config.http.idle_timeout = 50;
  Host host(config);
  Client head(host.http());
  head.send("GET /a HTTP/1.1\r\nHo");
  CHECK(head.receive().status == 408);
  CHECK(head.ended());
  for (const char *size : {"100", "100000"}) {
    Client body(host.http());
    body.send("PUT /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: " + std::string(size) + "\r\n\r\npart");
    CHECK(body.receive().status == 408);
  }
  Client chunks(host.http());
  chunks.send("PUT /a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab");
  CHECK(chunks.receive().status == 408);
  CHECK_FALSE(host.storage.has("a"));
}

TEST_CASE("a head that trickles does not hold its connection") {
  omnistore::Config config = test::memory_config();
  config.http.idle_timeout = 50;
  Host host(config);
  Client client(host.http());
  client.send("GET /a HTTP/1.1\r\nX-Slow: ");
  int sent = 0;
  while (sent < 2000 && !client.readable_within(5)) sent += client.send("x") ? 1 : 2000;
  CHECK(sent < 2000);
  CHECK(client.receive().status == 408);
}

TEST_CASE("a connection that was used gives its memory back when it is idle, and still works") {
  Host host;
  const std::string value(60'000, 'x');                      // that much room a connection keeps between two requests
  const auto in_use = [] { return ::mallinfo2().uordblks; }; // 0 under a sanitizer
  const std::size_t before = in_use();
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < 200; ++i) {
    clients.push_back(std::make_unique<Client>(host.http()));
    CHECK(clients.back()->ask("PUT", "/v", value).status < 300);
  }
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (in_use() > before + 200 * 6'000 && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  CHECK(in_use() <= before + 200 * 6'000);
  for (const auto &client : clients) CHECK(client->ask("PUT", "/v", value).status < 300);
}
