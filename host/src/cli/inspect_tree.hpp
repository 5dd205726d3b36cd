// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "cli/options.hpp"
#include "jobs/inspect.hpp"

namespace omnistore::cli {

/// `inspect --tree`: the folders below a base (which ends in ':' or is empty), as a table or JSON lines. Returns the
/// exit code.
int print_tree(const Global &global, const Inspect &options, const std::string &base, const jobs::ListPage &list);

} // namespace omnistore::cli
