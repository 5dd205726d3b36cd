// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <deque>
#include <memory>

#include "driven.hpp"

using test::Got;
using test::How;
using test::numbered;
using test::Store;

namespace {

struct Batch {
  std::vector<std::string> keys;
  std::vector<omnistore_bytes> views;
  std::vector<omnistore_status> statuses;
  std::unique_ptr<test::Call> call = std::make_unique<test::Call>();

  explicit Batch(std::vector<std::string> names) : keys(std::move(names)), statuses(keys.size(), OMNISTORE_INTERNAL) {
    for (const std::string &key : keys) views.push_back(omnistore::as_bytes(key));
  }
  uint32_t count() const { return static_cast<uint32_t>(keys.size()); }
};

Batch set_many(Store &store, const std::vector<std::pair<std::string, std::string>> &items, How how = {}) {
  std::vector<std::string> keys;
  for (const auto &item : items) keys.push_back(item.first);
  Batch batch(keys);
  std::vector<omnistore_set_request> requests(items.size());
  std::vector<const omnistore_set_request *> pointers;
  for (size_t i = 0; i < items.size(); ++i) {
    requests[i].size = sizeof requests[i];
    requests[i].value = omnistore::as_bytes(items[i].second);
    requests[i].expiry = how.expiry;
    requests[i].condition = how.condition;
    pointers.push_back(&requests[i]);
  }
  REQUIRE(store.driver().set_many(store.self(), batch.call.get(), batch.views.data(), batch.count(), pointers.data(),
                                  nullptr, batch.statuses.data()) == OMNISTORE_OK);
  return batch;
}

std::vector<std::optional<std::string>> get_many(Store &store, std::vector<std::string> keys) {
  Batch batch(std::move(keys));
  std::deque<Got> gots(batch.keys.size());
  std::vector<omnistore_sink *> sinks;
  for (Got &got : gots) sinks.push_back(&got);
  const omnistore_get_request request{sizeof request, OMNISTORE_GET_META, 0, UINT64_MAX};
  const auto requests = omnistore::repeated(request, gots.size());
  REQUIRE(store.driver().get_many(store.self(), batch.call.get(), batch.views.data(), batch.count(), requests.data(),
                                  sinks.data(), batch.statuses.data()) == OMNISTORE_OK);
  std::vector<std::optional<std::string>> values;
  for (size_t i = 0; i < gots.size(); ++i) {
    REQUIRE((batch.statuses[i] == OMNISTORE_OK || (batch.statuses[i] == OMNISTORE_NOT_FOUND && gots[i].begun == 0)));
    values.push_back(batch.statuses[i] == OMNISTORE_OK ? std::optional(gots[i].bytes) : std::nullopt);
  }
  return values;
}

} // namespace

TEST_CASE("a batch of gets returns each item in the order of the request") {
  const size_t stored = GENERATE(0, 10, 5000);
  Store store;
  for (size_t i = 0; i < stored; ++i) store.set(numbered("k", i), numbered("v", i));
  std::vector<std::string> keys;
  for (size_t i = 0; i < 100; ++i) keys.push_back(numbered("k", i * 7919 % 7000));
  keys.push_back(keys[0]);
  const auto values = get_many(store, keys);
  for (size_t i = 0; i < keys.size(); ++i) REQUIRE(values[i] == store.get(keys[i]));
  REQUIRE(get_many(store, {}).empty());
}

TEST_CASE("a batch of sets stores each item, and of a key that stands twice the last") {
  Store store;
  std::vector<std::pair<std::string, std::string>> items;
  for (size_t i = 0; i < 50; ++i) items.emplace_back(numbered("k", i % 40), numbered("v", i));
  const Batch batch = set_many(store, items);
  REQUIRE(std::count(batch.statuses.begin(), batch.statuses.end(), OMNISTORE_OK) == 50);
  for (size_t i = 10; i < 50; ++i) REQUIRE(store.get(numbered("k", i % 40)) == numbered("v", i));
  REQUIRE(store.list().size() == 40);
}

TEST_CASE("items of a batch of sets fail one by one, each with its own message") {
  Store store("{\"maxBytes\":10000}");
  const Batch batch = set_many(store, {{"a", "1"}, {"b", std::string(10'000, 'v')}, {"c", "3"}});
  REQUIRE(batch.statuses == std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_TOO_LARGE, OMNISTORE_OK});
  REQUIRE(batch.call->message().empty());
  REQUIRE(batch.call->messages[1].find("maxBytes is 10000") != std::string::npos);
  REQUIRE(store.list() == std::vector<std::string>{"a", "c"});
}

TEST_CASE("conditions and expiries hold for each item of a batch of sets") {
  Store store;
  store.set("b", "0");
  const Batch batch =
      set_many(store, {{"a", "1"}, {"b", "2"}}, {.expiry = store.now() + 100, .condition = OMNISTORE_IF_ABSENT});
  REQUIRE(batch.statuses == std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_CONFLICT});
  store.host.time += 100;
  REQUIRE(store.list() == std::vector<std::string>{"b"});
}

TEST_CASE("a batch of removals removes each item") {
  Store store;
  for (const char *key : {"a", "b", "c"}) store.set(key, "v");
  Batch batch({"a", "x", "c", "a"});
  const omnistore_remove_request request{sizeof request, 0, OMNISTORE_ALWAYS, 0, {nullptr, 0}};
  REQUIRE(store.driver().remove_many(store.self(), batch.call.get(), batch.views.data(), batch.count(),
                                     omnistore::repeated(request, batch.keys.size()).data(),
                                     batch.statuses.data()) == OMNISTORE_OK);
  REQUIRE(batch.statuses ==
          std::vector<omnistore_status>{OMNISTORE_OK, OMNISTORE_NOT_FOUND, OMNISTORE_OK, OMNISTORE_NOT_FOUND});
  REQUIRE(store.list() == std::vector<std::string>{"b"});
}
