// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <regex>
#include <string>

#include <boost/json/parse.hpp>

#include "formats.hpp"
#include "names.hpp"
#include "schema.hpp"
#include "schema_view.hpp"
#include "source_map.hpp"
#include "text.hpp"

namespace omnistore::config {

namespace json = boost::json;

namespace {

/// The keywords and the types of their values.
struct Keyword {
  std::string_view name;
  enum class Value {
    text,
    number,
    flag,
    any,
    names,
    texts,
    list,
    choices,
    schema,
    schemas,
    schema_or_flag,
    type
  } value;
};
using Value = Keyword::Value;
constexpr std::array keywords = {
    Keyword{"$schema", Value::text},
    Keyword{"$id", Value::text},
    Keyword{"$comment", Value::text},
    Keyword{"$ref", Value::text},
    Keyword{"$defs", Value::schemas},
    Keyword{"title", Value::text},
    Keyword{"description", Value::text},
    Keyword{"type", Value::type},
    Keyword{"properties", Value::schemas},
    Keyword{"required", Value::names},
    Keyword{"additionalProperties", Value::schema_or_flag},
    Keyword{"items", Value::schema},
    Keyword{"enum", Value::list},
    Keyword{"const", Value::any},
    Keyword{"oneOf", Value::choices},
    Keyword{"minimum", Value::number},
    Keyword{"maximum", Value::number},
    Keyword{"minLength", Value::number},
    Keyword{"maxLength", Value::number},
    Keyword{"pattern", Value::text},
    Keyword{"format", Value::text},
    Keyword{"default", Value::any},
    Keyword{"examples", Value::list},
    Keyword{"secret", Value::flag},
    Keyword{"needsWatch", Value::flag},
    Keyword{"notAbove", Value::texts},
};

const std::vector<std::string> type_names = {"string", "integer", "number", "boolean", "object", "array", "null"};

std::string_view view(const json::string &text) { return {text.data(), text.size()}; }

/// Returns the hint "; did you mean "x"?", or an empty text.
std::string hint(std::string_view name, const std::vector<std::string> &known) {
  std::string near = nearest(name, known);
  return near.empty() ? "" : "; did you mean " + in_quotes(near) + "?";
}

/// Each function returns the problem, or an empty text.
class Checker {
public:
  explicit Checker(const json::object &root) : root_(root) {}

  std::string schema(const json::object &node, const std::string &path, unsigned depth) const {
    if (depth > max_depth) return at(path, "schemas are nested too deeply");
    for (const auto &[key, value] : node)
      if (std::string wrong = keyword({key.data(), key.size()}, value, path, depth); !wrong.empty()) return wrong;
    if (std::string wrong = required(node, path); !wrong.empty()) return wrong;
    return reference(node, path);
  }

  /// Checks the defaults of a schema that has no other problems.
  std::string defaults(const json::object &node, const std::string &path) const {
    if (const json::value *standard = node.if_contains("default")) {
      json::value wrapped = json::object{{"value", *standard}};
      json::object probe{{"type", "object"}, {"properties", json::object{{"value", node}}}};
      if (const json::value *defs = root_.if_contains("$defs")) probe["$defs"] = *defs;
      std::vector<Problem> problems;
      validate(probe, wrapped, {}, nullptr, problems);
      if (!problems.empty()) return at(path, "the default does not fit: " + problems.front().message);
    }
    std::string wrong;
    auto inner = [&](const std::string &name, const json::object &part) {
      if (wrong.empty()) wrong = defaults(part, path.empty() ? name : path + "." + name);
    };
    each(node, inner);
    return wrong;
  }

private:
  static std::string at(const std::string &path, const std::string &message) {
    return path.empty() ? message : path + ": " + message;
  }

