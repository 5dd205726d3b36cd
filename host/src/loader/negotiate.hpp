// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "library.hpp"
#include "offers.hpp"

namespace omnistore::loader {

/// Copies a plugin's tables into ones of the host's own size and checks them. Throws Unfit where the plugin offers
/// nothing at all.
Offers negotiate(const std::string &file, const Opened &opened);

/// Whether this can be a driver's name: [a-z][a-z0-9-]*, at most 64 bytes.
bool is_driver_name(std::string_view name);

/// The thread model that this host knows for one that a plugin stated: an unknown one is the next lower. 0: none.
std::uint32_t known_thread_model(std::uint32_t stated);

} // namespace omnistore::loader
