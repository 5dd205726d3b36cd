// SPDX-License-Identifier: Apache-2.0
// Expiries and user meta that the host keeps for a driver.
#include <catch2/catch.hpp>

#include "base/clock.hpp"
#include "storage/emulation/layers.hpp"
#include "storage/emulation/sidecar_layer.hpp"
#include "storage/emulation/stripes.hpp"

#include "storage_support.hpp"

using omnistore::ValueSink;

namespace {

const std::int64_t in_an_hour = omnistore::now_ms() + 3'600'000;

struct SidecarFixture {
  plain::Store store;
  omnistore::testing::BareHost host;
  omnistore::Stripes stripes;
  omnistore::Functions stack = store.with_batches();
  omnistore::SidecarLayer layer;
  plain::Caller caller;

  static omnistore_traits traits(std::uint64_t capabilities) {
    omnistore_traits traits{};
    traits.size = sizeof traits;
    traits.capabilities = capabilities;
    traits.keeps = OMNISTORE_KEEPS_PROCESS;
    return traits;
  }
  explicit SidecarFixture(std::uint64_t capabilities = OMNISTORE_CAN_ETAG)
      : layer(stack, traits(capabilities), 4096, stripes, host), caller{stack} {}
  std::string user(std::string_view key) {
    ValueSink found;
    return caller.get(key, found, 0, UINT64_MAX, OMNISTORE_GET_USER) == OMNISTORE_OK ? found.user : "none";
  }
};

} // namespace

TEST_CASE("an expiry is written before its value and shown with it") {
  SidecarFixture f;
  CHECK(f.caller.set("a", "1", in_an_hour) == OMNISTORE_OK);
  CHECK(f.store.calls == std::vector<std::string>{"get a$", "set a$", "set a"});
  ValueSink found;
  CHECK(f.caller.get("a", found) == OMNISTORE_OK);
  CHECK(found.bytes == "1");
  CHECK(found.expiry == in_an_hour);
}

TEST_CASE("a value that has expired is gone for gets and listings, and its sidecar with it") {
  SidecarFixture f;
  f.store.values = {{"a", "1"}, {"a$", R"({"expiry":1})"}, {"b", "2"}, {"b$", R"({"expiry":1})"}, {"c", "3"}};
  CHECK(f.caller.get("a") == "none");
  CHECK(!f.store.values.contains("a$"));
  CHECK(f.caller.list() == "b$ c "); // the sidecar was listed before it was removed
  CHECK(f.store.values.size() == 1);
}

TEST_CASE("a listing with meta has the expiries that the host keeps") {
  SidecarFixture f;
  CHECK(f.caller.set("a", "1", in_an_hour) == OMNISTORE_OK);
  std::int64_t expiry = 0;
  omnistore::PageSink page([&](std::string_view key, const omnistore_meta *meta) {
    if (key == "a" && meta) expiry = meta->expiry;
    return OMNISTORE_OK;
  });
  const omnistore_list_request request{
      sizeof request, OMNISTORE_LIST_META, {nullptr, 0}, OMNISTORE_ANY_DEPTH, 100, {nullptr, 0}, {}, {}};
  CHECK(f.stack.list(&f.caller.call, &request, &page) == OMNISTORE_OK);
  CHECK(expiry == in_an_hour);
}

TEST_CASE("a set without an expiry ends the old one") {
  SidecarFixture f;
  CHECK(f.caller.set("a", "1", in_an_hour) == OMNISTORE_OK);
  CHECK(f.caller.set("a", "2") == OMNISTORE_OK);
  CHECK(!f.store.values.contains("a$"));
}

TEST_CASE("a set that fails leaves the old value and the old expiry") {
  SidecarFixture f;
  CHECK(f.caller.set("a", "1") == OMNISTORE_OK);
  f.store.set_status = OMNISTORE_NO_SPACE;
  CHECK(f.caller.set("a", "2", in_an_hour) == OMNISTORE_NO_SPACE);
  CHECK(f.caller.get("a") == "1");
  CHECK(!f.store.values.contains("a$"));
}

TEST_CASE("a set whose outcome is not known leaves the earlier end") {
  SidecarFixture f;
  CHECK(f.caller.set("a", "1") == OMNISTORE_OK);
  f.store.set_status = OMNISTORE_TIMEOUT;
  CHECK(f.caller.set("a", "2", in_an_hour) == OMNISTORE_TIMEOUT);
  CHECK(f.store.values.contains("a$"));
}

TEST_CASE("a driver's own condition does not see a value that has expired") {
  SidecarFixture f(OMNISTORE_CAN_ETAG | OMNISTORE_CAN_IF_ABSENT);
  f.store.has_if_absent = true;
  f.store.values = {{"a", "1"}, {"a$", R"({"expiry":1})"}};
  CHECK(f.caller.set_if(OMNISTORE_IF_ABSENT, "a", "2") == OMNISTORE_OK);
  CHECK(f.caller.get("a") == "2");
}

