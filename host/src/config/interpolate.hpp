// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "text.hpp"

namespace omnistore::config {

/// Replaces variables in the texts of a tree, but not in names: ${NAME}, and ${NAME:-default}, whose default is used if
/// NAME is unset or empty. A default may contain variables with defaults of their own. It ends at the '}' that closes
/// its
/// `${`, so braces in it must come in pairs. `$${` stands for a plain `${`, and any other `$` for itself. The value of
/// a variable is not searched for further variables. A variable without value and default is a problem.
void interpolate(TextNode &node, const std::string &path, const Config::Environment &environment,
                 std::vector<Problem> &problems);

/// Reports malformed variables in the texts of a tree. No variable needs to be set.
void check_variables(const TextNode &node, const std::string &path, std::vector<Problem> &problems);

} // namespace omnistore::config
