// SPDX-License-Identifier: Apache-2.0
// The facts that a plugin must state about its drivers, and the host's copy of them.
#include <cstring>

#include "support.hpp"

using namespace test;

TEST_CASE("a driver has its plugin's facts in the host's own memory") {
  const DriverPtr driver = load("good");
  CHECK(driver->name == "sample");
  CHECK(driver->version == "1.0.0");
  CHECK(driver->summary == "A sample");
  CHECK(driver->file == built("good"));
  CHECK(driver->plugin_name == "Samples");
  CHECK(driver->plugin_version == "3.2.1");
  CHECK(driver->table.name == driver->name.c_str());
  CHECK(driver->table.version == driver->version.c_str());
  CHECK(driver->table.summary == driver->summary.c_str());
  CHECK(driver->table.traits == &driver->traits);
}

TEST_CASE("a driver without a schema takes no options") {
  const DriverPtr driver = load("good");
  CHECK(driver->schema.at("type") == "object");
  CHECK(driver->schema.at("additionalProperties") == false);
}

TEST_CASE("a plugin without a name has its file's") {
  CHECK(load("open_throws", "throws")->plugin_name == "open_throws");
}

TEST_CASE("an optional function that a driver lacks is null") {
  const DriverPtr driver = load("good");
  CHECK(driver->table.get_many);
  CHECK_FALSE(driver->table.set_many);
  CHECK_FALSE(driver->table.touch);
}

TEST_CASE("the required functions that a driver lacks are named, all of them") {
  CHECK(refused(built("no_required")).reason == "its driver 'sample' lacks required functions: close, list");
}

TEST_CASE("a table that ends before its functions lacks all that are required") {
  CHECK(contains(refused(built("table_ends_early")).reason, "open, close, get, stat, set, remove, list"));
}

TEST_CASE("a plugin that offers no driver is refused") {
  CHECK(refused(built("no_drivers")).reason == "it has no driver (its driver_count is 0)");
  CHECK(contains(refused(built("null_drivers")).reason, "its pointer to them is null"));
  CHECK(contains(refused(built("absurd_count")).reason, "it offers 1000000 drivers; a plugin has at most"));
}

TEST_CASE("a null driver is refused by its number") {
  CHECK(refused(built("null_driver")).reason == "its driver number 1 is a null pointer");
}

TEST_CASE("a driver without a name, or with a bad one, is refused with the rule") {
  CHECK(refused(built("null_name")).reason == "its driver number 1 has no name");
  const RejectedPlugin reject = refused(built("bad_name"));
  CHECK(reject.reason == "its driver number 1 has a bad name 'Bad?Name'");
  CHECK(contains(reject.advice, "[a-z][a-z0-9-]*"));
}

TEST_CASE("a driver without traits is refused") {
  CHECK(contains(refused(built("no_traits")).reason, "its driver 'sample' states no traits"));
}

TEST_CASE("a driver that does not state its thread model is refused") {
  const RejectedPlugin reject = refused(built("no_thread_model"));
  CHECK(reject.reason == "its driver 'sample' does not state its thread model");
  CHECK(contains(reject.advice, "OMNISTORE_SERIALIZED"));
  CHECK(contains(refused(built("traits_end_early")).reason, "does not state its thread model"));
}

TEST_CASE("a driver that wants more children than it takes is refused") {
  CHECK(contains(refused(built("children")).reason, "at least 2 children and at most 0"));
}

TEST_CASE("a driver that can watch but not end it is refused") {
  CHECK(contains(refused(built("watch_alone")).reason, "watch without unwatch"));
}

TEST_CASE("a schema that is not JSON, or not an object's, is refused") {
  CHECK(contains(refused(built("schema_text")).reason, "its driver 'sample' has a bad schema of its options: "));
  CHECK(contains(refused(built("schema_array")).reason, "its driver 'sample' has a bad schema of its options: "));
}

TEST_CASE("a bad driver takes no good one of its plugin with it") {
  Registry registry({{built("half_bad")}, {}});
  CHECK(registry.find("other"));
  CHECK(contains(reject_of(registry, built("half_bad")).reason, "bad name 'Sample'"));
}
