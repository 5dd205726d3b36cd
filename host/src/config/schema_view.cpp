// SPDX-License-Identifier: Apache-2.0
#include "schema_view.hpp"

#include <charconv>

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

namespace omnistore::config {

namespace json = boost::json;

namespace {

constexpr std::string_view defs = "#/$defs/";
constexpr int max_hops = 16; // the limit for a $ref that refers to itself

/// Returns the target of `node`'s $ref, or null.
const json::object *target(const json::object &root, const json::object &node) {
  const json::value *reference = node.if_contains("$ref");
  if (!reference || !reference->is_string()) return nullptr;
  std::string_view name(reference->get_string().data(), reference->get_string().size());
  const json::value *all = root.if_contains("$defs");
  if (!name.starts_with(defs) || !all || !all->is_object()) return nullptr;
  name.remove_prefix(defs.size());
  const json::value *found = all->get_object().if_contains({name.data(), name.size()});
  return found ? found->if_object() : nullptr;
}

} // namespace

const json::value *SchemaView::find(std::string_view keyword) const {
  const json::object *node = node_;
  for (int hops = 0; node && hops < max_hops; ++hops, node = target(*root_, *node))
    if (const json::value *found = node->if_contains({keyword.data(), keyword.size()})) return found;
  return nullptr;
}

std::optional<json::array> SchemaView::choices() const {
  if (const json::array *allowed = array("enum")) return *allowed;
  if (const json::value *only = find("const")) return json::array{*only};
  const json::array *choices = array("oneOf");
  if (!choices) return std::nullopt;
  json::array values;
  for (const json::value &choice : *choices)
    if (const json::object *object = choice.if_object())
      if (const json::value *value = object->if_contains("const")) values.push_back(*value);
  return values;
}

const json::object *SchemaView::object(std::string_view keyword) const {
  const json::value *found = find(keyword);
  return found ? found->if_object() : nullptr;
}

const json::array *SchemaView::array(std::string_view keyword) const {
  const json::value *found = find(keyword);
  return found ? found->if_array() : nullptr;
}

std::string_view SchemaView::text(std::string_view keyword) const {
  const json::value *found = find(keyword);
  const json::string *text = found ? found->if_string() : nullptr;
  return text ? std::string_view(text->data(), text->size()) : std::string_view();
}

bool SchemaView::flag(std::string_view keyword) const {
  const json::value *found = find(keyword);
  const bool *flag = found ? found->if_bool() : nullptr;
  return flag && *flag;
}

std::vector<std::string_view> SchemaView::types() const {
  std::vector<std::string_view> out;
  if (std::string_view one = text("type"); !one.empty()) out.push_back(one);
  if (const json::array *list = array("type"))
    for (const json::value &name : *list)
      if (const json::string *type = name.if_string()) out.emplace_back(type->data(), type->size());
  return out;
}

const json::object *SchemaView::member(std::string_view name, bool &any) const {
  any = false;
  if (const json::object *properties = object("properties"))
    if (const json::value *found = properties->if_contains({name.data(), name.size()})) return found->if_object();
  const json::value *others = find("additionalProperties");
  any = others && (others->is_object() || (others->is_bool() && others->get_bool()));
  return others ? others->if_object() : nullptr;
}

bool SchemaView::is_object() const {
  for (std::string_view type : types())
    if (type == "object") return true;
  return object("properties") != nullptr;
}

std::string_view type_words(std::string_view type) {
  if (type == "string") return "a string";
  if (type == "integer") return "an integer";
  if (type == "number") return "a number";
  if (type == "boolean") return "true or false";
  if (type == "object") return "an object";
  if (type == "array") return "an array";
  return type; // null
}

std::string literal(const json::value &value) {
  if (!value.is_double()) return json::serialize(value);
  char room[32];
  auto [end, error] = std::to_chars(room, room + sizeof room, value.get_double());
  return error == std::errc() ? std::string(room, end) : json::serialize(value);
}

std::string enumerate(const std::vector<std::string> &words, std::string_view last) {
  std::string out;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) out += i + 1 == words.size() ? " " + std::string(last) + " " : ", ";
    out += words[i];
  }
  return out;
}

} // namespace omnistore::config
