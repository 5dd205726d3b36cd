// SPDX-License-Identifier: Apache-2.0
// What a config's stores come to once their drivers are loaded and their options checked.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <omnistore/config.hpp>

#include "config/draft.hpp"
#include "loader/registry.hpp"

namespace omnistore {

/// A store that can be opened.
struct Plan {
  std::shared_ptr<const loader::Driver> driver; ///< null: the driver was not found, and `problem` says why
  std::string options;                          ///< as the driver gets them
  std::vector<Plan> children;
  std::string problem;
};

/// Finds the drivers of a store and its children, and checks the number of children and the options: against the
/// driver's schema, and by its extension validate. Adds what is wrong to `problems`; a driver that is not there is a
/// problem too unless `optional`. Parts of the store that have problems already are passed over.
Plan plan(const StoreConfig &config, loader::Registry &registry, bool optional, std::vector<Problem> &problems);

/// A driver's message without what its schema calls secret among the options of the store.
std::string without_secrets(std::string message, const loader::Driver &driver, const std::string &options);

/// Adds everything that is wrong in the stores of a config, as far as it can be known without opening one.
void check_stores(Draft &draft, loader::Registry &registry);

} // namespace omnistore
