// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "text.hpp"

namespace omnistore::config {

/// Removes `profiles` from a config and merges the chosen one (if not empty) over the rest, object by object. null
/// removes a member, and a mount whose driver changes is replaced whole. Every part keeps its position in the text.
///
/// Mountpoints are normalised first ("/cache/" becomes "cache"), so that a mount has one name everywhere. It is a
/// problem if two are the same, if a name cannot be a mountpoint, or if the chosen profile does not exist. The profiles
/// that are not chosen are checked too, as far as that is possible without their variables.
void apply_profile(TextNode &config, const std::string &chosen, std::vector<Problem> &problems);

} // namespace omnistore::config
