// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "text.hpp"

namespace omnistore::config {

/// Puts values of the environment into the texts of a tree (never into names): ${NAME}, and ${NAME:-default} where NAME
/// is unset or empty. `$${` gives a plain `${`; any other `$` is itself. A default goes up to the next '}'. What was
/// put in is not looked at again. A variable that is missing and has no default is a problem.
void interpolate(Node &node, const std::string &path, const Config::Environment &environment,
                 std::vector<Problem> &problems);

} // namespace omnistore::config
