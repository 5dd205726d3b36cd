// SPDX-License-Identifier: Apache-2.0
// Batches, which are transactions.
#include <algorithm>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "etcd/driven.hpp"

using namespace test;

namespace {

struct Batch {
  std::vector<std::string> names, values;
  std::vector<omnistore_bytes> keys;
  std::vector<omnistore_set_request> requests;
  std::vector<const omnistore_set_request *> pointers;
  std::vector<omnistore_status> statuses;

  void add(const std::string &key, const std::string &value) { names.push_back(key), values.push_back(value); }
  void set(Store &store) {
    for (const std::string &each : names) keys.push_back(omnistore::as_bytes(each));
    for (const std::string &each : values) requests.push_back(Driven::set_request(each));
    for (const omnistore_set_request &each : requests) pointers.push_back(&each);
    statuses.assign(names.size(), OMNISTORE_INTERNAL);
    Call call;
    REQUIRE(store.driver().set_many(store.self(), &call, keys.data(), static_cast<std::uint32_t>(keys.size()),
                                    pointers.data(), nullptr, statuses.data()) == OMNISTORE_OK);
  }
  bool all_ok() const {
    return std::all_of(statuses.begin(), statuses.end(), [](omnistore_status each) { return each == OMNISTORE_OK; });
  }
};

} // namespace

TEST_CASE("a batch of 100 sets is one revision of etcd") {
  Fixture f;
  Batch batch;
  for (int i = 0; i < 100; ++i) batch.add("k" + std::to_string(i), "v");
  batch.set(f.store);
  REQUIRE(batch.all_ok());
  const auto revision = [&](const char *key) { return Gateway::number(f.other.look(f.prefix + key), "mod_revision"); };
  CHECK(revision("k0") == revision("k99"));
}

TEST_CASE("a batch of more keys and bytes than a transaction takes is split") {
  Fixture f;
  Batch batch;
  for (int i = 0; i < 300; ++i) batch.add("k" + std::to_string(i), std::string(i < 5 ? 600'000 : 10, 'x'));
  batch.set(f.store);
  CHECK(batch.all_ok());
  CHECK(f.store.list().size() == 300);
}

TEST_CASE("the last set of a key that stands twice in a batch wins") {
  Fixture f;
  Batch batch;
  batch.add("a", "1"), batch.add("b", "1"), batch.add("a", "2");
  batch.set(f.store);
  REQUIRE(batch.all_ok());
  CHECK(f.store.get("a") == "2");
}
