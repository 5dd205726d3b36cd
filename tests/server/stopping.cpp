// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <thread>

#include <catch2/catch.hpp>

#include <omnistore/error.hpp>

#include "gate.hpp"

using namespace std::chrono_literals;
using test::Answer;
using test::Client;
using test::Gate;
using test::Host;
using test::request;

TEST_CASE("a stop finishes requests in flight and closes idle connections") {
  Gate gate;
  Host host(gate.config());
  Client idle(host.http()), busy(host.http()), admin(host.admin());
  CHECK(idle.ask("GET", "/a").status == 404);
  CHECK(admin.ask("GET", "/ready").status == 200);
  busy.send(request("GET", "/slow/hang"));
  gate.await(1);
  std::thread stopper([&] { host.server.stop(20s); });
  CHECK(idle.ended());
  gate.open();
  const Answer answer = busy.receive();
  CHECK(answer.status == 200);
  CHECK(answer.body == "released");
  CHECK(busy.ended());
  stopper.join();
  CHECK_THROWS(Client(host.http()));
}

TEST_CASE("a stop serves the first request of a new connection, and closes a connection without one") {
  omnistore::Config config = test::memory_config();
  config.http.threads = 1; // all connections see the stop at once
  Host host(config);
  Client idle(host.http()), fresh(host.http()), silent(host.http());
  CHECK(idle.ask("GET", "/a").status == 404);
  while (host.server.connections() < 3) std::this_thread::yield();
  bool drained = false;
  std::thread stopper([&] { drained = host.server.stop(20s); });
  CHECK(idle.ended());
  const Answer answer = fresh.ask("GET", "/a");
  CHECK(answer.status == 404);
  CHECK(answer.header("connection") == "close");
  CHECK(fresh.ended());
  CHECK(silent.ended());
  stopper.join();
  CHECK(drained);
}

TEST_CASE("the admin says that the host stops as long as it does") {
  Gate gate;
  Host host(gate.config());
  Client busy(host.http()), admin(host.admin()), idle(host.http());
  CHECK(idle.ask("GET", "/a").status == 404);
  CHECK(admin.ask("GET", "/health").status == 200);
  busy.send(request("GET", "/slow/hang"));
  gate.await(1);
  std::thread stopper([&] { host.server.stop(20s); });
  CHECK(idle.ended());
  const Answer ready = admin.ask("GET", "/ready");
  CHECK(ready.status == 503);
  CHECK(ready.body.find("stopping") != std::string::npos);
  CHECK(admin.ask("GET", "/health").status == 200);
  gate.open();
  CHECK(busy.receive().body == "released");
  stopper.join();
}

TEST_CASE("a stop without patience cuts off requests in flight") {
  Gate gate;
  Host host(gate.config());
  Client busy(host.http());
  busy.send(request("GET", "/slow/hang"));
  gate.await(1);
  std::thread stopper([&] { host.server.stop(0ms); });
  busy.rest();
  gate.open();
  stopper.join();
}

TEST_CASE("a server that was never started, or stopped twice, ends well") {
  omnistore::Config config = test::memory_config();
  omnistore::Storage storage(config);
  omnistore::service::Reloader reloader(storage, config);
  { omnistore::service::Server unused(reloader); }
  omnistore::service::Server server(reloader);
  server.start();
  server.stop(1s);
  server.stop(1s);
}

TEST_CASE("a config without listeners has none") {
  omnistore::Config config = test::memory_config();
  config.http.listen.clear();
  config.admin.listen.clear();
  Host host(config);
  CHECK(host.http().empty());
  CHECK(host.admin().empty());
}

TEST_CASE("the error of an address in use names the address and the remedy") {
  Host host;
  omnistore::Config config = test::memory_config();
  config.http.listen = host.http();
  try {
    Host other(config);
    FAIL("two servers on one address");
  } catch (const omnistore::Error &error) {
    CHECK(error.status() == omnistore::Status::unavailable);
    CHECK(std::string(error.what()) == host.http() + ": Address already in use; another host? choose another with "
                                                     "server.http.listen");
  }
}

TEST_CASE("the error of an impossible address names its field") {
  for (const char *listen : {"7700", "127.0.0.1:", "127.0.0.1:70000", "example.org:80", "127.0.0.1:x", "[::1:5"}) {
    INFO(listen);
    omnistore::Config config = test::memory_config();
    config.admin.listen = listen;
    CHECK_THROWS_WITH(Host(config), Catch::Contains("admin.listen"));
  }
}
