// SPDX-License-Identifier: Apache-2.0
// How values are written and removed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <omnistore/driver.hpp>

#include "connection.hpp"
#include "statements.hpp"

namespace postgres {

using SetRequests = omnistore::Requests<omnistore_set_request>;

/// Returns the statement of a set, or nothing if its condition cannot hold.
std::optional<Step> setting(const Statements &statements, std::string_view key, const omnistore_set_request &request,
                            std::int64_t moment);
/// Returns true if the condition of a set held, and the new version then.
bool was_set(const Step &step, const Rows &rows, std::int64_t &version);

/// Returns the statement of a removal, or nothing if its condition cannot hold.
std::optional<Step> removing(std::string_view key, const omnistore_remove_request &request, std::int64_t moment);
omnistore_status removed(const omnistore_remove_request &request, bool was_there);

/// Sets without conditions, in one statement. The last one of a key wins. The order of keys prevents deadlocks.
void set_arrays(Connection &connection, omnistore::Call call, const Statements &statements,
                std::span<const omnistore_bytes> keys, SetRequests requests, std::int64_t moment,
                std::vector<std::int64_t> &versions);
/// Sets with conditions, in one round trip and one transaction.
void set_pipeline(Connection &connection, omnistore::Call call, const Statements &statements,
                  std::span<const omnistore_bytes> keys, SetRequests requests, std::int64_t moment,
                  std::vector<std::int64_t> &versions, omnistore_status *statuses);

} // namespace postgres
