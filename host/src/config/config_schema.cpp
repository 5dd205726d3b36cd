// SPDX-License-Identifier: Apache-2.0
#include "config_schema.hpp"
#include "schema.hpp"

#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>

namespace omnistore::config {

namespace json = boost::json;

namespace {

json::object relaxed(const json::object &schema);

void relax(json::value &schema) {
  if (schema.is_object()) schema = relaxed(schema.get_object());
}

void relax_members(json::object &schema, std::string_view group) {
  json::value *members = schema.if_contains({group.data(), group.size()});
  if (!members || !members->is_object()) return;
  for (auto &[name, member] : members->get_object()) relax(member);
}

/// Returns the schema for profiles. The schemas inside arrays do not change, since a profile replaces arrays whole.
json::object relaxed(const json::object &schema) {
  json::object out = schema;
  out.erase("required");
  out.erase("default");
  if (json::value *type = out.if_contains("type"))
    *type = type->is_array() ? type->get_array() : json::array{std::move(*type)};
  for (const char *list : {"type", "enum"})
    if (json::value *found = out.if_contains(list))
      found->as_array().emplace_back(*list == 't' ? json::value("null") : json::value(nullptr));
  if (json::value *reference = out.if_contains("$ref"))
    *reference = std::string(defs_path) + "profile." + (reference->as_string().c_str() + defs_path.size());
  relax_members(out, "properties");
  if (json::value *others = out.if_contains("additionalProperties")) relax(*others);
  if (json::value *choices = out.if_contains("allOf")) // written by editor_schema
    for (json::value &choice : choices->as_array()) relax(choice.at("then"));
  return out;
}

} // namespace

void add_profiles(json::object &schema) {
  json::object all = schema.at("$defs").as_object();
  json::value description = all.at("profile").at("description");
  all.erase("profile");
  json::object profile = relaxed(schema);
  for (const char *name : {"$schema", "$defs", "title"}) profile.erase(name);
  for (std::string_view name : not_in_profiles) profile.at("properties").as_object().erase(name);
  profile["type"] = "object";
  profile["description"] = description;
  json::object &target = schema.at("$defs").as_object();
  target["profile"] = std::move(profile);
  for (const auto &[name, part] : all)
    target["profile." + std::string(name.data(), name.size())] = relaxed(part.as_object());
}

const json::object &config_schema() {
  static const json::object schema = json::parse(schema_text).as_object();
  return schema;
}

} // namespace omnistore::config
