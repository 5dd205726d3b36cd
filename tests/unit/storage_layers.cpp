// SPDX-License-Identifier: Apache-2.0
// The host's layers that read: ranges, listings, clears. And those that change no more than requests.
#include <catch2/catch.hpp>

#include "base/clock.hpp"
#include "storage/emulation/layers.hpp"

#include "storage_support.hpp"

using omnistore::ValueSink;

TEST_CASE("a part of a value is cut from the whole one") {
  plain::Store store;
  store.values["a"] = "0123456789";
  omnistore::Functions stack = store.functions();
  const auto layer = omnistore::stack_ranges(stack);
  plain::Caller caller{stack};
  ValueSink middle, beyond;
  CHECK(caller.get("a", middle, 3, 4) == OMNISTORE_OK);
  CHECK(middle.bytes == "3456");
  CHECK(middle.value_size == 10);
  CHECK(caller.get("a", beyond, 20, 4) == OMNISTORE_OK);
  CHECK(beyond.bytes.empty());
  CHECK(caller.get("a") == "0123456789");
}

TEST_CASE("a batch with parts of values stays one batch") {
  plain::Store store;
  store.values = {{"a", "0123456789"}, {"b", "xyz"}};
  omnistore::Functions stack = store.with_batches();
  const auto layer = omnistore::stack_ranges(stack);
  plain::Caller caller{stack};
  const omnistore_bytes keys[] = {omnistore::as_bytes("a"), omnistore::as_bytes("b")};
  const omnistore_get_request part{sizeof part, 0, 8, 5};
  const omnistore_get_request *requests[] = {&part, &omnistore::whole_value};
  ValueSink a, b;
  omnistore_sink *sinks[] = {&a, &b};
  omnistore_status statuses[] = {OMNISTORE_INTERNAL, OMNISTORE_INTERNAL};
  CHECK(stack.get_many(&caller.call, keys, 2, requests, sinks, statuses) == OMNISTORE_OK);
  CHECK(a.bytes == "89");
  CHECK(b.bytes == "xyz");
  CHECK(store.count("get_many 2") == 1);
}

TEST_CASE("a listing with a depth drops the keys below it, over all pages") {
  plain::Store store;
  store.values = {{"a", ""}, {"b:c", ""}, {"b:c:d", ""}, {"e", ""}, {"f:g:h", ""}};
  omnistore::Functions stack = store.functions();
  const auto layer = omnistore::stack_listings(stack, OMNISTORE_CAN_LIST_META);
  plain::Caller caller{stack};
  CHECK(caller.list({}, 0) == "a=e- e=e- ");
  CHECK(caller.list("b:", 0) == "b:c=e- ");
  CHECK(caller.list({}, 1) == "a=e- b:c=e- e=e- ");
}

TEST_CASE("a driver that lists meta but no depth gets no calls for each key's meta") {
  plain::Store store;
  store.values = {{"a", "1"}, {"b:c", "2"}};
  omnistore::Functions stack = store.with_batches();
  const auto layer = omnistore::stack_listings(stack, OMNISTORE_CAN_LIST_META);
  plain::Caller caller{stack};
  CHECK(caller.list({}, 0, OMNISTORE_LIST_META) == "a=e-1 ");
  CHECK(store.calls == std::vector<std::string>{"list "});
}

TEST_CASE("a listing's meta comes from one batch of stats a page") {
  plain::Store store;
  store.values = {{"a", "1"}, {"b", "2"}};
  omnistore::Functions stack = store.with_batches();
  const auto layer = omnistore::stack_listings(stack, OMNISTORE_CAN_DEPTH);
  plain::Caller caller{stack};
  CHECK(caller.list({}, OMNISTORE_ANY_DEPTH, OMNISTORE_LIST_META) == "a=e-1 b=e-2 ");
  CHECK(store.count("stat_many 2") == 1);
}

TEST_CASE("a clear removes every page of a base and reports each key") {
  plain::Store store;
  store.values = {{"a:1", ""}, {"a:2", ""}, {"a:3", ""}, {"b", ""}};
  omnistore::Functions stack = store.functions();
  const auto layer = omnistore::stack_clears(stack, nullptr);
  plain::Caller caller{stack};
  std::string removed;
  omnistore::PageSink page([&](std::string_view key, const omnistore_meta *) {
    removed.append(key).append(" ");
    return OMNISTORE_OK;
  });
  const omnistore_clear_request request{sizeof request, 0, omnistore::as_bytes("a:")};
  CHECK(stack.clear(&caller.call, &request, &page) == OMNISTORE_OK);
  CHECK(removed == "a:1 a:2 a:3 ");
  CHECK(caller.list() == "b=e- ");
}

