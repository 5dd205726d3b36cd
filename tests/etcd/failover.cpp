// SPDX-License-Identifier: Apache-2.0
// Three members, of which one is killed, and none that can be reached.
#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "etcd/driven.hpp"

using namespace test;

TEST_CASE("nothing that was acknowledged is lost when a member is killed under writes") {
  Host host;
  EtcdCluster etcd(3);
  Store store(host, etcd, "p/", R"(,"timeout":3000)");
  std::mutex mutex;
  Keys acknowledged;
  std::atomic<bool> killed{false}, stop{false};
  std::atomic<int> after{0};
  std::vector<std::thread> writers;
  for (int t = 0; t < 4; ++t)
    writers.emplace_back([&, t] {
      for (int i = 0; !stop; ++i) {
        const std::string key = "k" + std::to_string(t) + ":" + std::to_string(i);
        const bool late = killed;
        if (store.set(key, key) != OMNISTORE_OK) continue; // it may have been written, which is right too
        if (late) ++after;
        const std::lock_guard lock(mutex);
        acknowledged.push_back(key);
      }
    });
  const auto count = [&] {
    const std::lock_guard lock(mutex);
    return acknowledged.size();
  };
  const bool began = eventually([&] { return count() >= 40; });
  etcd.kill(0); // the one that has the requests
  killed = true;
  const bool went_on = eventually([&] { return after >= 40; });
  stop = true;
  for (std::thread &each : writers) each.join();
  REQUIRE(began);
  REQUIRE(went_on);
  for (const std::string &key : acknowledged) REQUIRE(store.get(key) == key);
}

TEST_CASE("a read fails over to the next endpoint at once") {
  Host host;
  EtcdCluster etcd(3);
  Store store(host, etcd, "p/");
  REQUIRE(store.set("a", "1") == OMNISTORE_OK);
  etcd.kill(0);
  Got got;
  REQUIRE(eventually([&] { return store.get("a", got) == OMNISTORE_OK; })); // an election may be under way
  CHECK(got.bytes == "1");
}

TEST_CASE("a write to endpoints of which none can be reached says so, and that nothing was done") {
  Host host;
  EtcdCluster etcd(2);
  Store store(host, etcd, "p/");
  etcd.kill(0);
  etcd.kill(1);
  Call call;
  const omnistore_set_request request = Driven::set_request("1");
  CHECK(store.driver().set(store.self(), &call, omnistore::as_bytes("a"), &request, nullptr) == OMNISTORE_UNAVAILABLE);
  CHECK(call.message().starts_with("none of the 2 endpoints can be reached"));
  CHECK(call.details.at(0).nothing_done);
}

TEST_CASE("a write to which no response comes may have been done") {
  Host host;
  EtcdCluster etcd;
  Store store(host, etcd, "p/", R"(,"timeout":300)");
  REQUIRE(store.set("a", "1") == OMNISTORE_OK);
  etcd.freeze();
  Call call;
  const omnistore_set_request request = Driven::set_request("2");
  CHECK(store.driver().set(store.self(), &call, omnistore::as_bytes("a"), &request, nullptr) == OMNISTORE_TIMEOUT);
  CHECK_FALSE(call.details.at(0).nothing_done);
}
