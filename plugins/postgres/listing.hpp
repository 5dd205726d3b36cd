// SPDX-License-Identifier: Apache-2.0
// Listings in the order of keys.
#pragma once

#include <omnistore/driver.hpp>

#include "pool.hpp"
#include "statements.hpp"

namespace postgres {

/// Emits one page of a listing.
omnistore_status list(omnistore::Call call, Pool &pool, const Statements &statements, std::int64_t now,
                      const omnistore_list_request &request, omnistore_page &page);

} // namespace postgres
