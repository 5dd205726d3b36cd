// SPDX-License-Identifier: Apache-2.0
// Mounts and drivers as people read them, from the JSON that report::describe makes: a running host's response is
// printed by the same code as the tables here.
#pragma once

#include <string>
#include <string_view>

#include <boost/json/object.hpp>

#include "cli/output.hpp"

namespace omnistore::cli {

/// The names of the capabilities that a driver has in one way ("native"), with commas between.
std::string having(const boost::json::object &driver, std::string_view how);

void print_mounts(Output &out, const boost::json::object &answer);
void print_drivers(Output &out, const boost::json::object &answer);
/// Prints what a reload did or would do, a mount a line.
void print_changes(Output &out, const boost::json::object &answer);
/// One plugin file with all of its drivers.
void print_plugin(Output &out, const boost::json::object &plugin);
/// Prints one driver of the response, with the manual of its options.
void print_manual(Output &out, const boost::json::object &driver);

} // namespace omnistore::cli
