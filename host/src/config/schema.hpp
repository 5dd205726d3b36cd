// SPDX-License-Identifier: Apache-2.0
// The subset of JSON Schema (draft 2020-12) for options and configs. One validator serves both. It also fills in
// defaults and converts durations and sizes with units to numbers.
//
// Keywords: type (a name or a list), properties, required, additionalProperties (true, false, or a schema), items,
// enum, const, oneOf (choices alone: objects of const, title and description), minimum, maximum, minLength, maxLength,
// pattern (an ECMAScript regular expression that must be found anywhere in a text, which then has at most 4096 bytes),
// format, default, description, title, examples, "$ref": "#/$defs/NAME" (a keyword beside it replaces the target's),
// $schema, $id and $comment. There is no anyOf, allOf or not. Keywords of our own are "secret": true, for values
// that are never printed, "needsWatch": true, for a switch of a layer that the store below it must watch for, and
// "notAbove", for the drivers that a layer cannot stand above: an object of their names, each with the remedy.
//
// An object's schema without additionalProperties allows no other members than its properties (JSON Schema would allow
// any), so that a misspelt option is found. Without properties too, it allows no members.
//
// Formats of our own:
//   duration, bytes  "90s", "100ms", "5m", "1h", "7d"; "64KiB", "1MB", "2GiB"; or a whole number of milliseconds or
//                    bytes. Numbers and texts are both valid, whatever `type` says. After the check the value is a
//                    number, to which minimum and maximum apply.
//   seconds          a duration in which a number without unit is seconds; after the check it is milliseconds
//   prefix           a mountpoint, base or prefix; after the check it is normalised, without a ':' at its end
//   listen           address:port, unix:/path, or empty
//   sha256           "sha256:" and 64 hexadecimal digits
//   path             a file or folder; after the check it is absolute (relative ones start at the config's folder)
// The formats of JSON Schema are for editors and not checked.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <omnistore/config.hpp>

namespace omnistore::config {

/// The start of every "$ref", which refers to a name under "$defs".
inline constexpr std::string_view defs_path = "#/$defs/";

/// Checks `value` against `schema` and changes it: fills in defaults, converts durations and sizes to numbers, and
/// whole numbers such as 2.0 to integers. Adds every problem, with the nearest known name for an unknown one. `path` is
/// the position of the value ("mounts.shared.options"), and `places`, which may be null, gives the lines. The messages
/// never show a value whose schema says secret, or the password of a URL. Relative paths (format `path`) start at
/// `folder`, which is empty for the working folder.
void validate(const boost::json::object &schema, boost::json::value &value, const std::string &path,
              const SourceMap *places, std::vector<Problem> &problems, const std::string &folder = {});

/// Validates a profile. Fields are optional at every level, may be null, and get no defaults. Arrays are replaced as a
/// whole, so the normal rules apply inside them. A text that contains "${" is valid for every field that can be a text.
/// The fields `left_out` are not allowed at the top level.
void validate_patch(const boost::json::object &schema, std::span<const std::string_view> left_out,
                    boost::json::value &patch, const std::string &path, const SourceMap *places,
                    std::vector<Problem> &problems);

/// Checks the schema of a driver itself. Returns one sentence about the problem, such as text that is not JSON, an
/// unknown type or keyword, or an invalid default. If there is none, returns an empty text and stores the schema in
/// `into`.
std::string check_schema(std::string_view text, boost::json::object &into);

/// Returns the manual of a driver's options: type, default and description of each, in at most 80 columns.
std::string manual(const boost::json::object &schema);

/// Returns a copy of `options` for printing, in which secret values, unknown members and passwords in URLs are "***".
boost::json::value masked(const boost::json::object &schema, const boost::json::value &options);

/// Returns the name in `known` that is nearest to `name` by edit distance, or an empty text if none is near.
std::string nearest(std::string_view name, const std::vector<std::string> &known);

/// Returns the config's JSON Schema for an editor, with the options of these drivers (by name), as the text of a file.
std::string editor_schema(const std::map<std::string, boost::json::object> &drivers);

} // namespace omnistore::config