TEST_CASE("a clear whose time is up removes nothing more") {
  plain::Store store;
  store.values = {{"a", ""}};
  omnistore::Functions stack = store.functions();
  const auto layer = omnistore::stack_clears(stack, nullptr);
  plain::Caller caller{stack};
  caller.call.left = 0;
  const omnistore_clear_request request{sizeof request, 0, {nullptr, 0}};
  CHECK(stack.clear(&caller.call, &request, nullptr) == OMNISTORE_TIMEOUT);
  CHECK(store.values.contains("a"));
}

namespace {

/// Gives a text two bytes at a time.
struct PairSource : omnistore_source {
  std::string text;
  std::size_t at = 0;
  explicit PairSource(std::string value)
      : omnistore_source{sizeof(omnistore_source), 0,
                         [](omnistore_source *source, void *buffer, std::uint64_t, std::uint64_t *given) {
                           auto &self = *static_cast<PairSource *>(source);
                           *given = self.text.copy(static_cast<char *>(buffer), 2, self.at);
                           self.at += *given;
                           return OMNISTORE_OK;
                         }},
        text(std::move(value)) {}
};

} // namespace

TEST_CASE("a stream is gathered for a driver that takes none, up to the largest value that it takes") {
  plain::Store store;
  omnistore::Functions stack = store.functions();
  const auto layer = omnistore::stack_streams(stack, 6);
  plain::Caller caller{stack};
  const auto set = [&](std::string text, std::uint64_t size) {
    PairSource source(std::move(text));
    omnistore_set_request request{};
    request.size = sizeof request;
    request.source = &source;
    request.source_size = size;
    return stack.set(&caller.call, omnistore::as_bytes("a"), &request, nullptr);
  };
  CHECK(set("012345", OMNISTORE_UNKNOWN_SIZE) == OMNISTORE_OK);
  CHECK(store.values["a"] == "012345");
  CHECK(set("0123", 5) == OMNISTORE_INVALID);
  CHECK(set("01234567", OMNISTORE_UNKNOWN_SIZE) == OMNISTORE_TOO_LARGE);
  CHECK(store.values["a"] == "012345");
}

namespace {

/// Keeps the expiry of the last set.
struct ExpirySeen {
  std::int64_t expiry = -1;
  omnistore_status set(omnistore_call *, omnistore_bytes, const omnistore_set_request *request, omnistore_sink *) {
    expiry = request->expiry;
    return OMNISTORE_OK;
  }
};

} // namespace

TEST_CASE("an expiry is rounded up to one that the driver keeps, unless it has passed") {
  ExpirySeen driver;
  omnistore::Functions stack;
  stack.set.bind<&ExpirySeen::set>(driver);
  omnistore_traits traits{};
  traits.ttl_grain = 1000;
  const auto layer = omnistore::stack_roundings(stack, traits);
  plain::Caller caller{stack};
  const std::int64_t in_an_hour = (omnistore::now_ms() / 1000 + 3600) * 1000;
  CHECK(caller.set("a", "", in_an_hour + 1) == OMNISTORE_OK);
  CHECK(driver.expiry == in_an_hour + 1000);
  CHECK(caller.set("a", "", in_an_hour) == OMNISTORE_OK);
  CHECK(driver.expiry == in_an_hour);
  CHECK(caller.set("a", "", 1) == OMNISTORE_OK);
  CHECK(driver.expiry == 1);
  CHECK(caller.set("a", "") == OMNISTORE_OK);
  CHECK(driver.expiry == 0);
}

TEST_CASE("a store that takes no writes refuses them before its driver is called") {
  plain::Store store;
  omnistore::Functions stack = store.with_batches();
  const auto layer = omnistore::stack_read_only(stack);
  plain::Caller caller{stack};
  CHECK(caller.set("a", "1") == OMNISTORE_READ_ONLY);
  CHECK(caller.remove("a") == OMNISTORE_READ_ONLY);
  CHECK(!stack.remove_many);
  CHECK(store.calls.empty());
}
