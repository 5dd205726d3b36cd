// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <omnistore/config.hpp>

#include "loader/registry.hpp"

namespace omnistore::report {

/// The config that is in effect, in the form of a config file, without secrets: options that a driver's schema marks
/// `secret` and the passwords of URLs are "***", and of tokens only the number is in it. A value with the text of a
/// file in it is shown as the config has it, such as "${file:/run/secrets/x}". "places" has the line and column of each
/// mount.
boost::json::object describe(const Config &config, loader::Registry &registry);

/// [{path, message, line, column}]; a line or column that is unknown is 0.
boost::json::array describe(const std::vector<Problem> &problems);

} // namespace omnistore::report
