// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include <omnistore/error.hpp>

namespace omnistore::routes {

/// Logs a failure that is a defect, such as a driver's, because the operator must know of it too. Other failures go to
/// the client alone. At most ten lines a second; the next line says how many were left out. Thread-safe.
void log_defect(Status status, std::string_view message) noexcept;

} // namespace omnistore::routes
