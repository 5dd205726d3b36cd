// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <omnistore/driver.h>

namespace omnistore::kit {

/// Loads a plugin file, for as long as the process lives, and returns its entry. Throws Broken if it does not load.
omnistore_entry load_entry(const std::string &file);

} // namespace omnistore::kit
