// SPDX-License-Identifier: Apache-2.0
// Many inside at once, or one alone.
#include <atomic>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include <omnistore/testing.hpp>

#include "gate.hpp"

using omnistore::testing::BareCall;

TEST_CASE("nobody is inside while a caller is alone") {
  lmdb::Gate gate;
  std::atomic<int> inside = 0, wrong = 0;
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      BareCall call;
      while (!stop) {
        gate.enter(omnistore::Call(&call));
        ++inside;
        --inside;
        gate.leave();
      }
    });
  for (int i = 0; i < 300; ++i) {
    BareCall call;
    const lmdb::Gate::Alone alone(gate, omnistore::Call(&call));
    if (inside != 0) ++wrong;
  }
  stop = true;
  for (std::thread &each : threads) each.join();
  CHECK(wrong == 0);
}

TEST_CASE("a caller that wants to be alone stops waiting at its deadline, and lets the others in") {
  lmdb::Gate gate;
  BareCall reader, late;
  late.left = 0;
  gate.enter(omnistore::Call(&reader));
  CHECK_THROWS_AS(lmdb::Gate::Alone(gate, omnistore::Call(&late)), omnistore::Failure);
  gate.enter(omnistore::Call(&late));
  gate.leave();
  gate.leave();
  const lmdb::Gate::Alone alone(gate, omnistore::Call(&reader));
}

TEST_CASE("a caller that comes while another is alone stops waiting at its deadline") {
  lmdb::Gate gate;
  BareCall grower, late;
  late.left = 0;
  {
    const lmdb::Gate::Alone alone(gate, omnistore::Call(&grower));
    CHECK_THROWS_AS(gate.enter(omnistore::Call(&late)), omnistore::Failure);
  }
  gate.enter(omnistore::Call(&late));
  gate.leave();
}
