// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include <omnistore/config.hpp>

#include "cli/options.hpp"
#include "loader/registry.hpp"

namespace omnistore::cli {

/// The config's file: the one that was named, else the first that is there of `omnistore.jsonc` here, in the user's
/// config folder and in /etc/omnistore. Throws with all that were tried.
std::string find_config(const Global &global);
/// Reads it, with the profile that was asked for. Throws ConfigError with everything that is wrong in it; if only
/// stores are wrong, opening them throws.
Config load_config(const Global &global);

/// The plugins that a config's storage would find. Nothing is opened.
std::shared_ptr<loader::Registry> open_registry(const Config &config);
/// The same for the config that the command line names or that is found; without one, those that are found without.
std::shared_ptr<loader::Registry> registry_of(const Global &global);

} // namespace omnistore::cli
