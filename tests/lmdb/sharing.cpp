// SPDX-License-Identifier: Apache-2.0
// Several stores and several processes in one folder.
#include <thread>

#include "driven.hpp"

using namespace test;

TEST_CASE("two stores of a process share one folder, and either may close first") {
  Folder folder;
  const std::string path = folder / "db";
  Host host;
  auto one = std::make_unique<Store>(host, path);
  Store two(host, path);
  REQUIRE(one->set("k", "1") == OMNISTORE_OK);
  CHECK(two.get("k") == "1");
  one.reset();
  CHECK(two.get("k") == "1");
  CHECK(two.set("k", "2") == OMNISTORE_OK);
  Store three(host, path);
  CHECK(three.get("k") == "2");
}

TEST_CASE("a counter that threads raise by conditions through two stores loses nothing") {
  Folder folder;
  Host host;
  Store one(host, folder / "db"), two(host, folder / "db");
  REQUIRE(one.set("n", "0") == OMNISTORE_OK);
  const auto raise = [](Store &store, int times) {
    while (times > 0) {
      Got got;
      store.get("n", got);
      const std::string next = std::to_string(std::stoi(got.bytes) + 1);
      if (store.set("n", next, {.condition = OMNISTORE_IF_MATCH, .etag = got.etag}) == OMNISTORE_OK) --times;
    }
  };
  std::thread other([&] { raise(two, 500); });
  raise(one, 500);
  other.join();
  CHECK(one.get("n") == "1000");
}

TEST_CASE("only durability full claims to keep values through a power cut") {
  Folder folder;
  Host host;
  Store full(host, folder / "full", R"(,"durability":"full")"), data(host, folder / "data", R"(,"durability":"data")");
  CHECK(full.traits.keeps == OMNISTORE_KEEPS_POWER);
  CHECK(data.traits.keeps == OMNISTORE_KEEPS_PROCESS);
}
