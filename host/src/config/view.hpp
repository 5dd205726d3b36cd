// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

namespace omnistore::config {

/// One schema inside a whole one, seen through its "$ref". Points into the whole, which must stay as it is.
class View {
public:
  View(const boost::json::object &root, const boost::json::object &node) : root_(&root), node_(&node) {}

  /// The keyword's value, the schema's own or else its $ref's target's; null where neither has it.
  const boost::json::value *find(std::string_view keyword) const;
  const boost::json::object *object(std::string_view keyword) const;
  const boost::json::array *array(std::string_view keyword) const;
  /// The values that enum, const, or the choices of oneOf allow; none of these is there: any.
  std::optional<boost::json::array> choices() const;
  std::string_view text(std::string_view keyword) const; ///< empty where it is absent or no text
  bool flag(std::string_view keyword) const;             ///< whether it is true

  /// The names in `type`; empty: any.
  std::vector<std::string_view> types() const;
  /// The schema of a member; null where the schema knows none of this name. `any` is set where it takes all.
  const boost::json::object *member(std::string_view name, bool &any) const;
  /// Whether it describes an object by its type or properties.
  bool is_object() const;

  View at(const boost::json::object &node) const { return {*root_, node}; }
  const boost::json::object &node() const { return *node_; }

private:
  const boost::json::object *root_;
  const boost::json::object *node_;
};

/// "a string", "an integer": the word for a type's name in messages.
std::string_view type_words(std::string_view type);
/// "a, b or c"; `last` is the word before the last.
std::string enumerate(const std::vector<std::string> &words, std::string_view last);

/// A value as JSON, with numbers as people write them: 1.5 rather than 1.5E0.
std::string literal(const boost::json::value &value);

} // namespace omnistore::config
