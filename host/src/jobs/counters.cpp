// SPDX-License-Identifier: Apache-2.0
#include "jobs/counters.hpp"

namespace omnistore::jobs {

std::string_view outcome_name(KeyOutcome outcome) {
  constexpr std::string_view names[] = {"listed", "copied",   "same",   "skipped", "expired",
                                        "gone",   "conflict", "failed", "removed", "bytes"};
  static_assert(std::size(names) == static_cast<std::size_t>(KeyOutcome::count));
  return names[static_cast<std::size_t>(outcome)];
}

} // namespace omnistore::jobs
