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

/// Adds the problems of the stores (storage/plan.hpp) and of the listeners: an address that is none, one that other
/// machines reach without tokens, two listeners at one address. `serve`, a reload and `check` all look here.
void check_config(Draft &draft, loader::Registry &plugins);

/// Opens each store and each listener on its own and closes it again. Returns the failures, except those of optional
/// mounts. `config` has no problems. Stores do their work of opening: fs makes its folder.
std::vector<Problem> try_open(const Config &config, const std::shared_ptr<loader::Registry> &plugins);

} // namespace omnistore::service
