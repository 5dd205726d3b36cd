// SPDX-License-Identifier: Apache-2.0
// Expiries as the driver's traits allow them: min_ttl and ttl_grain.
#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "puppet.hpp"

using omnistore::Storage;
using namespace std::chrono_literals;
using test::Puppet;

namespace {

/// Expiries that a driver was given, by each way to give one.
struct Given {
  Puppet puppet;
  std::vector<std::int64_t> expiries;
  std::int64_t now = 0; ///< after the last write

  Given(std::int64_t min_ttl, std::int64_t grain) {
    puppet.traits.capabilities |= OMNISTORE_CAN_META; // or the host looks for its own before a touch
    puppet.traits.min_ttl = min_ttl;
    puppet.traits.ttl_grain = grain;
    puppet.set = [this](omnistore_call *, std::string_view, const omnistore_set_request &request, omnistore_sink *) {
      expiries.push_back(request.expiry);
      return OMNISTORE_OK;
    };
    puppet.touch = [this](const omnistore_touch_request &request) {
      expiries.push_back(request.expiry);
      return OMNISTORE_OK;
    };
  }
  void give(std::chrono::milliseconds ttl) {
    Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
    omnistore::SetOptions options;
    options.ttl = ttl;
    storage.set("k", "v", options);
    storage.set_many(std::vector<omnistore::SetItem>{{"k", "v", options}, {"l", "v", options}});
    storage.touch("k", ttl);
    now = puppet.host->now(puppet.host); // while the store is open: its host ends with it
  }
};

} // namespace

TEST_CASE("an expiry is rounded up to the driver's grain before the driver sees it") {
  Given given(0, 1000);
  given.give(1500ms);
  REQUIRE(given.expiries.size() == 4);
  const std::int64_t now = given.now;
  for (const std::int64_t expiry : given.expiries) {
    CHECK(expiry % 1000 == 0);
    CHECK(expiry > now);
    CHECK(expiry <= now + 2500);
  }
}

TEST_CASE("an expiry is not sooner than the driver's shortest ttl") {
  Given given(60'000, 0);
  const std::int64_t before = given.puppet.traits.min_ttl;
  given.give(10ms);
  REQUIRE(given.expiries.size() == 4);
  for (const std::int64_t expiry : given.expiries) CHECK(expiry >= given.now + before - 5000);
}

TEST_CASE("a value without an end has none whatever the driver's grain is") {
  Given given(60'000, 1000);
  given.give(0ms);
  REQUIRE(given.expiries.size() == 4);
  for (const std::int64_t expiry : given.expiries) CHECK(expiry == 0);
}

TEST_CASE("an expiry is given as it is to a driver that keeps any") {
  Given given(0, 0);
  given.give(1501ms);
  REQUIRE(given.expiries.size() == 4);
  for (const std::int64_t expiry : given.expiries) CHECK(expiry <= given.now + 1501);
}
