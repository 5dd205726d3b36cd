// SPDX-License-Identifier: Apache-2.0
#include "names.hpp"
#include "schema.hpp"
#include "schema_view.hpp"

namespace omnistore::config {

namespace json = boost::json;

namespace {

json::value mask(SchemaView schema, const json::value &value) {
  if (schema.flag("secret")) return "***";
  if (const json::string *text = value.if_string()) return json::value(without_passwords({text->data(), text->size()}));
  if (const json::array *array = value.if_array()) {
    const json::object *items = schema.object("items");
    static const json::object anything;
    json::array out;
    for (const json::value &item : *array) out.push_back(mask(schema.at(items ? *items : anything), item));
    return out;
  }
  if (const json::object *object = value.if_object()) {
    json::object out;
    for (const auto &[name, member] : *object) {
      bool any = false;
      const json::object *inner = schema.member({name.data(), name.size()}, any);
      out[name] = inner ? mask(schema.at(*inner), member) : json::value("***");
    }
    return out;
  }
  return value;
}

} // namespace

json::value masked(const json::object &schema, const json::value &options) { return mask({schema, schema}, options); }

} // namespace omnistore::config
