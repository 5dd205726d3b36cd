// SPDX-License-Identifier: Apache-2.0
// The options that say where the servers are and how to log in.
#pragma once

#include <vector>

#include <omnistore/driver.hpp>

#include "connection/client.hpp"

namespace redis {

/// Returns the settings of the connections. Throws Failure(OMNISTORE_INVALID).
ClientSettings client_settings(const omnistore::Options &options);
/// Returns some servers of the cluster; none if the servers are no cluster. Throws Failure(OMNISTORE_INVALID).
std::vector<Endpoint> seeds_of(const omnistore::Options &options);
/// Checks the options without reading files. Throws Failure(OMNISTORE_INVALID).
void check_options(const omnistore::Options &options);

} // namespace redis
