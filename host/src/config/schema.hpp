// SPDX-License-Identifier: Apache-2.0
// The part of JSON Schema (draft 2020-12) that options and the config itself are described in: one validator for
// both, which also fills defaults and turns durations and sizes with units into numbers.
//
// Keywords: type (a name or a list), properties, required, additionalProperties (false, or a schema), items, enum,
// minimum, maximum, minLength, pattern-free `format`, default, description, title, examples, oneOf is not among them;
// "$ref": "#/$defs/NAME". Notes of our own: "secret": true (never printed), "reload": true (may change while open).
// Formats of our own, after whose check the value is a number: "duration" (a number of milliseconds, or "90s", "5m",
// "1h", "7d", "100ms") and "bytes" (a number, or "64KiB", "1MB", "2GiB").
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <omnistore/config.hpp>

namespace omnistore::config {

/// Checks `value` against `schema`, changing it: defaults are filled in, durations and sizes become numbers. Adds a
/// problem for everything that is wrong, with the nearest known name where a name is not known. `path` is where value
/// stands ("mounts.shared.options"), `places` (may be null) tells the lines.
void validate(const boost::json::object &schema, boost::json::value &value, const std::string &path,
              const Places *places, std::vector<Problem> &problems);

/// What is wrong with a schema itself, as a driver publishes it: not JSON, not an object's, an unknown type or
/// keyword, a default that does not fit. Empty: nothing.
std::string check_schema(std::string_view text, boost::json::object &into);

/// The manual of a driver's options, as people read it: a line or more an option, with type, default and description.
std::string manual(const boost::json::object &schema);

/// A copy of `options` whose secret values are "***", for printing.
boost::json::value masked(const boost::json::object &schema, const boost::json::value &options);

/// The name among `known` that is nearest to `name`, by edit distance; empty where none is near.
std::string nearest(std::string_view name, const std::vector<std::string> &known);

} // namespace omnistore::config