  /// Calls back for every schema inside this one.
  template <class Call>
  static void each(const json::object &node, Call call) {
    for (std::string_view group : {"properties", "$defs"})
      if (const json::value *members = node.if_contains({group.data(), group.size()}); members && members->is_object())
        for (const auto &[name, part] : members->get_object())
          if (part.is_object()) call(join(group, {name.data(), name.size()}), part.get_object());
    for (std::string_view one : {"items", "additionalProperties"})
      if (const json::value *part = node.if_contains({one.data(), one.size()}); part && part->is_object())
        call(std::string(one), part->get_object());
  }

  std::string keyword(std::string_view name, const json::value &value, const std::string &path, unsigned depth) const {
    auto known = std::find_if(keywords.begin(), keywords.end(), [&](const Keyword &k) { return k.name == name; });
    if (known == keywords.end()) {
      std::vector<std::string> names;
      for (const Keyword &k : keywords) names.emplace_back(k.name);
      return at(path, "the keyword " + in_quotes(name) + " is not known" + hint(name, names));
    }
    std::string inner = join(path, name);
    switch (known->value) {
    case Value::any:
      return {};
    case Value::type:
      return type(value, inner);
    case Value::names:
      return names(value, inner);
    case Value::texts:
      return texts(value, inner);
    case Value::schemas:
      return schemas(value, inner, depth);
    case Value::text:
      if (!value.is_string()) return at(inner, "expected a string");
      if (name == "pattern") return pattern(view(value.get_string()), inner);
      return name == "format" ? format(view(value.get_string()), inner) : std::string();
    case Value::number:
      return value.is_number() ? "" : at(inner, "expected a number");
    case Value::flag:
      return value.is_bool() ? "" : at(inner, "expected true or false");
    case Value::list:
      return value.is_array() ? "" : at(inner, "expected an array");
    case Value::choices:
      return choices(value, inner);
    case Value::schema:
      return value.is_object() ? schema(value.get_object(), inner, depth + 1)
                               : at(inner, "expected a schema, which is an object");
    case Value::schema_or_flag:
      if (value.is_bool()) return {};
      return value.is_object() ? schema(value.get_object(), inner, depth + 1)
                               : at(inner, "expected true, false or a schema");
    }
    return {};
  }

  static std::string type(const json::value &value, const std::string &path) {
    const json::array one{value};
    const json::array &list = value.is_array() ? value.get_array() : one;
    if (list.empty()) return at(path, "expected a type's name or an array of them");
    for (const json::value &name : list) {
      if (!name.is_string()) return at(path, "expected a type's name or an array of them");
      std::string text(view(name.get_string()));
      if (std::find(type_names.begin(), type_names.end(), text) == type_names.end())
        return at(path, "there is no type " + in_quotes(text) + hint(text, type_names));
    }
    return {};
  }

  static std::string format(std::string_view name, const std::string &path) {
    std::vector<std::string> known = known_formats();
    if (std::find(known.begin(), known.end(), name) != known.end()) return {};
    return at(path, "there is no format " + in_quotes(name) + hint(name, known));
  }

  static std::string pattern(std::string_view text, const std::string &path) {
    try {
      const std::regex compiled(text.begin(), text.end());
      return {};
    } catch (const std::regex_error &) {
      return at(path, in_quotes(text) + " is not an ECMAScript regular expression");
    }
  }

  /// Checks that each item of oneOf is a choice: a `const` with a description.
  static std::string choices(const json::value &value, const std::string &path) {
    const std::string expected =
        "expected an array of choices, such as [{\"const\": \"lru\", \"description\": \"...\"}]";
    if (!value.is_array() || value.get_array().empty()) return at(path, expected);
    for (const json::value &choice : value.get_array()) {
      if (!choice.is_object() || !choice.get_object().contains("const")) return at(path, expected);
      for (const auto &[key, said] : choice.get_object())
        if (key != "const" && !((key == "title" || key == "description") && said.is_string()))
          return at(path, "a choice has const, title and description, no " + in_quotes({key.data(), key.size()}));
    }
    return {};
  }

