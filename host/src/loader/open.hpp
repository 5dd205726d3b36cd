// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "registry.hpp"

namespace omnistore::loader {

/// Calls a driver's `open`, and holds to the contract what comes back: an exception becomes OMNISTORE_INTERNAL with its
/// text given to `call`, an unknown thread model the next lower one that the host knows. The arguments are open's own.
omnistore_status call_open(const Driver &driver, const omnistore_host *host, omnistore_call *call,
                           const omnistore_open_request *request, omnistore_traits *traits, void **self);

} // namespace omnistore::loader
