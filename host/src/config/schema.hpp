// SPDX-License-Identifier: Apache-2.0
// The part of JSON Schema (draft 2020-12) that options and the config itself are described in: one validator for
// both, which also fills defaults and turns durations and sizes with units into numbers.
//
// Keywords: type (a name or a list), properties, required, additionalProperties (true, false, or a schema), items,
// enum, const, oneOf (choices alone: objects of const, title and description), minimum, maximum, minLength, maxLength,
// pattern (an ECMAScript regular expression that must be found anywhere in a text, which then has at most 4096 bytes),
// format, default, description, title, examples, "$ref": "#/$defs/NAME" (a keyword beside it stands in place of the
// target's), $schema, $id and $comment. There is no anyOf, allOf or not. A note of our own: "secret": true (never
// printed).
//
// An object's schema without additionalProperties takes no others than its properties (JSON Schema would take any): a
// misspelt option must be found. An object's schema that has no properties either takes none.
//
// Formats of our own:
//   duration, bytes  "90s", "100ms", "5m", "1h", "7d"; "64KiB", "1MB", "2GiB"; or a whole number of milliseconds or
//                    bytes. Numbers and texts both fit, whatever `type` says; after the check the value is a number,
//                    and minimum and maximum hold for that.
//   seconds          a duration of which a number without unit is seconds; after the check, too, it is milliseconds
//   prefix           a mountpoint, base or prefix; after the check it is normalised, without a ':' at its end
//   listen           address:port, or empty
//   sha256           "sha256:" and 64 hexadecimal digits
//   path             a file's or folder's; after the check it is absolute: relative ones start at the config's folder
// The formats that JSON Schema names are notes for editors and not checked.
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

/// What a "$ref" begins with: it leads to a name under "$defs".
inline constexpr std::string_view defs_path = "#/$defs/";

/// Checks `value` against `schema`, changing it: defaults are filled in, durations and sizes become numbers, whole
/// numbers written as 2.0 integers. Adds a problem for everything that is wrong, with the nearest known name where a
/// name is not known. `path` is where value stands ("mounts.shared.options"), `places` (may be null) tells the lines.
/// The messages show no value whose schema says secret, and no password of a URL. `folder` is where relative paths
/// (format `path`) start; empty: the working folder.
void validate(const boost::json::object &schema, boost::json::value &value, const std::string &path,
              const Places *places, std::vector<Problem> &problems, const std::string &folder = {});

/// The same for a patch of such a value, as it was written: of its fields, and theirs, none is required, each may be
/// null, and none gets its default, but in arrays, which a patch replaces whole, all is as ever; a text with "${" in it
/// fits wherever a text can. The patch itself has none of the fields `left_out`.
void validate_patch(const boost::json::object &schema, std::span<const std::string_view> left_out,
                    boost::json::value &patch, const std::string &path, const Places *places,
                    std::vector<Problem> &problems);

/// What is wrong with a schema itself, as a driver publishes it: not JSON, not an object's, an unknown type or
/// keyword, a default that does not fit. One sentence; empty: nothing, and `into` is the schema.
std::string check_schema(std::string_view text, boost::json::object &into);

/// The manual of a driver's options, as people read it: a line or more an option, with type, default and description,
/// in at most 80 columns.
std::string manual(const boost::json::object &schema);

/// A copy of `options` whose secret values, and whatever the schema does not know, are "***", for printing; passwords
/// in URLs likewise.
boost::json::value masked(const boost::json::object &schema, const boost::json::value &options);

/// The name among `known` that is nearest to `name`, by edit distance; empty where none is near.
std::string nearest(std::string_view name, const std::vector<std::string> &known);

/// The config's JSON Schema with the options of these drivers (name -> schema) in it, for an editor: text of a file.
std::string editor_schema(const std::map<std::string, boost::json::object> &drivers);

} // namespace omnistore::config
