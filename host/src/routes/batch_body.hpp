// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/storage.hpp>

#include "http/memory_budget.hpp"

namespace omnistore::routes {

/// The lists of a batch.
struct BatchBody {
  std::vector<std::string> order; ///< "get", "stat", "set", "remove", in the body's order
  std::vector<std::string> gets, stats, removes;
  std::vector<SetItem> sets;
};

/// Reads {"get": [KEY], "stat": [KEY], "set": [{key, value or base64, ttl}], "remove": [KEY]}, each of which may
/// be left out, with at most `most` items in all. It stops at the first error, so that a body costs no more memory than
/// its items. Those are counted in `memory`, which must live as long as the result. Throws Error(invalid), which names
/// the place, and http::OverBudget.
BatchBody read_batch(std::string_view text, std::size_t most, http::MemoryShare &memory);

} // namespace omnistore::routes
