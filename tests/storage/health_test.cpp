// SPDX-License-Identifier: Apache-2.0
// Which stores say that they cannot do their work (omnistore/ext/health.h).
#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "puppet.hpp"

using omnistore::Status;
using omnistore::Storage;
using test::Puppet;

TEST_CASE("a store that is not healthy is named with its cause") {
  Puppet good, bad, below;
  good.health = [](omnistore_call *) { return OMNISTORE_OK; };
  bad.health = below.health = [](omnistore_call *call) {
    const omnistore_failure failure{sizeof failure, 0, test::bytes("the backend is away"), 0, 0, 0};
    call->fail(call, &failure);
    return OMNISTORE_UNAVAILABLE;
  };
  Storage storage = test::open(R"({ "good": )" + good.mount() + R"(, "bad": )" + bad.mount() +
                               R"(, "mute": { "driver": "memory" }, "under": { "driver": "overlay", "layers": [ )" +
                               below.mount() + " ] } }");
  const auto sick = storage.unhealthy();
  REQUIRE(sick.size() == 2);
  for (const omnistore::StoreHealth &store : sick) {
    CHECK((store.mountpoint == "bad" || store.mountpoint == "under"));
    CHECK(store.driver == "puppet");
    CHECK(store.status == Status::unavailable);
    CHECK(store.message == "the backend is away");
  }
}

TEST_CASE("a store that hangs in its health check delays nobody for longer than a second or so") {
  Puppet stuck;
  std::atomic<bool> go{false};
  std::atomic<int> asked{0};
  stuck.health = [&](omnistore_call *) {
    ++asked;
    go.wait(false);
    return OMNISTORE_OK;
  };
  Storage storage = test::open(R"({ "": )" + stuck.mount() + " }");
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 2; ++i) {
    const auto sick = storage.unhealthy();
    REQUIRE(sick.size() == 1);
    CHECK(sick[0].status == Status::timeout);
  }
  CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(8));
  CHECK(asked == 1); // it is not called again while it hangs
  storage.set("k", "v");
  go = true;
  go.notify_all();
}

TEST_CASE("a store's health is checked at most once a second") {
  Puppet puppet;
  std::atomic<int> asked{0};
  puppet.health = [&](omnistore_call *) {
    ++asked;
    return OMNISTORE_OK;
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  const auto begin = std::chrono::steady_clock::now();
  for (int i = 0; i < 50; ++i) CHECK(storage.unhealthy().empty());
  const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - begin);
  CHECK(asked <= seconds.count() + 1);
}
