// SPDX-License-Identifier: Apache-2.0
// Ours of a benchmark of an engine: a store of it through the whole stack, with values of 100 bytes.
#pragma once

#include <string>
#include <vector>

#include <omnistore/storage.hpp>

#include "worker.hpp"

namespace bench {

constexpr std::size_t engine_value = 100, engine_batch = 100;

inline omnistore::Storage open_engine(const std::string &driver, const std::string &options) {
  omnistore::Config config;
  config.plugin_paths = {OMNISTORE_PLUGINS};
  config.mounts[""].store.driver = driver;
  config.mounts[""].store.options = options;
  return omnistore::Storage(config);
}

struct Engine {
  std::vector<std::string> keys;
  Ring at;
  std::uint32_t written = 0;
  omnistore::Storage storage;

  Engine(const std::string &driver, const std::string &options, std::uint32_t count)
      : keys(shuffled_keys(count)), at(keys.size()), storage(open_engine(driver, options)) {
    std::vector<omnistore::SetItem> items;
    for (const std::string &key : keys) {
      items.push_back({key, some_value(), {}});
      if (items.size() == 1000) storage.set_many(items), items.clear();
    }
    storage.set_many(items);
  }

  const std::string &next_key() { return keys[at.next()]; }
  std::string some_value() { return value(engine_value, ++written); }

  Result get(double seconds) {
    std::string found;
    return repeat(seconds, 64, 1,
                  [&] { require(storage.get(next_key(), found) && found.size() == engine_value, "a miss"); });
  }
  Result batch_get(double seconds) {
    std::vector<std::string> asked(engine_batch);
    return repeat(seconds, 1, engine_batch, [&] {
      for (auto &key : asked) key = next_key();
      const auto found = storage.get_many(asked);
      require(found.size() == engine_batch, "a short batch");
      for (const auto &item : found) require(item.entry.value.size() == engine_value, "a miss");
    });
  }
  Result batch_set(double seconds) {
    std::vector<omnistore::SetItem> items(engine_batch);
    return repeat(seconds, 1, engine_batch, [&] {
      for (auto &item : items) item.key = next_key(), item.value = some_value();
      for (const auto &outcome : storage.set_many(items))
        require(outcome.status == omnistore::Status::ok, "a set failed");
    });
  }
};

} // namespace bench
