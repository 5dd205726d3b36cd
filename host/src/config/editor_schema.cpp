// SPDX-License-Identifier: Apache-2.0
#include <boost/json/array.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "config_schema.hpp"
#include "formats.hpp"
#include "schema.hpp"
#include "schema_view.hpp"

namespace omnistore::config {

namespace json = boost::json;

namespace {

json::object portable(const json::object &schema, const std::string &defs_prefix);

void make_portable(json::value &schema, const std::string &defs_prefix) {
  if (schema.is_object()) schema = portable(schema.get_object(), defs_prefix);
}

/// Translates a driver's schema to plain JSON Schema: writes out the defaults of our validator, and puts `defs_prefix`
/// before the names of its $defs.
json::object portable(const json::object &schema, const std::string &defs_prefix) {
  json::object out = schema;
  for (const char *name : {"$schema", "$id", "$defs"}) out.erase(name);
  SchemaView view(schema, schema);
  if (view.is_object() && !out.contains("additionalProperties")) out["additionalProperties"] = false;
  const Format *format = find_format(view.text("format"));
  if (format && format->number) out["type"] = json::array{"integer", "string"};
  if (json::value *reference = out.if_contains("$ref"))
    *reference = std::string(defs_path) + defs_prefix + (reference->as_string().c_str() + defs_path.size());
  if (json::value *properties = out.if_contains("properties"))
    for (auto &[name, property] : properties->as_object()) make_portable(property, defs_prefix);
  for (const char *inner : {"items", "additionalProperties"})
    if (json::value *found = out.if_contains(inner)) make_portable(*found, defs_prefix);
  return out;
}

/// Adds a driver's options to the $defs. Returns the rule that a store of this driver has such options.
json::object add_driver(json::object &all, const std::string &name, const json::object &schema) {
  std::string own = "options." + name;
  json::object options = portable(schema, own + ".");
  bool needed = options.contains("required") && !options.at("required").as_array().empty();
  all[own] = std::move(options);
  if (const json::value *inner = schema.if_contains("$defs"))
    for (const auto &[key, part] : inner->as_object())
      all[own + "." + std::string(key.data(), key.size())] = portable(part.as_object(), own + ".");
  json::object condition{{"properties", {{"driver", {{"const", name}}}}}, {"required", json::array{"driver"}}};
  json::object rule{{"properties", {{"options", {{"$ref", std::string(defs_path) + own}}}}}};
  if (needed) rule["required"] = json::array{"options"};
  return {{"if", std::move(condition)}, {"then", std::move(rule)}};
}

void print(std::string &out, const json::value &value, std::size_t indent) {
  bool object = value.is_object(), array = value.is_array();
  bool empty = object ? value.get_object().empty() : array && value.get_array().empty();
  if (!(object || array) || empty) {
    out += json::serialize(value);
    return;
  }
  std::string line = "\n" + std::string(indent + 2, ' ');
  out += object ? '{' : '[';
  bool first = true;
  auto next = [&] {
    if (!first) out += ',';
    first = false;
    out += line;
  };
  if (object)
    for (const auto &[name, member] : value.get_object()) {
      next();
      out += json::serialize(name) + ": ";
      print(out, member, indent + 2);
    }
  else
    for (const json::value &item : value.get_array()) {
      next();
      print(out, item, indent + 2);
    }
  line.resize(indent + 1);
  out += line + (object ? '}' : ']');
}

} // namespace

std::string editor_schema(const std::map<std::string, json::object> &drivers) {
  json::object schema = json::parse(schema_text).as_object();
  json::object &all = schema.at("$defs").as_object();
  json::array names, rules;
  for (const auto &[name, options] : drivers) {
    names.emplace_back(name);
    rules.push_back(add_driver(all, name, options));
  }
  if (!drivers.empty()) {
    // A driver's name may also come from the environment.
    all.at("driver").as_object()["anyOf"] = json::array{{{"enum", names}}, {{"pattern", "\\$\\{"}}};
    if (drivers.contains("cache")) {
      json::object &invalidation = all.at("invalidation").as_object();
      invalidation.erase("additionalProperties");
      invalidation["$ref"] = std::string(defs_path) + "options.cache";
    }
    for (const char *store : {"mount", "layer", "wrapper"}) all.at(store).as_object()["allOf"] = rules;
  }
  add_profiles(schema);
  std::string out;
  print(out, schema, 0);
  return out + "\n";
}

} // namespace omnistore::config
