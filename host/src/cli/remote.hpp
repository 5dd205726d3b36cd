// SPDX-License-Identifier: Apache-2.0
// What the parts of a running host as a target share.
#pragma once

#include <memory>
#include <string>

#include "cli/target.hpp"

namespace omnistore::cli {

/// Watches what the data listener has at a path.
std::unique_ptr<Subscription> watch_host(const Global &global, std::string path, EventSink &sink);

} // namespace omnistore::cli
