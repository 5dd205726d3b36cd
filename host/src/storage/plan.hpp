// SPDX-License-Identifier: Apache-2.0
// The stores of a config with their drivers loaded and their options checked.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <omnistore/config.hpp>

#include "config/draft.hpp"
#include "loader/registry.hpp"
#include "storage/background.hpp"

namespace omnistore {

/// A store that can be opened.
struct Plan {
  std::shared_ptr<const loader::Driver> driver; ///< null: the driver was not found, and `problem` says why
  std::string options;                          ///< in the form that the driver gets
  std::vector<Plan> children;
  std::string problem;
};

/// Finds the drivers of a store and its children, and checks the number of children and the options: against the
/// driver's schema, and by its extension validate, which runs in `validations`. Adds the problems to `problems`; a
/// missing driver is one too unless `optional`. Parts of the store that have problems already are passed over.
Plan plan(const StoreConfig &config, loader::Registry &registry, bool optional, std::vector<Problem> &problems,
          Background &validations);

/// Returns a driver's message without the options of the store that its schema calls secret.
std::string without_secrets(std::string message, const loader::Driver &driver, const std::string &options);

/// Adds all problems of a config's stores that can be found without opening one.
void check_stores(Draft &draft, loader::Registry &registry);

} // namespace omnistore
