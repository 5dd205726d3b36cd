// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "text.hpp"

namespace omnistore::config {

/// Replaces variables in the texts of a tree, never in names: ${NAME}, and ${NAME:-default}, whose default counts if
/// NAME is unset or empty. A default may hold variables with defaults of their own; it ends at the '}' that closes its
/// `${`, so braces in it must come in pairs. `$${` gives a plain `${`; any other `$` is itself. A variable's value is
/// not searched for further variables. A variable that is needed, unset and has no default is a problem.
void interpolate(Node &node, const std::string &path, const Config::Environment &environment,
                 std::vector<Problem> &problems);

/// Reports malformed variables in the texts of a tree. No variable needs to be set.
void check_variables(const Node &node, const std::string &path, std::vector<Problem> &problems);

} // namespace omnistore::config
