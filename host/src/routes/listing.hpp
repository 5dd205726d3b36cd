// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <omnistore/storage.hpp>

#include "routes/request.hpp"

namespace omnistore::routes {

/// Responds to the GET of a base with its keys as a JSON array: one page if the query wants pages, or else all of them,
/// page by page. `storage` and `request` must stay until the response has gone out. Throws Error.
void respond_to_list(const Storage &storage, const Request &request, Response &response);

} // namespace omnistore::routes
