// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include <omnistore/config.hpp>

#include "cli/options.hpp"
#include "loader/registry.hpp"

namespace omnistore::cli {

/// Returns the config's file: the one that was named, or the first `omnistore.jsonc` that exists here, in the user's
/// config folder and in /etc/omnistore. Throws with all that were tried.
std::string find_config(const Global &global);
/// Reads it with the chosen profile. Throws ConfigError with everything that is wrong in it; if only
/// stores are wrong, opening them throws.
Config load_config(const Global &global);

/// The config that the command line names or that is found; an empty one if there is none. Throws as load_config.
Config config_or_none(const Global &global);
/// Returns the file to which `omnistore plugins lock` writes by default; empty if `config` is.
std::string lock_beside(const std::string &config);

/// The plugins that a config's storage would find. Nothing is opened.
std::shared_ptr<loader::Registry> open_registry(const Config &config);
/// The same for config_or_none().
std::shared_ptr<loader::Registry> registry_of(const Global &global);

} // namespace omnistore::cli
