// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "expect.hpp"

namespace omnistore::kit {

/// A small tree of keys under the test's base: 3 folders of 7 keys, and 9 keys beside them.
inline std::vector<std::string> plant(Bench &bench) {
  std::vector<std::string> keys;
  for (const std::string folder : {"a:", "b:", "b:c:"})
    for (int i = 0; i < 7; ++i) keys.push_back(bench.key(folder + "k" + std::to_string(i)));
  for (int i = 0; i < 9; ++i) keys.push_back(bench.key("top" + std::to_string(i)));
  for (const std::string &key : keys) put(bench.store(), key, "value of " + key);
  return keys;
}

inline std::vector<std::string> under(const std::vector<std::string> &keys, const std::string &base) {
  std::vector<std::string> some;
  for (const std::string &key : keys)
    if (key.starts_with(base)) some.push_back(key);
  return some;
}

} // namespace omnistore::kit
