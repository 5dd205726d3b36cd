// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <omnistore/config.hpp>

#include "loader/registry.hpp"

namespace omnistore::service {

/// Returns the options of all stores that their drivers' schemas call secret. Loads the drivers.
std::vector<std::string> secrets_of(const Config &config, loader::Registry &registry);

} // namespace omnistore::service
