// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <regex>
#include <utility>

#include "formats.hpp"
#include "names.hpp"
#include "schema.hpp"
#include "schema_view.hpp"
#include "source_map.hpp"
#include "text.hpp"

namespace omnistore::config {

namespace json = boost::json;

namespace {

constexpr unsigned max_defaults = 10'000; // the limit for a schema whose default refers to itself

std::string_view view(const json::string &text) { return {text.data(), text.size()}; }

/// Returns the description of a value for "expected ..., found ...".
std::string found(const json::value &value, bool secret) {
  if (value.is_object()) return "an object";
  if (value.is_array()) return "an array";
  if (value.is_null()) return "null";
  if (secret)
    return std::string(value.is_string() ? "a string"
                       : value.is_bool() ? "true or false"
                                         : "a number") +
           " (not shown, since it is secret)";
  if (const json::string *text = value.if_string()) return in_quotes(view(*text));
  return literal(value);
}

long double as_number(const json::value &value) {
  if (value.is_int64()) return static_cast<long double>(value.get_int64());
  if (value.is_uint64()) return static_cast<long double>(value.get_uint64());
  return value.is_double() ? static_cast<long double>(value.get_double()) : 0;
}

/// Converts a whole number such as 2.0 or 1e3 to int64. Returns false if it is not whole or does not fit.
bool to_integer(json::value &value) {
  if (value.is_int64()) return true;
  if (value.is_double()) {
    double number = value.get_double();
    if (number != std::floor(number) || std::abs(number) > static_cast<double>(max_quantity)) return false;
    value = static_cast<std::int64_t>(number);
    return true;
  }
  return false;
}

bool fits_type(std::string_view type, json::value &value) {
  if (type == "string") return value.is_string();
  if (type == "integer") return to_integer(value);
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_bool();
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  return type == "null" && value.is_null();
}

class Validator {
public:
  Validator(const SourceMap *places, std::vector<Problem> &problems, std::string folder = {})
      : places_(places), problems_(problems), folder_(std::move(folder)) {}

  void check_patch(SchemaView schema, std::span<const std::string_view> left_out, json::value &patch,
                   const std::string &path) {
    raw_ = patch_ = true;
    left_out_ = left_out;
    check(schema, patch, path, 0);
  }

  void check(SchemaView schema, json::value &value, const std::string &path, unsigned depth) {
    if (depth > max_depth) return report(path, "objects and arrays are nested too deeply");
    if (is_open(value)) return;
    bool outside = secret_; // everything inside a secret is secret too
    secret_ = secret_ || schema.flag("secret");
    nullable_ = patch_ && depth > 0;
    if (!nullable_ || !value.is_null()) check_value(schema, value, path, depth);
    secret_ = outside;
  }

private:
  void check_value(SchemaView schema, json::value &value, const std::string &path, unsigned depth) {
    const Format *format = find_format(schema.text("format"));
    if (format && format->number && !value.is_null()) {
      if (!to_quantity(*format, value)) return expected(path, format->expected, value);
      if (format->too_large && value.get_int64() > format->most) return report(path, format->too_large);
    } else if (!check_type(schema, value, path)) {
      return;
    }
    if (!check_enum(schema, value, path)) return;
    check_range(schema, value, path);
    if (value.is_string()) check_text(schema, value.get_string(), path, format);
    if (value.is_object()) check_object(schema, value.get_object(), path, depth);
    if (value.is_array()) check_array(schema, value.get_array(), path, depth);
  }

  /// Returns true if the value contains a variable and is therefore unknown.
  bool is_open(const json::value &value) const {
    return raw_ && value.is_string() && view(value.get_string()).find("${") != std::string_view::npos;
  }

  void report(const std::string &path, const std::string &message) {
    const SourceMap::Position place = places_ ? places_->find(path) : SourceMap::Position();
    problems_.push_back({path, message, place.line, place.column});
  }

  /// Returns the description of the value. It does not show the value of a variable, which may be a secret in the wrong
  /// place.
  std::string found_at(const std::string &path, const json::value &value) const {
    const std::string *written = places_ && value.is_string() && !secret_ ? places_->written(path) : nullptr;
    return written ? in_quotes(*written) + ", whose value is not shown" : found(value, secret_);
  }

