// SPDX-License-Identifier: Apache-2.0
// Removes all values under a base.
#pragma once

#include <omnistore/driver.hpp>

#include "listing/listing.hpp"
#include "servers/servers.hpp"
#include "values/value_commands.hpp"
#include "watching/watch.hpp"

namespace redis {

/// The parts of a store that a clear needs.
struct ClearSetup {
  Servers &servers;
  const Layout &layout;
  const ValueCommands &values;
  Listings &listings;
  Watches &watches;
};

/// `removed` is null, or takes the keys of the values that were removed. Throws Failure.
omnistore_status clear(omnistore::Call call, const omnistore_clear_request &request, omnistore_page *removed,
                       const ClearSetup &setup);

} // namespace redis
