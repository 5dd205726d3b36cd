// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include <omnistore/ext/validate.h>

#include "registry.hpp"

namespace omnistore::loader {

/// Calls a driver's `open` and enforces the contract. An exception becomes OMNISTORE_INTERNAL and its text is reported
/// to `call`. An unknown thread model becomes the next lower one that the host knows. The arguments are those of open.
omnistore_status call_open(const Driver &driver, const omnistore_host *host, omnistore_call *call,
                           const omnistore_open_request *request, omnistore_traits *traits, void **self);

/// Calls a driver's extension validate (omnistore/ext/validate.h), if it has one. An exception becomes
/// OMNISTORE_INTERNAL and its text is reported to `call`. The arguments are those of validate.
omnistore_status call_validate(const Driver &driver, omnistore_call *call, omnistore_bytes options,
                               std::uint32_t child_count, omnistore_problems *problems);

} // namespace omnistore::loader
