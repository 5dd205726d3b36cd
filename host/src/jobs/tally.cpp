// SPDX-License-Identifier: Apache-2.0
#include "jobs/tally.hpp"

namespace omnistore::jobs {

std::string_view fate_name(Fate fate) {
  constexpr std::string_view names[] = {"listed", "copied",   "same",   "skipped", "expired",
                                        "gone",   "conflict", "failed", "removed", "bytes"};
  static_assert(std::size(names) == static_cast<std::size_t>(Fate::count));
  return names[static_cast<std::size_t>(fate)];
}

} // namespace omnistore::jobs
