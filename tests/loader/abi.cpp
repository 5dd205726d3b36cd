// SPDX-License-Identifier: Apache-2.0
// Host and plugin of different ages.
#include <omnistore/driver.h>

#include "loader/open.hpp"
#include "support.hpp"

using namespace test;

namespace {

const std::string host_version = std::to_string(OMNISTORE_ABI_MAJOR) + "." + std::to_string(OMNISTORE_ABI_MINOR);

/// The message of a call.
struct Told : omnistore_call {
  std::string message;
  omnistore_context nobody{sizeof(omnistore_context), 0, is_gone, {}, {}};
  Told() : omnistore_call{sizeof(omnistore_call), 0, &nobody, remaining_time, keep} {}
  static uint32_t OMNISTORE_CALL is_gone(const omnistore_context *) { return 0; }
  static int64_t OMNISTORE_CALL remaining_time(const omnistore_call *) { return INT64_MAX; }
  static void OMNISTORE_CALL keep(omnistore_call *call, const omnistore_failure *failure) {
    static_cast<Told *>(call)->message.assign(static_cast<const char *>(failure->message.data), failure->message.size);
  }
};

omnistore_status open(const Driver &driver, omnistore_traits &traits, Told &told) {
  omnistore_open_request request{};
  request.size = sizeof request;
  void *self = nullptr;
  traits = driver.traits;
  return omnistore::loader::call_open(driver, nullptr, &told, &request, &traits, &self);
}

} // namespace

TEST_CASE("a plugin of a newer ABI major is refused with both versions") {
  const RejectedPlugin reject = refused(built("too_new"));
  CHECK(reject.reason == "it was built for ABI 2.7; this host speaks " + host_version);
  CHECK(contains(reject.advice, "update the host"));
}

TEST_CASE("a plugin of an older ABI major is refused with both versions") {
  const RejectedPlugin reject = refused(built("too_old"));
  CHECK(reject.reason == "it was built for ABI 0.9; this host speaks " + host_version);
  CHECK(reject.advice == "build it against this host's SDK");
}

TEST_CASE("a plugin of a newer minor loads, and its longer table is read as far as the host knows it") {
  const DriverPtr driver = load("newer_minor");
  CHECK(driver->abi_minor == 99);
  CHECK(driver->table.size == sizeof(omnistore_driver));
  CHECK(driver->table.unwatch);
  CHECK_FALSE(driver->table.extension);
}

TEST_CASE("fields beyond an older, shorter table read as zero") {
  const DriverPtr driver = load("smaller_table");
  CHECK(driver->table.clear); // the last one inside
  CHECK_FALSE(driver->table.get_many);
  CHECK_FALSE(driver->table.watch);
  CHECK_FALSE(driver->table.unwatch);
  CHECK(driver->table.size == sizeof(omnistore_driver));
}

TEST_CASE("fields beyond older, shorter traits read as zero") {
  CHECK(load("good")->traits.max_key_size == 77);
  const DriverPtr driver = load("smaller_traits");
  CHECK(driver->traits.thread_model == OMNISTORE_PARALLEL);
  CHECK(driver->traits.max_key_size == 0);
  CHECK(driver->traits.size == sizeof(omnistore_traits));
}

TEST_CASE("a plugin table that ends before its drivers offers none") {
  CHECK(contains(refused(built("plugin_ends_early")).reason, "it has no driver"));
}

TEST_CASE("a thread model that the host does not know is the next lower one") {
  const DriverPtr driver = load("between_models");
  CHECK(driver->traits.thread_model == OMNISTORE_SERIALIZED);
  omnistore_traits traits;
  Told told;
  CHECK(open(*driver, traits, told) == OMNISTORE_OK);
  CHECK(traits.thread_model == OMNISTORE_PARALLEL); // open made it 250
}

TEST_CASE("a flag of a plugin that the host does not know is ignored") {
  CHECK(load("later_flags")->table.size == sizeof(omnistore_driver));
}

TEST_CASE("a store whose open takes its thread model away is serialized") {
  omnistore_traits traits;
  Told told;
  CHECK(open(*load("opens_modelless"), traits, told) == OMNISTORE_OK);
  CHECK(traits.thread_model == OMNISTORE_SERIALIZED);
}

TEST_CASE("an entry that returns null is refused with the host's ABI version") {
  const RejectedPlugin reject = refused(built("returns_null"));
  CHECK(contains(reject.reason, "its entry returned no table"));
  CHECK(contains(reject.reason, host_version));
}

TEST_CASE("an entry that throws is refused with the exception's text") {
  CHECK(contains(refused(built("entry_throws")).reason, "its entry threw an exception: the entry has lost its way"));
  CHECK(contains(refused(built("entry_throws_stranger")).reason, "its entry threw an exception"));
}

TEST_CASE("an open that throws is an internal error with the exception's text and the plugin's name") {
  const DriverPtr driver = load("open_throws", "throws");
  omnistore_traits traits;
  Told told;
  CHECK(open(*driver, traits, told) == OMNISTORE_INTERNAL);
  CHECK(contains(told.message, "open has lost its way"));
  CHECK(contains(told.message, driver->file));
}

TEST_CASE("an open that throws anything else is an internal error too") {
  omnistore_traits traits;
  Told told;
  CHECK(open(*load("open_throws_stranger", "throws"), traits, told) == OMNISTORE_INTERNAL);
  CHECK(contains(told.message, "open threw an exception"));
}
