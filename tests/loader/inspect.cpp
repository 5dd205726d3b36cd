// SPDX-License-Identifier: Apache-2.0
// One plugin file by itself: what it is and offers.
#include "loader/inspect.hpp"
#include "loader/vet.hpp"
#include "support.hpp"

using namespace test;
using omnistore::loader::inspect;
using omnistore::loader::PluginError;

TEST_CASE("a plugin file shows its sum, its libraries and each of its drivers") {
  const auto found = inspect(built("two_drivers"));
  CHECK(found.sha256 == omnistore::loader::sha256(read_file(built("two_drivers"))));
  CHECK(names(found.offers.drivers) == std::vector<std::string>{"other", "sample"});
  const auto needed = inspect(built("by_origin")).needed;
  CHECK(std::find(needed.begin(), needed.end(), "libloader_helper.so") != needed.end());
}

TEST_CASE("a driver that cannot be used stands beside those that can") {
  const auto found = inspect(built("half_bad"));
  CHECK(names(found.offers.drivers) == std::vector<std::string>{"other"});
  REQUIRE(found.offers.unusable.size() == 1);
  CHECK(contains(found.offers.unusable[0].reason.what(), "bad name 'Sample'"));
}

TEST_CASE("a plugin that crashes while it is loaded is refused by the probe") {
  for (const char *plugin : {"load_aborts", "entry_segfaults", "entry_exits"})
    CHECK_THROWS_AS(inspect(built(plugin)), PluginError);
}
