// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/json/object.hpp>

namespace omnistore::config {

/// config/omnistore.schema.json as it was when the library was built.
extern const char schema_text[];

/// Fills in `#/$defs/profile` of a config's schema: its own fields, none of them required and each of them also null,
/// without defaults.
void add_profiles(boost::json::object &schema);

/// The embedded text, parsed, with its profiles.
const boost::json::object &config_schema();
/// The schema of its `profiles`.
const boost::json::object &profiles_schema();

} // namespace omnistore::config
