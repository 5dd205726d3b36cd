// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <sstream>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "support/temporary.hpp"
#include "unit/config_support.hpp"

#include "config/config_schema.hpp"
#include "config/names.hpp"
#include "config/schema.hpp"

using namespace omnistore;
namespace json = boost::json;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

std::string wrong(std::string text) {
  std::replace(text.begin(), text.end(), '\'', '"');
  json::object into;
  return config::check_schema(text, into);
}

std::string option(const std::string &schema) { return wrong("{'type':'object','properties':{'x':" + schema + "}}"); }

json::object parsed(const std::string &text) { return json::parse(text).as_object(); }

/// Calls back for every property's schema, wherever it stands.
template <class Call>
void each_property(const json::value &node, const std::string &path, Call call) {
  if (const json::object *object = node.if_object()) {
    if (const json::value *properties = object->if_contains("properties"))
      for (const auto &[name, property] : properties->as_object())
        call(path + "." + std::string(name.data(), name.size()), property.as_object());
    for (const auto &[name, member] : *object)
      each_property(member, path + "." + std::string(name.data(), name.size()), call);
  }
  if (const json::array *array = node.if_array())
    for (const json::value &item : *array) each_property(item, path, call);
}

std::string source(const std::string &file) { return std::string(OMNISTORE_SOURCE) + "/" + file; }

} // namespace

TEST_CASE("a manual explains each choice, and shows how long a text may be") {
  const std::string text = config::manual(parsed(R"({"type":"object","properties":{
    "mode":{"oneOf":[{"const":"fast","description":"Keeps nothing"},{"const":"safe"}],"default":"safe"},
    "name":{"type":"string","maxLength":9,"pattern":"^[a-z]+$"}}})"));
  CHECK_THAT(text, Contains("mode (\"fast\" or \"safe\", default \"safe\")\n        \"fast\": Keeps nothing\n"));
  CHECK_THAT(text, Contains("name (string, at most 9 characters, pattern ^[a-z]+$)"));
}

TEST_CASE("a good schema is given back") {
  json::object into;
  CHECK(
      config::check_schema(R"({"type":"object","properties":{"size":{"type":"integer","default":5}}})", into).empty());
  CHECK(into.contains("properties"));
}

TEST_CASE("an error in a schema is one sentence that names the place") {
  CHECK(wrong("{'type'") ==
        "it is not JSON: expected ':' after the name, found the end of the file (line 1, column 8)");
  CHECK_THAT(wrong("{'type':'object',}"), StartsWith("it is not JSON: comments, and commas"));
  CHECK_THAT(wrong("{'type':'object','type':'object'}"), Contains("is given twice"));
  CHECK(wrong("[]") == "it is not a JSON Schema, which is an object");
  CHECK(wrong("{}") == "\"type\" must be \"object\": options are an object");
  CHECK(wrong("{'type':'array'}") == "\"type\" must be \"object\": options are an object");
  CHECK(option("{'type':'int'}") == "properties.x.type: there is no type \"int\"");
  CHECK(option("{'type':'interger'}") == "properties.x.type: there is no type \"interger\"; did you mean \"integer\"?");
  CHECK(option("{'type':5}") == "properties.x.type: expected a type's name or an array of them");
  CHECK(option("{'minimun':5}") == "properties.x: the keyword \"minimun\" is not known; did you mean \"minimum\"?");
  CHECK(option("{'anyOf':[]}") == "properties.x: the keyword \"anyOf\" is not known");
  CHECK_THAT(option("{'oneOf':[]}"), StartsWith("properties.x.oneOf: expected an array of choices"));
  CHECK_THAT(option("{'oneOf':[{'type':'string'}]}"), StartsWith("properties.x.oneOf: expected an array of choices"));
  CHECK(option("{'oneOf':[{'const':1,'minimum':0}]}") ==
        "properties.x.oneOf: a choice has const, title and description, no \"minimum\"");
  CHECK(option("{'pattern':'(a'}") == "properties.x.pattern: \"(a\" is not an ECMAScript regular expression");
  CHECK(option("{'pattern':5}") == "properties.x.pattern: expected a string");
  CHECK(option("{'maxLength':'5'}") == "properties.x.maxLength: expected a number");
  CHECK_THAT(option("{'type':'string','maxLength':1,'default':'ab'}"), Contains("the default does not fit"));
  CHECK_THAT(option("{'pattern':'^a','default':'b'}"), Contains("the default does not fit"));
  CHECK_THAT(option("{'oneOf':[{'const':'a'}],'default':'b'}"), Contains("the default does not fit"));
  CHECK(option("{'format':'duratoin'}") ==
        "properties.x.format: there is no format \"duratoin\"; did you mean \"duration\"?");
  CHECK(option("{'secret':'yes'}") == "properties.x.secret: expected true or false");
  CHECK(option("5") == "properties.x: expected a schema, which is an object");
  CHECK(option("{'items':[]}") == "properties.x.items: expected a schema, which is an object");
  CHECK(wrong("{'type':'object','required':['y'],'properties':{'yy':{}}}") ==
        "required: there is no property \"y\"; did you mean \"yy\"?");
  CHECK(option("{'$ref':'#/$defs/n'}") ==
        "properties.x.$ref: \"#/$defs/n\" leads to nothing; it must be \"#/$defs/NAME\"");
}

