// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <boost/json/array.hpp>

#include "names.hpp"
#include "schema.hpp"
#include "schema_view.hpp"
#include "text.hpp"

namespace omnistore::config {

namespace json = boost::json;

namespace {

constexpr std::size_t columns = 80;

/// Wraps `text` to lines of at most 80 columns, each indented by `indent` spaces. A longer word has a line of its own.
void wrap(std::string &out, std::string_view text, std::size_t indent) {
  std::size_t column = 0;
  while (!text.empty()) {
    auto begin = text.find_first_not_of(" \t\r\n");
    if (begin == std::string_view::npos) break;
    text.remove_prefix(begin);
    std::string_view word = text.substr(0, text.find_first_of(" \t\r\n"));
    text.remove_prefix(word.size());
    std::size_t width = characters(word);
    if (column != 0 && column + 1 + width <= columns) {
      out += ' ';
      ++column;
    } else {
      if (column != 0) out += '\n';
      out.append(indent, ' ');
      column = indent;
    }
    out += word;
    column += width;
  }
  if (column != 0) out += '\n';
}

class Manual {
public:
  std::string out;
  bool durations = false, ages = false, sizes = false;

  /// Describes the members of an object's schema, under `path`.
  void members(SchemaView schema, const std::string &path) {
    const json::object *properties = schema.object("properties");
    bool known =
        std::find(around_.begin(), around_.end(), properties) != around_.end(); // a schema that contains itself
    if (!properties || known) return;
    around_.push_back(properties);
    const json::array *required = schema.array("required");
    for (const auto &[key, property] : *properties) {
      if (!property.is_object()) continue;
      bool needed = required && std::find(required->begin(), required->end(), json::value(key)) != required->end();
      std::string name = path + std::string(key.data(), key.size());
      SchemaView inner = schema.at(property.get_object());
      option(inner, name, needed);
      members(inner, name + ".");
      if (const json::object *items = inner.object("items")) members(inner.at(*items), name + "[].");
      bool any = false;
      if (const json::object *others = inner.member({}, any)) members(inner.at(*others), name + ".NAME.");
    }
    around_.pop_back();
  }

private:
  void option(SchemaView schema, const std::string &name, bool required) {
    if (!out.empty()) out += '\n';
    wrap(out, name + " (" + facts(schema, required) + ")", 2);
    wrap(out, schema.text("description"), 6);
    choices(schema);
    if (schema.flag("secret")) wrap(out, "Secret: it is never shown.", 6);
    examples(schema);
  }

  /// Returns a summary such as "integer, default 1000, at least 1".
  std::string facts(SchemaView schema, bool required) {
    std::string text = type(schema);
    bool secret = schema.flag("secret");
    const json::value *standard = schema.find("default");
    if (required) text += ", required";
    if (standard && !secret) text += ", default " + literal(*standard);
    if (const json::value *least = schema.find("minimum")) text += ", at least " + literal(*least);
    if (const json::value *most = schema.find("maximum")) text += ", at most " + literal(*most);
    if (const json::value *least = schema.find("minLength")) text += ", at least " + literal(*least) + " characters";
    if (const json::value *most = schema.find("maxLength")) text += ", at most " + literal(*most) + " characters";
    if (const std::string_view pattern = schema.text("pattern"); !pattern.empty())
      text += ", pattern " + std::string(pattern);
    return text;
  }

  std::string type(SchemaView schema) {
    std::string_view format = schema.text("format");
    if (format == "duration") return durations = true, "duration";
    if (format == "seconds") return ages = true, "duration in seconds";
    if (format == "bytes") return sizes = true, "size";
    if (const auto allowed = schema.choices()) {
      std::vector<std::string> words;
      for (const json::value &one : *allowed) words.push_back(literal(one));
      return enumerate(words, "or");
    }
    std::vector<std::string> names;
    for (std::string_view name : schema.types()) names.emplace_back(name == "boolean" ? "true or false" : name);
    std::string text = names.empty() ? "anything" : enumerate(names, "or");
    const json::object *items = schema.object("items");
    if (text == "array" && items) text = "array of " + type(schema.at(*items));
    return format.empty() ? text : text + " (" + std::string(format) + ")";
  }

  /// Describes each choice of a oneOf on a line.
  void choices(SchemaView schema) {
    const json::array *list = schema.array("oneOf");
    if (!list) return;
    for (const json::value &one : *list) {
      const json::object *choice = one.if_object();
      const json::value *value = choice ? choice->if_contains("const") : nullptr;
      const json::value *words = choice ? choice->if_contains("description") : nullptr;
      if (value && words && words->is_string()) wrap(out, literal(*value) + ": " + std::string(words->get_string()), 8);
    }
  }

  void examples(SchemaView schema) {
    const json::array *list = schema.array("examples");
    if (!list || list->empty() || schema.flag("secret")) return;
    std::string text = list->size() == 1 ? "Example: " : "Examples: ";
    for (const json::value &one : *list) text += (&one == &list->front() ? "" : ", ") + literal(one);
    wrap(out, text, 6);
  }

  std::vector<const json::object *> around_; ///< the properties around the present ones
};

} // namespace

std::string manual(const json::object &schema) {
  Manual manual;
  manual.members({schema, schema}, {});
  if (manual.out.empty()) return "  It takes no options.\n";
  if (manual.durations || manual.ages || manual.sizes) manual.out += '\n';
  if (manual.durations)
    wrap(manual.out, "A duration is a number of milliseconds, or a text: \"100ms\", \"90s\", \"5m\", \"1h\", \"7d\".",
         2);
  if (manual.ages)
    wrap(manual.out,
         "A duration in seconds is a number of them, or a text: \"500ms\", \"90s\", \"5m\", \"1h\", \"7d\".", 2);
  if (manual.sizes) wrap(manual.out, "A size is a number of bytes, or a text: \"64KiB\", \"1MB\", \"2GiB\".", 2);
  return manual.out;
}

} // namespace omnistore::config
