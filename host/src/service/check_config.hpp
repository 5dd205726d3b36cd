// SPDX-License-Identifier: Apache-2.0
// Everything that keeps a host from serving a config, found without opening a store or a listener.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <omnistore/config.hpp>

#include "config/draft.hpp"
#include "loader/registry.hpp"

namespace omnistore::service {

/// Adds what is wrong in the stores (storage/plan.hpp) and in the listeners: an address that is none, one that other
/// machines reach without tokens, two listeners at one address. `serve`, a reload and `check` all look here.
void check_config(Draft &draft, loader::Registry &plugins);

/// Opens each store and each listener on its own and closes it again. Returns what fails, without mounts that are
/// optional. `config` has no problems. Stores do what they do when they open: fs makes its folder.
std::vector<Problem> try_open(const Config &config, const std::shared_ptr<loader::Registry> &plugins);

} // namespace omnistore::service
