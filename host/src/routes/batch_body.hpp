// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <omnistore/storage.hpp>

#include "http/memory_budget.hpp"

namespace omnistore::routes {

/// What the body of a batch asks for.
struct BatchBody {
  std::vector<std::string> order; ///< "get", "set", "remove", as they stood
  std::vector<std::string> gets, removes;
  std::vector<SetItem> sets;
};

/// Reads {"get": [KEY], "set": [{key, value or base64, ttl}], "remove": [KEY]}, each of which may be left out, with at
/// most `most` in all. It stops at what is wrong, so that a body costs no more memory than what it asks for. That is
/// counted in `memory`, which must live as long as the result. Throws Error(invalid), which names the place, and
/// http::OverBudget.
BatchBody read_batch(std::string_view text, std::size_t most, http::MemoryShare &memory);

} // namespace omnistore::routes