TEST_CASE("a set whose expiry has passed removes the value only if its condition holds") {
  SidecarFixture f(OMNISTORE_CAN_ETAG | OMNISTORE_CAN_IF_ABSENT);
  CHECK(f.caller.set("a", "1") == OMNISTORE_OK);
  CHECK(f.caller.set("a", "2", 1, {}, OMNISTORE_IF_ABSENT) == OMNISTORE_CONFLICT);
  CHECK(f.caller.get("a") == "1");
  CHECK(f.caller.set("a", "2", 1, {}, OMNISTORE_IF_PRESENT) == OMNISTORE_OK);
  CHECK(f.caller.get("a") == "none");
  CHECK(f.caller.set("a", "2", 1, {}, OMNISTORE_IF_PRESENT) == OMNISTORE_CONFLICT);
}

TEST_CASE("a condition that the host keeps does not see a value that has expired") {
  SidecarFixture f;
  f.store.values = {{"a", "1"}, {"a$", R"({"expiry":1})"}};
  const auto conditions = omnistore::stack_conditions(f.stack, &f.stripes, OMNISTORE_CAN_ETAG);
  f.caller.functions = f.stack;
  CHECK(f.caller.set_if(OMNISTORE_IF_PRESENT, "a", "2") == OMNISTORE_CONFLICT);
  CHECK(f.caller.set_if(OMNISTORE_IF_ABSENT, "a", "2") == OMNISTORE_OK);
}

TEST_CASE("user meta belongs to one value and ends with it") {
  SidecarFixture f(OMNISTORE_CAN_ETAG | OMNISTORE_CAN_TTL);
  CHECK(f.caller.set("a", "1", 0, "colour") == OMNISTORE_OK);
  CHECK(f.user("a") == "colour");
  f.store.values["a"] = "2"; // by another program
  CHECK(f.user("a").empty());
  CHECK(f.caller.set("a", "1", 0, "colour") == OMNISTORE_OK);
  CHECK(f.caller.set("a", "3") == OMNISTORE_OK);
  CHECK(f.user("a").empty());
  CHECK(!f.store.values.contains("a$"));
}

TEST_CASE("without etags the old user meta is removed before the value is replaced") {
  SidecarFixture f(OMNISTORE_CAN_TTL);
  f.store.gives_etags = false;
  f.store.values = {{"a", "1"}, {"a$", "{\"omnistore\":1}\ncolour"}};
  f.store.set_status = OMNISTORE_NO_SPACE;
  CHECK(f.caller.set("a", "2") == OMNISTORE_NO_SPACE);
  CHECK(f.store.calls == std::vector<std::string>{"get a$", "remove a$", "set a", "set a$"}); // and back it came
  CHECK(f.user("a") == "colour");
}

TEST_CASE("a batch is read with user meta in two batches") {
  SidecarFixture f(OMNISTORE_CAN_ETAG | OMNISTORE_CAN_TTL);
  CHECK(f.caller.set("a", "1", 0, "red") == OMNISTORE_OK);
  CHECK(f.caller.set("b", "2") == OMNISTORE_OK);
  f.store.calls.clear();
  const omnistore_bytes keys[] = {omnistore::as_bytes("a"), omnistore::as_bytes("b")};
  const omnistore_get_request with_user{sizeof with_user, OMNISTORE_GET_USER, 0, UINT64_MAX};
  const omnistore_get_request *requests[] = {&with_user, &with_user};
  ValueSink a, b;
  omnistore_sink *sinks[] = {&a, &b};
  omnistore_status statuses[] = {OMNISTORE_INTERNAL, OMNISTORE_INTERNAL};
  CHECK(f.stack.get_many(&f.caller.call, keys, 2, requests, sinks, statuses) == OMNISTORE_OK);
  CHECK(a.user == "red");
  CHECK(b.user.empty());
  CHECK((b.flags & OMNISTORE_META_USER) != 0);
  CHECK(f.store.count("get_many 2") == 2);
}

TEST_CASE("a touch keeps a value's user meta and gives it another end") {
  SidecarFixture f;
  CHECK(f.caller.set("a", "1", 0, "colour") == OMNISTORE_OK);
  const omnistore_touch_request touch{sizeof touch, OMNISTORE_TOUCH_EXPIRY, in_an_hour, {nullptr, 0}};
  CHECK(f.stack.touch(&f.caller.call, omnistore::as_bytes("a"), &touch) == OMNISTORE_OK);
  ValueSink found;
  CHECK(f.caller.get("a", found, 0, UINT64_MAX, OMNISTORE_GET_USER) == OMNISTORE_OK);
  CHECK(found.user == "colour");
  CHECK(found.expiry == in_an_hour);
}

TEST_CASE("a key as long as the driver takes has a value and no sidecar") {
  SidecarFixture f(OMNISTORE_CAN_ETAG | OMNISTORE_CAN_TTL);
  const std::string key(4096, 'k');
  f.store.values[key] = "1";
  CHECK(f.user(key).empty());
  CHECK(f.caller.remove(key) == OMNISTORE_OK);
}