  void expected(const std::string &path, const std::string &what, const json::value &value) {
    report(path, "expected " + what + ", found " + found_at(path, value));
  }

  static bool to_quantity(const Format &format, json::value &value) {
    std::int64_t number = 0;
    if (const json::string *text = value.if_string()) {
      if (!format.number(view(*text), number)) return false;
      value = number;
      return true;
    }
    if (!to_integer(value) || value.get_int64() < 0) return false;
    const bool fits = value.get_int64() <= max_quantity / format.factor;
    if (!fits && !format.too_large) return false;
    value = fits ? value.get_int64() * format.factor : INT64_MAX;
    return true;
  }

  bool check_type(SchemaView schema, json::value &value, const std::string &path) {
    auto types = schema.types();
    auto fits = [&](std::string_view type) { return fits_type(type, value); };
    if (types.empty() || std::any_of(types.begin(), types.end(), fits)) return true;
    std::vector<std::string> words;
    for (std::string_view type : types) words.emplace_back(type_words(type));
    if (nullable_) words.emplace_back("null");
    expected(path, enumerate(words, "or"), value);
    return false;
  }

  bool check_enum(SchemaView schema, const json::value &value, const std::string &path) {
    const std::optional<json::array> allowed = schema.choices();
    if (!allowed || std::find(allowed->begin(), allowed->end(), value) != allowed->end()) return true;
    std::vector<std::string> texts, words;
    for (const json::value &one : *allowed) {
      words.push_back(literal(one));
      if (one.is_string()) texts.emplace_back(view(one.get_string()));
    }
    if (nullable_) words.emplace_back("null");
    std::string near = value.is_string() && !secret_ ? nearest(view(value.get_string()), texts) : std::string();
    report(path, "expected " + enumerate(words, "or") + ", found " + found_at(path, value) +
                     (near.empty() ? "" : "; did you mean " + in_quotes(near) + "?"));
    return false;
  }

  void check_range(SchemaView schema, const json::value &value, const std::string &path) {
    if (!value.is_number()) return;
    const json::value *least = schema.find("minimum"), *most = schema.find("maximum");
    if (least && least->is_number() && as_number(value) < as_number(*least))
      expected(path, "at least " + literal(*least), value);
    if (most && most->is_number() && as_number(value) > as_number(*most))
      expected(path, "at most " + literal(*most), value);
  }

  void check_text(SchemaView schema, json::string &text, const std::string &path, const Format *format) {
    if (format && format->text) {
      std::string changed(view(text)), problem;
      if (!format->text(changed, problem))
        return expected(path, format->expected + (problem.empty() ? "" : " (" + problem + ")"), text);
      if (format->path && !patch_ && !changed.empty()) changed = absolute_path(changed, folder_);
      text = changed;
    }
    const auto length = static_cast<long double>(characters(view(text)));
    if (const json::value *least = schema.find("minLength");
        least && least->is_number() && as_number(*least) > length) {
      if (text.empty()) return report(path, "expected a text that is not empty");
      return expected(path, "at least " + literal(*least) + " characters", text);
    }
    if (const json::value *most = schema.find("maxLength"); most && most->is_number() && as_number(*most) < length)
      return expected(path, "at most " + literal(*most) + " characters", text);
    check_pattern(schema.text("pattern"), text, path);
  }

  /// Limits the length of the text, since the standard library's matcher is recursive and could overflow the stack.
  static constexpr std::size_t longest_matched = 4096;

  void check_pattern(std::string_view pattern, const json::string &text, const std::string &path) {
    if (pattern.empty()) return;
    if (text.size() > longest_matched)
      return report(path, "expected at most " + std::to_string(longest_matched) + " bytes, since it has a pattern");
    try {
      if (!std::regex_search(text.begin(), text.end(), std::regex(pattern.begin(), pattern.end())))
        expected(path, "a text that fits the pattern " + std::string(pattern), text);
    } catch (const std::regex_error &) {
      report(path, "the pattern " + std::string(pattern) + " takes too long, or is none");
    }
  }

