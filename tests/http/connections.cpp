// SPDX-License-Identifier: Apache-2.0
// Connections are kept, shared and bounded; redirects.
#include <atomic>
#include <thread>

#include "driven.hpp"

using test::Got;
using test::Origin;
using test::Store;

TEST_CASE("All kinds of requests go over one connection, one after another") {
  Origin origin;
  origin.serve("/k", "x", "\"e\"");
  Store store(origin);
  for (int i = 0; i < 20; ++i) {
    Got got, meta, same;
    CHECK(store.get("k", got) == OMNISTORE_OK);
    CHECK(store.stat("k", meta) == OMNISTORE_OK);
    CHECK(store.get_changed("k", "e", same).second);
    CHECK(store.set("other", "y") == OMNISTORE_OK);
    CHECK(store.remove("other") == OMNISTORE_OK);
    CHECK(store.bare.get("missing") == std::nullopt);
  }
  CHECK(origin.count() == 140);
  CHECK(origin.connections() == 1);
}

TEST_CASE("Requests at once have no more connections than the option says, and all get their responses") {
  Origin origin;
  origin.serve("/k", "x");
  origin.hold();
  Store store(origin, "\"maxConnections\":3");
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 10; ++i) {
    threads.emplace_back([&] {
      test::Call call;
      const omnistore_get_request request{sizeof request, 0, 0, UINT64_MAX};
      Got got;
      if (store.bare.child().get(omnistore::Call(&call), "k", request, got) == OMNISTORE_OK && got.bytes == "x") ++good;
    });
  }
  const bool three_came = origin.await(3);
  const std::size_t held = origin.count();
  origin.release();
  for (std::thread &thread : threads) thread.join();
  CHECK(three_came);
  CHECK(held == 3);
  CHECK(good == 10);
  CHECK(origin.connections() == 3);
}

TEST_CASE("A request that waits for a connection waits no longer than it may take") {
  Origin origin;
  origin.serve("/free", "x");
  origin.hold("/held");
  Store store(origin, "\"maxConnections\":1,\"timeout\":30000");
  std::thread holder([&] {
    test::Call call;
    const omnistore_get_request request{sizeof request, 0, 0, UINT64_MAX};
    Got got;
    store.bare.child().get(omnistore::Call(&call), "held", request, got);
  });
  const bool came = origin.await(1);
  test::TimedCall call;
  call.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(50);
  Got got;
  const omnistore_status status = store.get(call, "free", got);
  origin.release();
  holder.join();
  CHECK(came);
  CHECK(status == OMNISTORE_TIMEOUT);
  CHECK(store.message() == "127.0.0.1:" + std::to_string(origin.port()) + ": all of the 1 connections stayed in use");
}

TEST_CASE("A connection that the server has closed in between costs no failure") {
  Origin origin;
  origin.serve("/k", "x");
  Store store(origin);
  CHECK(store.bare.get("k") == "x");
  origin.stop();
  origin.start();
  CHECK(store.bare.get("k") == "x");
  CHECK(store.set("k", "y") == OMNISTORE_OK);
}

TEST_CASE("A redirect is followed, for reads and for writes") {
  Origin origin;
  origin.serve("/new/k", "there");
  origin.handle([&](const Origin::Request &request) -> std::optional<Origin::Answer> {
    if (!request.path.starts_with("/old/")) return {};
    Origin::Answer answer;
    answer.status = request.method == "PUT" ? 307 : 302;
    answer.headers = {{"Location", "/new/" + request.path.substr(5)}};
    answer.body = "this is not the value";
    return answer;
  });
  Store store(origin.url("/old"));
  CHECK(store.bare.get("k") == "there");
  REQUIRE(store.set("k", "written") == OMNISTORE_OK);
  CHECK(origin.last().path == "/new/k");
  CHECK(origin.last().body == "written");
}

TEST_CASE("Redirects that have no end, or leave HTTP, are failures") {
  Origin origin;
  std::string to;
  origin.handle([&](const Origin::Request &) {
    Origin::Answer answer;
    answer.status = 302;
    answer.headers = {{"Location", to}};
    return answer;
  });
  Store store(origin);
  Got got;
  SECTION("no end") {
    to = "/again";
    CHECK(store.get("k", got) == OMNISTORE_UNAVAILABLE);
    CHECK(origin.count() == 6);
  }
  SECTION("another protocol") {
    to = "file:///etc/passwd";
    CHECK(store.get("k", got) == OMNISTORE_IO);
    CHECK(origin.count() == 1);
  }
  CHECK(got.begun == 0);
}

TEST_CASE("The options' headers and the login stay at their server when a redirect leads to another") {
  Origin home, other;
  other.serve("/k", "there");
  home.handle([&](const Origin::Request &request) -> std::optional<Origin::Answer> {
    if (request.path == "/same") return {};
    Origin::Answer answer;
    answer.status = 302;
    answer.headers = {{"Location", request.path == "/k" ? other.url("/k") : "/same"}};
    return answer;
  });
  home.serve("/same", "here");
  const std::string base = "http://user:pass@127.0.0.1:" + std::to_string(home.port());
  Store store(base, "\"headers\":{\"X-Api-Key\":\"secret-key\"}");
  CHECK(store.bare.get("k") == "there");
  CHECK(home.last().header("x-api-key") == "secret-key");
  CHECK(home.last().header("authorization") == "Basic dXNlcjpwYXNz");
  CHECK(other.last().header("x-api-key").empty());
  CHECK(other.last().header("authorization").empty());
  CHECK(store.bare.get("moved") == "here");
  CHECK(home.last().header("x-api-key") == "secret-key");
}
