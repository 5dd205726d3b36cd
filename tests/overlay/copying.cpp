// SPDX-License-Identifier: Apache-2.0
// Values that are found in a layer below are copied into the layers above.
#include <atomic>
#include <chrono>
#include <string>
#include <thread>

#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;
using omnistore::Status;

TEST_CASE("a hit from below is copied into the layers above, with what is left of its ttl") {
  Layers layers(R"({ "promote": true })", {"jar", "memory", "jar"});
  auto storage = layers.open();
  omnistore::SetOptions hour;
  hour.ttl = std::chrono::hours(1);
  storage.set("l2:a", "below", hour);
  storage.set("l2:b", "below");
  CHECK(storage.has("o:a"));
  CHECK_FALSE(storage.has("l0:a"));
  CHECK(storage.get("o:a") == "below");
  CHECK(storage.get("l0:a") == "below");
  CHECK(storage.meta("l0:a")->expiry == storage.meta("l2:a")->expiry);
  CHECK(storage.get_many(Keys{"o:b"})[0].status == Status::ok);
  CHECK(storage.get("l0:b") == "below");
}

TEST_CASE("without promote nothing is copied") {
  Layers layers("{}", {"jar", "jar"});
  auto storage = layers.open();
  storage.set("l1:a", "below");
  CHECK(storage.get("o:a") == "below");
  CHECK_FALSE(storage.has("l0:a"));
}

TEST_CASE("a write below promoted copies takes them away") {
  Layers layers(R"({ "promote": true, "writeTo": 1 })", {"jar", "jar"});
  auto storage = layers.open();
  storage.set("o:a", "old");
  CHECK(storage.get("o:a") == "old");
  CHECK(storage.get("l0:a") == "old");
  storage.set("o:a", "new");
  CHECK(storage.get("o:a") == "new");
  CHECK(storage.remove("o:a"));
  CHECK_FALSE(storage.has("o:a"));
  storage.set("o:a", "newer");
  storage.get("o:a");
  CHECK(storage.clear("o") == 1);
  CHECK_FALSE(storage.has("l0:a"));
}

TEST_CASE("a value is not promoted past a write that came in between") {
  Layers layers(R"({ "promote": true, "writeTo": 1 })", {"memory", "memory"});
  auto storage = layers.open();
  std::atomic<bool> done{false};
  std::thread reader([&] {
    while (!done) storage.get("o:a");
  });
  for (int i = 0; i < 2000; ++i) {
    const std::string value = std::to_string(i);
    storage.set("o:a", value);
    if (storage.get("o:a") != value) FAIL("an older value came back");
    storage.remove("o:a");
    if (storage.has("o:a")) FAIL("a removed value came back");
  }
  done = true;
  reader.join();
}