TEST_CASE("a default that does not fit is found") {
  CHECK(option("{'type':'integer','default':'5'}") ==
        "properties.x: the default does not fit: expected an integer, found \"5\"");
  CHECK_THAT(option("{'format':'duration','default':'5 minutes'}"),
             StartsWith("properties.x: the default does not fit"));
  CHECK_THAT(wrong("{'type':'object','$defs':{'n':{'type':'integer'}},'properties':{'x':{'$ref':'#/$defs/n','default':"
                   "true}}}"),
             StartsWith("properties.x: the default does not fit"));
}

TEST_CASE("a schema that refers to itself without end is refused, one that nests is not") {
  CHECK_THAT(wrong("{'type':'object','$defs':{'a':{'$ref':'#/$defs/b'},'b':{'$ref':'#/$defs/a'}}}"),
             Contains("leads on without end"));
  CHECK_THAT(wrong("{'type':'object','$defs':{'a':{'type':'object','properties':{'x':{'$ref':'#/$defs/a','default':{}},"
                   "'y':{'$ref':'#/$defs/a','default':{}}}}},'properties':{'p':{'$ref':'#/$defs/a','default':{}}}}"),
             Contains("the default does not fit"));
  CHECK(wrong("{'type':'object','$defs':{'a':{'type':'object','properties':{'x':{'$ref':'#/$defs/a'}}}},'properties':"
              "{'p':{'$ref':'#/$defs/a'}}}") == "");
}

TEST_CASE("the config's schema is right itself") {
  json::object into;
  CHECK(config::check_schema(config::schema_text, into) == "");
}

TEST_CASE("the schema in the library is the one in the config folder") {
  CHECK(test::read_file(source("config/omnistore.schema.json")) == config::schema_text);
}

TEST_CASE("every field of the config's schema has a description") {
  json::object schema = parsed(config::schema_text);
  unsigned count = 0;
  each_property(schema, "", [&](const std::string &path, const json::object &property) {
    INFO(path);
    ++count;
    const json::object *node = &property;
    if (const json::value *reference = property.if_contains("$ref"))
      node = &schema.at("$defs").at(reference->as_string().subview(std::string_view("#/$defs/").size())).as_object();
    CHECK(node->contains("description"));
  });
  CHECK(count > 40);
}

TEST_CASE("every example config is right, with each of its profiles") {
  for (const auto &entry : std::filesystem::directory_iterator(source("config"))) {
    if (entry.path().extension() != ".jsonc") continue;
    INFO(entry.path());
    std::string text = test::read_file(entry.path());
    CHECK(test::problems(text).empty());
  }
  CHECK(test::problems(test::read_file(source("config/default.jsonc")), "test").empty());
}

TEST_CASE("the default config has a database, memory, files and an overlay, and the default addresses") {
  Config config = Config::load(source("config/default.jsonc")), defaults;
  CHECK(config.mounts.size() == 4);
  CHECK(config.mounts.at("cache").store.driver == "overlay");
  CHECK(config.mounts.at("cache").store.children.size() == 2);
  CHECK(config.mounts.at("").store.driver == "sqlite");
  CHECK(config.mounts.at("session").store.driver == "memory");
  CHECK(config.mounts.at("local").store.driver == "fs");
  CHECK(config.mounts.at("local").store.options == R"({"base":"./.omnistore/local"})");
  CHECK(config.http.listen == defaults.http.listen);
  CHECK(config.admin.listen == defaults.admin.listen);
}

