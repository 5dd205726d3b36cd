// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include <boost/json/value.hpp>

#include "routes/request.hpp"

namespace omnistore::routes {

/// Responds with JSON that no cache keeps. `extra` holds further header lines, each with its line end.
void reply_json(const Request &request, Response &response, unsigned status, const boost::json::value &value,
                std::string_view extra = {});

} // namespace omnistore::routes
