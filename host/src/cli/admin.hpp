// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "cli/options.hpp"

namespace omnistore::cli {

/// What the admin listener of a running host answers at a path, as "/drivers". The host is the one of --admin-url or
/// --url, else the one that would run with the config, which is read for its address (and, without --token, for a token
/// that may write everything).
boost::json::object ask_admin(const Global &global, const std::string &path, const std::string &method = "GET",
                              std::string_view body = {});

/// A mountpoint as a path below "/mounts".
std::string mount_path(const std::string &mountpoint);

} // namespace omnistore::cli
