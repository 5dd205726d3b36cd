// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include <omnistore/driver.h>
#include <omnistore/storage.hpp>

namespace omnistore {

/// What a store with this table and these traits can do: natively, by the host's emulation, or not.
std::vector<StoreInfo::Capability> capabilities(const omnistore_driver &driver, const omnistore_traits &traits);

/// The traits as they are behind the host's shim: with what it emulates.
omnistore_traits emulated(const omnistore_traits &traits);

} // namespace omnistore
