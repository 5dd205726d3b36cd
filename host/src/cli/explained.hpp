// SPDX-License-Identifier: Apache-2.0
// An explanation as people read it: amounts are rounded.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include <omnistore/storage.hpp>

#include "cli/options.hpp"

namespace omnistore::cli {

/// Returns the stores that a get of the key meets, and the outcome in each, in the form of the admin listener. For a
/// running host it is the host's own explanation: `storage` is then the driver http, which knows nothing of its stores.
boost::json::object explain(const Global &global, const Storage &storage, const std::string &key);
boost::json::object explain_at_host(const Global &global, const std::string &key);

std::string span_text(std::int64_t milliseconds); ///< "850ms", "3m12s", "6d23h"

std::int64_t unix_now(); ///< milliseconds, by this machine's clock

/// Returns the status of a status_name(), or internal for a name that this program does not know.
Status status_of_name(std::string_view name);

/// Returns the layer of an explanation (report/describe.hpp) that had the value: "memory", "layer 1 (fs)"; "-": not
/// known.
std::string layer_text(const boost::json::value &layer);

} // namespace omnistore::cli
