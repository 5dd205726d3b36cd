// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "cli/options.hpp"

namespace omnistore::cli {

/// Sends a request to the admin listener of a running host, such as GET "/drivers", and returns the response. The host
/// is the one of --admin-url or --url, else the one that would run with the config, which is read for its address (and,
/// without --token, for a token that may write everything).
boost::json::object request_admin(const Global &global, const std::string &path, const std::string &method = "GET",
                                  std::string_view body = {});

/// Returns the URL of the admin listener to which request_admin() sends.
std::string admin_url(const Global &global);

/// Returns the path of a mountpoint below "/mounts".
std::string mount_path(const std::string &mountpoint);

} // namespace omnistore::cli
