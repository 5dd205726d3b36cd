// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

#include <boost/json/object.hpp>

namespace omnistore::config {

/// config/omnistore.schema.json as it was when the library was built.
extern const char schema_text[];

/// Fills in `#/$defs/profile` of a config's schema: its own fields, none of them required and each of them also null,
/// without defaults.
void add_profiles(boost::json::object &schema);

/// The embedded text, parsed.
const boost::json::object &config_schema();

/// Fields of a config that its profiles do not have.
inline constexpr std::array<std::string_view, 2> not_in_profiles{"$schema", "profiles"};

} // namespace omnistore::config
