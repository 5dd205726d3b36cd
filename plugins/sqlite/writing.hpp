// SPDX-License-Identifier: Apache-2.0
// How values are written, touched and removed. A long value goes into its place in parts.
#pragma once

#include <cstdint>
#include <string_view>

#include <omnistore/call.hpp>

#include "connection.hpp"
#include "incoming.hpp"
#include "reading.hpp"

namespace sqlite {

/// Writes a value if its condition holds. `known` has the new version and mtime, and gets the rest.
omnistore_status write(Connection &writer, std::string_view key, const omnistore_set_request &request,
                       const Incoming &value, Known &known);
/// SQLite cannot change one column alone: it reads and writes the row. So that a long value is never in memory as a
/// whole, it goes through a file without a name.
omnistore_status touch(omnistore::Call call, Connection &writer, std::string_view key,
                       const omnistore_touch_request &request, std::int64_t now);
omnistore_status remove(Connection &writer, std::string_view key, const omnistore_remove_request &request,
                        std::int64_t now);

} // namespace sqlite
