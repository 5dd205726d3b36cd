// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include <boost/json/object.hpp>

namespace omnistore::config {

/// The text of config/omnistore.schema.json at the time of the build.
extern const char schema_text[];

/// Fills in `#/$defs/profile` of a config's schema: the fields of a config, which are optional, may be null, and have
/// no defaults.
void add_profiles(boost::json::object &schema);

/// Returns the parsed embedded text.
const boost::json::object &config_schema();

/// The fields of a config that its profiles do not have.
inline constexpr std::array<std::string_view, 2> not_in_profiles{"$schema", "profiles"};

} // namespace omnistore::config
