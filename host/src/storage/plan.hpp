// SPDX-License-Identifier: Apache-2.0
// What a config's stores come to once their drivers are loaded and their options checked.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <omnistore/config.hpp>

#include "loader/registry.hpp"

namespace omnistore {

/// A store that can be opened.
struct Plan {
  std::shared_ptr<const loader::Driver> driver; ///< null: the driver was not found, and `problem` says why
  std::string options;                          ///< as the driver gets them
  std::vector<Plan> children;
  std::string problem;
};

/// Finds the drivers of a store and its children, and checks the options and the number of children. What is wrong in
/// the config is added to `problems`; a driver that is not there is a problem too unless `optional`.
Plan plan(const StoreConfig &config, loader::Registry &registry, bool optional, std::vector<Problem> &problems);

/// Everything that is wrong in the stores of a config, as far as it can be told without opening one.
std::vector<Problem> check_stores(const Config &config, loader::Registry &registry);

} // namespace omnistore
