// SPDX-License-Identifier: Apache-2.0
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "storage/emulation/layers.hpp"
#include "storage/emulation/stripes.hpp"

#include "storage_support.hpp"

namespace {

struct ConditionFixture {
  plain::Store store;
  omnistore::Stripes stripes;
  omnistore::Functions stack = store.with_batches();
  omnistore::Layer layer;
  plain::Caller caller;

  explicit ConditionFixture(bool others_write = false)
      : layer(omnistore::stack_conditions(stack, others_write ? nullptr : &stripes, OMNISTORE_CAN_ETAG)), caller{
                                                                                                              stack} {}
};

} // namespace

TEST_CASE("a set looks at its condition first") {
  ConditionFixture f;
  CHECK(f.caller.set_if(OMNISTORE_IF_PRESENT, "a", "1") == OMNISTORE_CONFLICT);
  CHECK(f.caller.set_if(OMNISTORE_IF_ABSENT, "a", "1") == OMNISTORE_OK);
  CHECK(f.caller.set_if(OMNISTORE_IF_ABSENT, "a", "2") == OMNISTORE_CONFLICT);
  CHECK(f.caller.set_if(OMNISTORE_IF_MATCH, "a", "2", "e-other") == OMNISTORE_CONFLICT);
  CHECK(f.caller.set_if(OMNISTORE_IF_MATCH, "a", "2", "e-1") == OMNISTORE_OK);
  CHECK(f.caller.set_if(OMNISTORE_IF_PRESENT, "a", "3") == OMNISTORE_OK);
  CHECK(f.caller.get("a") == "3");
}

TEST_CASE("a remove with an etag removes that value alone") {
  ConditionFixture f;
  f.store.values["a"] = "1";
  CHECK(f.caller.remove("a", OMNISTORE_IF_MATCH, "e-other") == OMNISTORE_CONFLICT);
  CHECK(f.caller.remove("a", OMNISTORE_IF_MATCH, "e-1") == OMNISTORE_OK);
  CHECK(f.caller.remove("a", OMNISTORE_IF_MATCH, "e-1") == OMNISTORE_CONFLICT);
}

TEST_CASE("a remove of a key that must be present finds none, as a plain remove does") {
  ConditionFixture f;
  CHECK(f.caller.remove("a", OMNISTORE_IF_PRESENT) == OMNISTORE_NOT_FOUND);
  CHECK(f.store.count("stat a") == 0);
}

TEST_CASE("an etag cannot be compared if the driver gives none") {
  ConditionFixture f;
  f.store.gives_etags = false;
  f.store.values["a"] = "1";
  CHECK(f.caller.set_if(OMNISTORE_IF_MATCH, "a", "2", "e-1") == OMNISTORE_UNSUPPORTED);
  CHECK(f.caller.call.message() == "the driver gives no etags to compare");
}

TEST_CASE("no condition is kept by a lock if others write to the backend") {
  ConditionFixture f(true);
  CHECK(f.caller.set_if(OMNISTORE_IF_ABSENT, "a", "1") == OMNISTORE_UNSUPPORTED);
  CHECK(f.store.calls.empty());
  CHECK(f.caller.set("a", "1") == OMNISTORE_OK);
  CHECK(f.stack.remove_many);
}

TEST_CASE("every write waits for the lock of its key") {
  ConditionFixture f;
  std::vector<omnistore::Stripes::Lock> held;
  const omnistore_bytes key = omnistore::as_bytes("a");
  CHECK(f.stripes.lock(nullptr, &key, 1, held));
  CHECK(f.caller.set("a", "1") == OMNISTORE_OK); // its own thread holds it
  std::thread([&] {
    plain::Caller other{f.stack};
    other.call.left = 0;
    CHECK(other.set("a", "2") == OMNISTORE_UNAVAILABLE);
    CHECK(other.remove("a") == OMNISTORE_UNAVAILABLE);
  }).join();
  CHECK(f.store.values["a"] == "1");
  CHECK(!f.stack.remove_many); // each remove takes its own lock
}
