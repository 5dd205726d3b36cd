// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "library.hpp"
#include "offers.hpp"

namespace omnistore::loader {

/// Copies a plugin's tables to tables of the host's own size and checks them. Throws PluginError if the plugin has no
/// drivers.
Offers negotiate(const std::string &file, const LoadedPlugin &opened);

/// Returns true if this is a valid driver name: [a-z][a-z0-9-]*, at most 64 bytes.
bool is_driver_name(std::string_view name);

/// Returns the thread model that this host knows for one that a plugin stated: for an unknown one the next lower, or 0
/// if there is none.
std::uint32_t known_thread_model(std::uint32_t stated);

} // namespace omnistore::loader
