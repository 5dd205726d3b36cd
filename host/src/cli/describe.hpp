// SPDX-License-Identifier: Apache-2.0
// Mounts and drivers as JSON, and that JSON as people read it: what a running host answers is printed by the same code.
#pragma once

#include <memory>
#include <vector>

#include <boost/json/object.hpp>

#include <omnistore/storage.hpp>

#include "cli/output.hpp"
#include "loader/registry.hpp"

namespace omnistore::cli {

boost::json::object describe(const std::vector<MountInfo> &mounts);
boost::json::object describe(const std::vector<std::shared_ptr<const loader::Driver>> &drivers,
                             const loader::Registry &registry);

void print_mounts(Output &out, const boost::json::object &answer);
void print_drivers(Output &out, const boost::json::object &answer);

} // namespace omnistore::cli
