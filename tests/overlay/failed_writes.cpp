// SPDX-License-Identifier: Apache-2.0
// A write that a layer does not take removes no copy that another layer gives.
#include <catch2/catch.hpp>

#include "fixture.hpp"

using namespace test;
using omnistore::Status;
using omnistore::Storage;

namespace {

constexpr const char *options_of_copies = R"({ "promote": true, "writeTo": 1 })";

/// A value below, of which the layer above has a copy.
void promote(Storage &storage) {
  storage.set("o:k", "old");
  storage.get("o:k");
}

void fail_every_write(Storage &storage) {
  CHECK(status_of([&] { storage.set("o:k", "new"); }) != Status::ok);
  CHECK(status_of([&] { storage.remove("o:k"); }) != Status::ok);
  CHECK(status_of([&] { storage.touch("o:k", std::chrono::hours(1)); }) != Status::ok);
  CHECK(status_of([&] { storage.clear("o"); }) != Status::ok);
  CHECK(storage.set_many(std::vector<omnistore::SetItem>{{"o:k", "new", {}}}).front().status != Status::ok);
  CHECK(storage.remove_many(Keys{"o:k"}).front().status != Status::ok);
}

} // namespace

TEST_CASE("a promoted copy outlives every write that the layer below did not take") {
  const std::string above = GENERATE(std::string("memory"), std::string("jar"), std::string("fs"));
  const int status = GENERATE(30, 40, 80, 90, 100, 110, 130);
  INFO(above << ' ' << status);
  Layers layers(options_of_copies, {above, "jar"});
  Storage storage = layers.open();
  promote(storage);
  storage.set("l1:!fail", std::to_string(status));
  fail_every_write(storage);
  CHECK(storage.get("o:k") == "old");
  CHECK(storage.has("o:k"));
  CHECK(storage.get_many(Keys{"o:k"}).front().entry.value == "old");
}

TEST_CASE("after a write whose outcome is not known the copy goes as soon as the layer below can be read") {
  Layers layers(options_of_copies, {"memory", "jar"});
  Storage storage = layers.open();
  promote(storage);
  storage.set("l1:!fail", "80");
  CHECK(status_of([&] { storage.set("o:k", "new"); }) == Status::timeout);
  CHECK(storage.get("o:k") == "old");
  storage.set("l1:!fail", "0");
  storage.set("l1:k", "new"); // the write has arrived after all
  CHECK(storage.get("o:k") == "new");
}

TEST_CASE("a clear that failed half way leaves no copy of a removed value, whatever it failed with") {
  const int status = GENERATE(30, 80, 90, 100, 110, 130);
  INFO(status);
  Layers layers(options_of_copies, {"memory", "jar"});
  Storage storage = layers.open();
  for (const char *key : {"o:a", "o:b"}) {
    storage.set(key, "old");
    storage.get(key);
  }
  storage.set("l1:!stuck", std::to_string(status) + " b");
  CHECK(status_of([&] { storage.clear("o"); }) != Status::ok);
  REQUIRE_FALSE(storage.has("l1:a"));
  CHECK_FALSE(storage.get("o:a"));
  CHECK_FALSE(storage.has("o:a"));
  CHECK(storage.get("o:b") == "old");
}

TEST_CASE("a write that the layer below refused leaves the copy with the end that it had") {
  Layers layers(options_of_copies, {"fs", "jar"});
  Storage storage = layers.open();
  promote(storage);
  storage.set("l1:!fail", "30");
  CHECK(status_of([&] { storage.set("o:k", "new"); }) == Status::denied);
  CHECK(storage.meta("l0:k")->expiry == 0);
}

TEST_CASE("a copy that outlives the host hides nothing for long if the outcome of a write is not known") {
  Layers layers(options_of_copies, {"fs", "jar"});
  Storage storage = layers.open();
  promote(storage);
  storage.set("l1:!fail", "80");
  CHECK(status_of([&] { storage.set("o:k", "new"); }) == Status::timeout);
  CHECK(storage.meta("l0:k")->expiry != 0);
}

TEST_CASE("a removal that a layer refused is not recorded") {
  Layers layers("{}", {"jar", "jar"});
  Storage storage = layers.open();
  storage.set("l1:k", "below");
  CHECK(storage.get("o:k") == "below");
  storage.set("l0:!fail", "30");
  CHECK(status_of([&] { storage.remove("o:k"); }) == Status::denied);
  storage.set("l0:!fail", "0");
  CHECK(storage.get("o:k") == "below");
}

TEST_CASE("a write of which the layer below says that nothing was done leaves the copy as it was") {
  Layers layers(options_of_copies, {"fs", "jar"});
  Storage storage = layers.open();
  promote(storage);
  const bool undone = GENERATE(true, false);
  storage.set("l1:!fail", undone ? "90 undone" : "90");
  CHECK(status_of([&] { storage.set("o:k", "new"); }) == Status::unavailable);
  CHECK((storage.meta("l0:k")->expiry == 0) == undone);
}

TEST_CASE("a removal of which a layer says that nothing was done is not recorded") {
  Layers layers("{}", {"jar", "jar"});
  Storage storage = layers.open();
  storage.set("l1:k", "below");
  CHECK(storage.get("o:k") == "below");
  storage.set("l0:!fail", "90 undone");
  CHECK(status_of([&] { storage.remove("o:k"); }) == Status::unavailable);
  storage.set("l0:!fail", "0");
  CHECK(storage.get("o:k") == "below");
}
