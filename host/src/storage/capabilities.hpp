// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include <omnistore/driver.h>
#include <omnistore/storage.hpp>

namespace omnistore {

/// Says for each capability if a store with this table and these traits has it natively, by the host's emulation, or
/// not.
std::vector<StoreInfo::Capability> capabilities(const omnistore_driver &driver, const omnistore_traits &traits);

/// Returns the traits with the host's emulations added (emulation/stack.hpp).
omnistore_traits emulated(const omnistore_traits &traits);

} // namespace omnistore
