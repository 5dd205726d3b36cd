// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include <omnistore/error.hpp>

namespace omnistore::routes {

/// Logs a failure that is a defect, as a driver's: the client is not the only one who must know of it. Other failures
/// are left to the client. At most ten lines a second; the next line says how many were left out. Thread-safe.
void log_defect(Status status, std::string_view message) noexcept;

} // namespace omnistore::routes
