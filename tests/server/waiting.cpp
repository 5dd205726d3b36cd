// SPDX-License-Identifier: Apache-2.0
// Stores that wait delay nobody else. Here "waits" is certain, not likely: the driver hangs at a named pipe until the
// test opens it.
#include <memory>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "gate.hpp"

using test::Answer;
using test::Client;
using test::Gate;
using test::hang;
using test::Host;
using test::request;

TEST_CASE("a store that waits delays no other connection, mount, listing or the admin") {
  Gate gate;
  omnistore::Config config = gate.config();
  config.http.threads = 1;
  config.mounts["other"].store.driver = "gate";
  Host host(config);
  const auto hanging = hang(host, 100);
  gate.await(16);
  Client client(host.http());
  CHECK(client.ask("PUT", "/a", "1").status == 200);
  CHECK(client.ask("GET", "/a").body == "1");
  CHECK(client.ask("GET", "/other/free").body == "free");
  CHECK(client.ask("GET", "/a/").body == "[]");
  CHECK(client.ask("GET", "/other/").body == "[]");
  CHECK(client.ask("GET", "/").status == 200);
  Client admin(host.admin());
  for (const char *path : {"/health", "/ready", "/metrics", "/mounts", "/drivers"}) {
    CHECK(admin.ask("GET", path).status == 200);
  }
  gate.open();
  for (const auto &waiting : hanging) CHECK(waiting->receive().status == 200);
}

TEST_CASE("a request before one that waits gets its response first") {
  Gate gate;
  Host host(gate.config());
  host.storage.set("a", "1");
  Client client(host.http());
  client.send(request("GET", "/a") + request("GET", "/slow/hang") + request("GET", "/a"));
  CHECK(client.receive().body == "1");
  gate.await(1);
  gate.open();
  CHECK(client.receive().body == "released");
  CHECK(client.receive().body == "1");
}

namespace {

/// Long enough that a thread of the pool takes the request up first, also on a machine that is busy.
constexpr std::chrono::milliseconds starts_in{2000};

} // namespace

TEST_CASE("a driver that does not mind its deadline is given up with 504") {
  Gate gate;
  omnistore::Config config = gate.config();
  config.http.request_timeout = starts_in.count();
  Host host(config);
  Client client(host.http());
  const Answer answer = client.ask("GET", "/slow/hang");
  CHECK(answer.status == 504);
  CHECK(client.ended());
  gate.open();
}

TEST_CASE("A request whose turn comes too late is 503 and is not done") {
  Gate gate;
  omnistore::Config config = gate.config();
  config.http.request_timeout = starts_in.count();
  Host host(config);
  // A mount has 16 threads, and 16 more in their place when they hang.
  constexpr int count = 40, most_done = 32;
  const auto clients = hang(host, count);
  int late = 0, hung = 0;
  for (const auto &client : clients) {
    const Answer answer = client->receive();
    late += answer.status == 503;
    hung += answer.status == 504;
    if (answer.status != 503) continue;
    CHECK(answer.header("retry-after") == "1");
    CHECK(client->ask("GET", "/a").status == 404); // the connection stays
  }
  CHECK(late >= count - most_done);
  CHECK(late + hung == count);
  CHECK(gate.arrived() == hung);
  gate.open();
}

TEST_CASE("a client that goes while its request waits harms nobody") {
  Gate gate;
  Host host(gate.config());
  {
    const auto gone = hang(host, 10);
    gate.await(10);
  }
  Client client(host.http());
  CHECK(client.ask("GET", "/slow/free").body == "free");
  gate.open();
  CHECK(client.ask("GET", "/slow/hang").body == "released");
}
