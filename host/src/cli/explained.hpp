// SPDX-License-Identifier: Apache-2.0
// What stands in an explanation, as people read it: amounts are rounded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include <omnistore/error.hpp>

namespace omnistore::cli {

std::string span_text(std::int64_t milliseconds); ///< "850ms", "3m12s", "6d23h"

std::int64_t unix_now(); ///< milliseconds, by this machine's clock

/// The status of status_name(); internal for a name that this program does not know.
Status status_of_name(std::string_view name);

/// The layer of an explanation (server/describe.hpp) that answered: "memory", "layer 1 (fs)"; "-": not known.
std::string layer_text(const boost::json::value &layer);

} // namespace omnistore::cli
