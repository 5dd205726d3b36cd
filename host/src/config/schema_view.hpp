// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

namespace omnistore::config {

/// A schema inside a larger one, which resolves its "$ref". It points into the larger one, which must not change.
class SchemaView {
public:
  SchemaView(const boost::json::object &root, const boost::json::object &node) : root_(&root), node_(&node) {}

  /// Returns the keyword's value in the schema or else in the target of its $ref, or null.
  const boost::json::value *find(std::string_view keyword) const;
  const boost::json::object *object(std::string_view keyword) const;
  const boost::json::array *array(std::string_view keyword) const;
  /// Returns the values that enum, const, or the choices of oneOf allow, or nullopt if there is none of these.
  std::optional<boost::json::array> choices() const;
  std::string_view text(std::string_view keyword) const; ///< empty if it is absent or not a text
  bool flag(std::string_view keyword) const;             ///< true if the value is true

  /// Returns the names in `type`, which are empty for any type.
  std::vector<std::string_view> types() const;
  /// Returns the schema of a member, or null if there is none of this name. Sets `any` if the object allows all
  /// members.
  const boost::json::object *member(std::string_view name, bool &any) const;
  /// Returns true if the type or the properties describe an object.
  bool is_object() const;

  SchemaView at(const boost::json::object &node) const { return {*root_, node}; }
  const boost::json::object &node() const { return *node_; }

private:
  const boost::json::object *root_;
  const boost::json::object *node_;
};

/// Returns the words for a type in messages, such as "a string" or "an integer".
std::string_view type_words(std::string_view type);
/// Returns "a, b or c"; `last` is the word before the last item.
std::string enumerate(const std::vector<std::string> &words, std::string_view last);

/// Returns a value as JSON, with numbers as people write them: 1.5 rather than 1.5E0.
std::string literal(const boost::json::value &value);

} // namespace omnistore::config