  void check_object(SchemaView schema, json::object &object, const std::string &path, unsigned depth) {
    if (!schema.is_object() && !schema.find("additionalProperties"))
      return; // a schema without any of these allows everything
    for (auto &[key, member] : object) {
      std::string_view name(key.data(), key.size());
      bool any = false;
      const json::object *inner = is_left_out(name, depth) ? nullptr : schema.member(name, any);
      if (inner)
        check(schema.at(*inner), member, join(path, name), depth + 1);
      else if (!any)
        report_unknown(schema, path, name, depth);
    }
    if (patch_) return;
    check_required(schema, object, path);
    fill_defaults(schema, object, path, depth);
  }

  bool is_left_out(std::string_view name, unsigned depth) const {
    return depth == 0 && std::find(left_out_.begin(), left_out_.end(), name) != left_out_.end();
  }

  void report_unknown(SchemaView schema, const std::string &path, std::string_view name, unsigned depth) {
    std::vector<std::string> known;
    if (const json::object *properties = schema.object("properties"))
      for (const auto &[key, ignored] : *properties)
        if (!is_left_out({key.data(), key.size()}, depth)) known.emplace_back(key.data(), key.size());
    std::string near = nearest(name, known);
    std::string message = "there is no such field";
    if (!near.empty())
      message += "; did you mean " + in_quotes(near) + "?";
    else if (known.empty())
      message += "; no field is expected here";
    else
      message += "; there are " + enumerate(known, "and");
    const SourceMap::Position place = places_ ? places_->name(join(path, name)) : SourceMap::Position();
    // In a secret, the name may be the secret.
    problems_.push_back({join(path, secret_ ? "***" : name), message, place.line, place.column});
  }

  void check_required(SchemaView schema, const json::object &object, const std::string &path) {
    const json::array *required = schema.array("required");
    if (!required) return;
    for (const json::value &name : *required)
      if (name.is_string() && !object.contains(name.get_string()))
        report(path, "the field " + in_quotes(view(name.get_string())) + " is missing");
  }

  void fill_defaults(SchemaView schema, json::object &object, const std::string &path, unsigned depth) {
    const json::object *properties = schema.object("properties");
    if (!properties) return;
    for (const auto &[key, property] : *properties) {
      if (!property.is_object() || object.contains(key)) continue;
      SchemaView inner = schema.at(property.get_object());
      const json::value *standard = inner.find("default");
      if (!standard) continue;
      if (++filled_ > max_defaults) return report(path, "the defaults of the schema never end");
      json::value &added = object.emplace(key, *standard).first->value();
      check(inner, added, join(path, {key.data(), key.size()}), depth + 1);
    }
  }

  void check_array(SchemaView schema, json::array &array, const std::string &path, unsigned depth) {
    const json::object *items = schema.object("items");
    if (!items) return;
    const bool outside = std::exchange(patch_, false);
    for (std::size_t i = 0; i < array.size(); ++i) check(schema.at(*items), array[i], join(path, i), depth + 1);
    patch_ = outside;
  }

  const SourceMap *places_;
  std::vector<Problem> &problems_;
  const std::string folder_; ///< the folder that relative paths start at
  bool raw_ = false;         ///< variables are not replaced
  bool patch_ = false;       ///< the value is a patch
  bool nullable_ = false;    ///< the value may be null, whatever its schema says
  std::span<const std::string_view> left_out_;
  bool secret_ = false;
  unsigned filled_ = 0;
};

} // namespace

void validate(const json::object &schema, json::value &value, const std::string &path, const SourceMap *places,
              std::vector<Problem> &problems, const std::string &folder) {
  Validator(places, problems, folder).check({schema, schema}, value, path, 0);
}

void validate_patch(const json::object &schema, std::span<const std::string_view> left_out, json::value &patch,
                    const std::string &path, const SourceMap *places, std::vector<Problem> &problems) {
  Validator(places, problems).check_patch({schema, schema}, left_out, patch, path);
}

} // namespace omnistore::config
