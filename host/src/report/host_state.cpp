// SPDX-License-Identifier: Apache-2.0
#include "report/host_state.hpp"

#include <algorithm>

namespace omnistore::report {

std::string_view change_name(MountChange::Kind kind) {
  constexpr std::string_view names[] = {"added", "kept", "replaced", "removed"};
  return names[static_cast<unsigned>(kind)];
}

bool Reload::has_changes() const {
  return !now.empty() || !later.empty() ||
         std::any_of(mounts.begin(), mounts.end(), [](const MountChange &c) { return c.changed; });
}

} // namespace omnistore::report
