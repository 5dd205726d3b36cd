// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "text.hpp"

namespace omnistore::config {

/// Takes `profiles` out of a config and merges the chosen one (empty: none) over the rest, object by object. null takes
/// a member away; a mount whose driver changes is replaced whole. Every part keeps the place where it stands.
///
/// Mountpoints get their usual form first ("/cache/" -> "cache"), so that a mount has one name everywhere; two that are
/// one, and names that cannot be mountpoints, are problems. So are a chosen profile that is not there, and whatever is
/// wrong in the profiles that are not chosen, as far as it can be told without their variables.
void apply_profile(Node &config, const std::string &chosen, std::vector<Problem> &problems);

} // namespace omnistore::config