TEST_CASE("the default config's profile production adds a redis under shared:") {
  const std::string text = test::read_file(source("config/default.jsonc"));
  const Config config = Config::parse(text, "", "production", [](const std::string &name) {
    return name == "REDIS_URL" ? std::optional<std::string>("redis://server") : std::nullopt;
  });
  CHECK(config.mounts.at("shared").store.options == R"({"url":"redis://server"})");
  CHECK(config.mounts.size() == 5);
}

TEST_CASE("the editor's schema has each driver's options in its store") {
  std::map<std::string, json::object> drivers;
  drivers["memory"] = parsed(R"({"type":"object","properties":{"size":{"format":"bytes","type":"integer"}}})");
  drivers["redis"] = parsed(R"({"type":"object","required":["url"],"$defs":{"u":{"type":"string"}},
      "properties":{"url":{"$ref":"#/$defs/u"}}})");
  json::value schema = json::parse(config::editor_schema(drivers));
  const json::value &defs = schema.at("$defs");
  CHECK(defs.at("options.memory").at("additionalProperties") == json::value(false));
  CHECK(json::serialize(defs.at("options.memory").at("properties").at("size").at("type")) == R"(["integer","string"])");
  CHECK(defs.at("options.redis").at("properties").at("url").at("$ref") == json::value("#/$defs/options.redis.u"));
  CHECK(defs.at("options.redis.u").at("type") == json::value("string"));
  CHECK(json::serialize(defs.at("mount").at("allOf").at(1)) ==
        R"({"if":{"properties":{"driver":{"const":"redis"}},"required":["driver"]},)"
        R"("then":{"properties":{"options":{"$ref":"#/$defs/options.redis"}},"required":["options"]}})");
  CHECK(json::serialize(defs.at("profile.mount").at("allOf").at(1).at("then")) ==
        R"({"properties":{"options":{"$ref":"#/$defs/profile.options.redis"}}})");
  for (const char *store : {"layer", "wrapper"}) CHECK(defs.at(store).as_object().contains("allOf"));
  CHECK(json::serialize(defs.at("driver").at("anyOf").at(0)) == R"({"enum":["memory","redis"]})");
}

TEST_CASE("every $ref of the editor's schema leads somewhere") {
  json::value schema = json::parse(config::editor_schema({{"fs", parsed(R"({"type":"object"})")}}));
  std::string text = json::serialize(schema);
  std::string_view mark = "\"$ref\":\"#/$defs/";
  for (std::size_t at = text.find(mark); at != std::string::npos; at = text.find(mark, at + 1)) {
    std::string name = text.substr(at + mark.size(), text.find('"', at + mark.size()) - at - mark.size());
    INFO(name);
    CHECK(schema.at("$defs").as_object().contains(name));
  }
}

TEST_CASE("in a profile every field may be null and none is needed") {
  json::value schema = json::parse(config::editor_schema({}));
  const json::value &mount = schema.at("$defs").at("profile.mount");
  CHECK(json::serialize(mount.at("type")) == R"(["object","null"])");
  CHECK_FALSE(mount.as_object().contains("required"));
  CHECK(mount.at("properties").at("driver").at("$ref") == json::value("#/$defs/profile.driver"));
  CHECK_FALSE(schema.at("$defs").at("profile").at("properties").as_object().contains("profiles"));
}

TEST_CASE("the manual shows each option's name, type, default, bounds, description and notes") {
  std::string text = config::manual(parsed(R"({"type":"object","required":["base"],"properties":{
    "base":{"type":"string","description":"The folder that holds the values, which is relative to the folder that the host was started in."},
    "size":{"type":"integer","default":1000,"minimum":1,"maximum":5000,"description":"Entries."},
    "ttl":{"type":["integer","string"],"format":"duration","default":"1h"},
    "room":{"format":"bytes"},
    "mode":{"enum":["a","b"],"description":"How."},
    "key":{"type":"string","secret":true,"default":"geheim","description":"The key."},
    "ignore":{"type":"array","items":{"type":"string"},"examples":[["x"]]},
    "tls":{"type":"object","description":"Of the connection.","properties":{"ca":{"type":"string"},
           "on":{"type":"boolean"}}}}})"));
  CHECK(text == R"(  base (string, required)
      The folder that holds the values, which is relative to the folder that the
      host was started in.

  size (integer, default 1000, at least 1, at most 5000)
      Entries.

  ttl (duration, default "1h")

  room (size)

  mode ("a" or "b")
      How.

  key (string)
      The key.
      Secret: it is never shown.

  ignore (array of string)
      Example: ["x"]

  tls (object)
      Of the connection.

  tls.ca (string)

  tls.on (true or false)

  A duration is a number of milliseconds, or a text: "100ms", "90s", "5m", "1h",
  "7d".
  A size is a number of bytes, or a text: "64KiB", "1MB", "2GiB".
)");
}

TEST_CASE("the manual keeps to 80 columns, also of the config's own schema") {
  std::istringstream lines(config::manual(config::config_schema()));
  unsigned count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    INFO(line);
    bool one_word = line.find(' ', line.find_first_not_of(' ')) == std::string::npos;
    CHECK((config::characters(line) <= 80 || one_word));
  }
  CHECK(count > 100);
}

TEST_CASE("the manual of a driver without options says so") {
  CHECK(config::manual(parsed(R"({"type":"object"})")) == "  It takes no options.\n");
}
