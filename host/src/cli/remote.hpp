// SPDX-License-Identifier: Apache-2.0
// What the parts of a running host as a target share.
#pragma once

#include <memory>
#include <string>

#include "cli/http_client.hpp"
#include "cli/target.hpp"

namespace omnistore::cli {

/// The failure that an answer tells of: the host's own words where it is one of ours.
Error error_of(const std::string &what, const HttpAnswer &answer);

/// Watches what the data listener has at a path.
std::unique_ptr<Subscription> watch_host(const Global &global, std::string path, EventSink &sink);

} // namespace omnistore::cli