  static std::string names(const json::value &value, const std::string &path) {
    bool right = value.is_array() && std::all_of(value.get_array().begin(), value.get_array().end(),
                                                 [](const json::value &name) { return name.is_string(); });
    return right ? "" : at(path, "expected an array of names");
  }

  static std::string texts(const json::value &value, const std::string &path) {
    const json::object *object = value.if_object();
    const bool right = object && std::all_of(object->begin(), object->end(),
                                             [](const auto &member) { return member.value().is_string(); });
    return right ? "" : at(path, "expected an object of strings");
  }

  std::string schemas(const json::value &value, const std::string &path, unsigned depth) const {
    if (!value.is_object()) return at(path, "expected an object of schemas");
    for (const auto &[key, part] : value.get_object()) {
      std::string inner = join(path, {key.data(), key.size()});
      if (!part.is_object()) return at(inner, "expected a schema, which is an object");
      if (std::string wrong = schema(part.get_object(), inner, depth + 1); !wrong.empty()) return wrong;
    }
    return {};
  }

  /// Checks that each name in `required` is a property, since nobody could give any other.
  static std::string required(const json::object &node, const std::string &path) {
    const json::value *names = node.if_contains("required"), *properties = node.if_contains("properties");
    const json::value *others = node.if_contains("additionalProperties");
    if (!names || (others && *others != json::value(false))) return {};
    std::vector<std::string> known;
    if (properties)
      for (const auto &[key, ignored] : properties->get_object()) known.emplace_back(key.data(), key.size());
    for (const json::value &name : names->get_array()) {
      std::string text(view(name.get_string()));
      if (std::find(known.begin(), known.end(), text) == known.end())
        return at(join(path, "required"), "there is no property " + in_quotes(text) + hint(text, known));
    }
    return {};
  }

  std::string reference(const json::object &node, const std::string &path) const {
    const json::object *at_hop = &node;
    for (int hops = 0; const json::value *target = at_hop->if_contains("$ref"); ++hops) {
      std::string_view text = view(target->get_string());
      const json::value *all = root_.if_contains("$defs");
      const json::value *found = nullptr;
      if (text.starts_with(defs_path) && all && all->is_object())
        found = all->get_object().if_contains({text.data() + defs_path.size(), text.size() - defs_path.size()});
      if (!found || !found->is_object())
        return at(join(path, "$ref"), in_quotes(text) + " leads to nothing; it must be \"#/$defs/NAME\"");
      at_hop = &found->get_object();
      if (hops == 8) return at(join(path, "$ref"), in_quotes(text) + " leads to a $ref that leads on without end");
      if (const json::value *next = at_hop->if_contains("$ref"); next && !next->is_string()) return {};
    }
    return {};
  }

  const json::object &root_;
};

/// Parses strict JSON, and gives the position of an error.
std::string parse(std::string_view text, json::value &into) {
  std::vector<Problem> problems;
  read(text, problems);
  if (!problems.empty()) return "it is not JSON: " + problems.front().text();
  json::parse_options strict;
  strict.max_depth = max_depth;
  json::error_code error;
  into = json::parse(text, error, {}, strict);
  return error ? "it is not JSON: comments, and commas after the last item of a list, are not allowed here" : "";
}

} // namespace

std::string check_schema(std::string_view text, json::object &into) {
  json::value parsed;
  if (std::string wrong = parse(text, parsed); !wrong.empty()) return wrong;
  if (!parsed.is_object()) return "it is not a JSON Schema, which is an object";
  const json::object &root = parsed.get_object();
  Checker checker(root);
  if (std::string wrong = checker.schema(root, {}, 0); !wrong.empty()) return wrong;
  SchemaView whole(root, root);
  auto types = whole.types();
  if (types.size() != 1 || types.front() != "object") return "\"type\" must be \"object\": options are an object";
  if (std::string wrong = checker.defaults(root, {}); !wrong.empty()) return wrong;
  into = root;
  return {};
}

} // namespace omnistore::config
