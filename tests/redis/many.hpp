// SPDX-License-Identifier: Apache-2.0
// Batches, as a host makes them.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "redis/driven.hpp"

namespace test {

/// The keys of a batch.
struct BatchKeys {
  std::vector<std::string> names;
  std::vector<omnistore_bytes> views;
  explicit BatchKeys(std::vector<std::string> all) : names(std::move(all)) {
    for (const std::string &name : names) views.push_back(omnistore::as_bytes(name));
  }
};

/// The outcome of a batch.
struct Many {
  std::deque<Got> got;
  std::vector<omnistore_status> statuses;
  Call call;
};

inline omnistore_status get_many(Store &store, const BatchKeys &keys, Many &into, uint32_t flags = 0,
                                 uint64_t offset = 0, uint64_t length = UINT64_MAX) {
  std::vector<omnistore_sink *> sinks;
  for (size_t i = 0; i < keys.views.size(); ++i) sinks.push_back(&into.got.emplace_back());
  into.statuses.assign(keys.views.size(), OMNISTORE_INTERNAL);
  const omnistore_get_request request{sizeof request, flags, offset, length};
  return store.driver().get_many(store.self(), &into.call, keys.views.data(), static_cast<uint32_t>(keys.views.size()),
                                 omnistore::repeated(request, keys.views.size()).data(), sinks.data(),
                                 into.statuses.data());
}

/// A value of a batch of sets, and how it is set.
struct Item {
  std::string value;
  test::How how;
};

inline omnistore_status set_many(Store &store, const BatchKeys &keys, const std::deque<Item> &items, Many &into) {
  std::deque<omnistore_set_request> requests;
  std::vector<const omnistore_set_request *> pointers;
  for (const Item &item : items) pointers.push_back(&requests.emplace_back(Store::set_request(item.value, item.how)));
  into.statuses.assign(keys.views.size(), OMNISTORE_INTERNAL);
  return store.driver().set_many(store.self(), &into.call, keys.views.data(), static_cast<uint32_t>(keys.views.size()),
                                 pointers.data(), nullptr, into.statuses.data());
}

inline omnistore_status remove_many(Store &store, const BatchKeys &keys, Many &into) {
  const omnistore_remove_request request{sizeof request, 0, OMNISTORE_ALWAYS, 0, {}};
  into.statuses.assign(keys.views.size(), OMNISTORE_INTERNAL);
  return store.driver().remove_many(store.self(), &into.call, keys.views.data(),
                                    static_cast<uint32_t>(keys.views.size()),
                                    omnistore::repeated(request, keys.views.size()).data(), into.statuses.data());
}

} // namespace test
