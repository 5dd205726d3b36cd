// SPDX-License-Identifier: Apache-2.0
// Operations under way while the mounts change.
#include <catch2/catch.hpp>

#include <algorithm>
#include <future>
#include <thread>

#include "fixture.hpp"
#include "puppet.hpp"

using omnistore::Event;
using omnistore::Status;
using omnistore::Storage;

TEST_CASE("a batch that outlives its mount reports its own mount's keys") {
  test::Puppet slow;
  slow.traits.capabilities |= OMNISTORE_CAN_META; // the host has nothing to add to a batch
  const bool root = GENERATE(false, true);
  const bool removes = GENERATE(false, true);
  Storage storage =
      test::open("{ " + std::string(root ? R"("": { "driver": "memory" }, )" : "") + R"("s": )" + slow.mount() + " }");
  test::Events events;
  const auto watch = storage.watch("", events.callback());
  std::promise<void> arrived, go;
  const auto leave = go.get_future().share();
  slow.set_many = slow.remove_many = [&](omnistore_call *, std::uint32_t count, omnistore_status *statuses) {
    arrived.set_value();
    leave.wait();
    std::fill_n(statuses, count, OMNISTORE_OK);
    return OMNISTORE_OK;
  };
  auto batch = std::async(std::launch::async, [&] {
    if (removes) return storage.remove_many(std::vector<std::string>{"s:k"})[0].status;
    return storage.set_many(std::vector<omnistore::SetItem>{{"s:k", "1", {}}})[0].status;
  });
  arrived.get_future().wait();
  auto unmounted = std::async(std::launch::async, [&] { storage.unmount("s"); });
  while (storage.mounts().size() != (root ? 1u : 0u)) std::this_thread::yield();
  go.set_value();
  CHECK(batch.get() == Status::ok);
  unmounted.get();
  const auto told = events.wait_for(2);
  const auto of_key = std::find_if(told.begin(), told.end(), [](const Event &event) { return event.key == "s:k"; });
  REQUIRE(of_key != told.end());
  CHECK(of_key->type == (removes ? Event::Type::remove : Event::Type::update));
}
