// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "unit/config_support.hpp"

#include "config/names.hpp"
#include "config/schema.hpp"
#include "config/source_map.hpp"

using namespace omnistore;
namespace json = boost::json;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

struct Outcome {
  std::string value;
  std::vector<std::string> problems;
};

/// Checks a value against the schema of a member `x`; single quotes stand for double ones.
Outcome validate(std::string schema, std::string text, bool required = false) {
  std::replace(schema.begin(), schema.end(), '\'', '"');
  std::replace(text.begin(), text.end(), '\'', '"');
  json::object whole = json::parse("{\"type\":\"object\",\"properties\":{\"x\":" + schema + "}" +
                                   (required ? ",\"required\":[\"x\"]}" : "}"))
                           .as_object();
  json::value value = json::parse(text);
  std::vector<Problem> problems;
  config::validate(whole, value, "o", nullptr, problems);
  Outcome out{json::serialize(value), {}};
  for (const auto &problem : problems) out.problems.push_back(problem.text());
  return out;
}

std::string wrong(const std::string &schema, const std::string &text) {
  Outcome out = validate(schema, text);
  for (const auto &problem : out.problems) UNSCOPED_INFO(problem);
  REQUIRE(out.problems.size() == 1);
  return out.problems.front();
}

std::string right(const std::string &schema, const std::string &text) {
  Outcome out = validate(schema, text);
  for (const auto &problem : out.problems) UNSCOPED_INFO(problem);
  REQUIRE(out.problems.empty());
  return out.value;
}

} // namespace

TEST_CASE("each type takes its own values and names what it found otherwise") {
  CHECK(wrong("{'type':'string'}", "{'x':6379}") == "o.x: expected a string, found 6379");
  CHECK(wrong("{'type':'integer'}", "{'x':'6379'}") == "o.x: expected an integer, found \"6379\"");
  CHECK(wrong("{'type':'integer'}", "{'x':1.5}") == "o.x: expected an integer, found 1.5");
  CHECK(wrong("{'type':'number'}", "{'x':null}") == "o.x: expected a number, found null");
  CHECK(wrong("{'type':'boolean'}", "{'x':[]}") == "o.x: expected true or false, found an array");
  CHECK(wrong("{'type':'object'}", "{'x':true}") == "o.x: expected an object, found true");
  CHECK(wrong("{'type':'array'}", "{'x':{}}") == "o.x: expected an array, found an object");
  CHECK(wrong("{'type':['string','array','null']}", "{'x':1}") == "o.x: expected a string, an array or null, found 1");
  CHECK(right("{'type':['string','null']}", "{'x':null}") == R"({"x":null})");
  CHECK(right("{}", "{'x':{'any':[1]}}") == R"({"x":{"any":[1]}})");
}

TEST_CASE("a whole number that is written otherwise is an integer") {
  CHECK(right("{'type':'integer'}", "{'x':2.0}") == R"({"x":2})");
  CHECK(right("{'type':'integer'}", "{'x':1e3}") == R"({"x":1000})");
}

TEST_CASE("an integer larger than 63 bits is no integer") {
  CHECK_THAT(wrong("{'type':'integer'}", "{'x':18446744073709551615}"), StartsWith("o.x: expected an integer"));
}

TEST_CASE("defaults are filled in, also in objects that are defaults themselves") {
  CHECK(right("{'type':'integer','default':7}", "{}") == R"({"x":7})");
  CHECK(right("{'type':'object','default':{},'properties':{'y':{'format':'duration','default':'1s'}}}", "{}") ==
        R"({"x":{"y":1000}})");
  CHECK(right("{'type':'integer','default':7}", "{'x':8}") == R"({"x":8})");
}

TEST_CASE("durations and sizes become numbers, whatever type says") {
  CHECK(right("{'type':'string','format':'duration'}", "{'x':'5m'}") == R"({"x":300000})");
  CHECK(right("{'type':'string','format':'duration'}", "{'x':5}") == R"({"x":5})");
  CHECK(right("{'type':'integer','format':'bytes'}", "{'x':'64KiB'}") == R"({"x":65536})");
  CHECK_THAT(wrong("{'format':'bytes'}", "{'x':'64K'}"), StartsWith("o.x: expected a size (bytes, or a text such as"));
  CHECK_THAT(wrong("{'format':'duration'}", "{'x':-1}"), StartsWith("o.x: expected a duration"));
  CHECK_THAT(wrong("{'format':'duration'}", "{'x':1.5}"), StartsWith("o.x: expected a duration"));
}

TEST_CASE("minimum and maximum hold for numbers, and for durations and sizes as numbers") {
  CHECK(wrong("{'type':'integer','minimum':1}", "{'x':0}") == "o.x: expected at least 1, found 0");
  CHECK(wrong("{'type':'number','maximum':1}", "{'x':2}") == "o.x: expected at most 1, found 2");
  CHECK(wrong("{'format':'bytes','maximum':1024}", "{'x':'1MB'}") == "o.x: expected at most 1024, found 1000000");
  CHECK(right("{'type':'integer','minimum':1,'maximum':1}", "{'x':1}") == R"({"x":1})");
}

TEST_CASE("minLength counts characters") {
  CHECK(right("{'type':'string','minLength':2}", "{'x':'\xC3\xA4\xC3\xA4'}").size() == 12);
  CHECK(wrong("{'type':'string','minLength':3}", "{'x':'\xC3\xA4\xC3\xA4'}") ==
        "o.x: expected at least 3 characters, found \"\xC3\xA4\xC3\xA4\"");
  CHECK(wrong("{'type':'string','minLength':1}", "{'x':''}") == "o.x: expected a text that is not empty");
}

TEST_CASE("maxLength counts characters") {
  CHECK(right("{'type':'string','maxLength':2}", "{'x':'\xC3\xA4\xC3\xA4'}").size() == 12);
  CHECK(wrong("{'type':'string','maxLength':1}", "{'x':'\xC3\xA4\xC3\xA4'}") ==
        "o.x: expected at most 1 characters, found \"\xC3\xA4\xC3\xA4\"");
}

TEST_CASE("a pattern is looked for anywhere in a text") {
  CHECK(right("{'pattern':'b+'}", "{'x':'abbc'}") == R"({"x":"abbc"})");
  CHECK(wrong("{'pattern':'^b+$'}", "{'x':'abbc'}") ==
        "o.x: expected a text that fits the pattern ^b+$, found \"abbc\"");
  CHECK(right("{'pattern':'^b+$'}", "{'x':5}") == R"({"x":5})");
  CHECK_THAT(wrong("{'pattern':'^b+$','secret':true}", "{'x':'hidden'}"), !Contains("hidden"));
}

TEST_CASE("a text that is too long for the matcher is a problem and no crash") {
  CHECK(wrong("{'pattern':'^(a|b)*$'}", "{'x':'" + std::string(1'000'000, 'a') + "'}") ==
        "o.x: expected at most 4096 bytes, since it has a pattern");
  CHECK(right("{'pattern':'^(a|b)*$'}", "{'x':'" + std::string(4096, 'a') + "'}").size() == 4104);
}

TEST_CASE("choices are a oneOf of consts, or one const") {
  const std::string schema = "{'oneOf':[{'const':'lru','description':'d'},{'const':5}]}";
  CHECK(right(schema, "{'x':'lru'}") == R"({"x":"lru"})");
  CHECK(right(schema, "{'x':5}") == R"({"x":5})");
  CHECK(wrong(schema, "{'x':'lur'}") == "o.x: expected \"lru\" or 5, found \"lur\"; did you mean \"lru\"?");
  CHECK(wrong("{'const':'on'}", "{'x':'off'}") == "o.x: expected \"on\", found \"off\"");
}

TEST_CASE("enum lists its values and offers the nearest") {
  CHECK(wrong("{'enum':['none','data','full']}", "{'x':'ful'}") ==
        "o.x: expected \"none\", \"data\" or \"full\", found \"ful\"; did you mean \"full\"?");
  CHECK(wrong("{'enum':[1,2]}", "{'x':3}") == "o.x: expected 1 or 2, found 3");
}

TEST_CASE("a missing required field is named") {
  CHECK(validate("{}", "{}", true).problems == std::vector<std::string>{"o: the field \"x\" is missing"});
}

TEST_CASE("an unknown field is an error with the nearest known name, or with those there are") {
  CHECK(wrong("{'type':'object','properties':{'password':{},'user':{}}}", "{'x':{'pasword':'geheim'}}") ==
        "o.x.pasword: there is no such field; did you mean \"password\"?");
  CHECK(wrong("{'type':'object','properties':{'a':{},'b':{}}}", "{'x':{'other':1}}") ==
        "o.x.other: there is no such field; there are a and b");
  CHECK(wrong("{'type':'object'}", "{'x':{'other':1}}") ==
        "o.x.other: there is no such field; no field is expected here");
}

TEST_CASE("additionalProperties true takes other fields, a schema checks them") {
  CHECK(right("{'type':'object','additionalProperties':true}", "{'x':{'a':1}}") == R"({"x":{"a":1}})");
  CHECK(wrong("{'type':'object','additionalProperties':{'type':'string'}}", "{'x':{'a':1}}") ==
        "o.x.a: expected a string, found 1");
}

TEST_CASE("each item of an array is checked") {
  CHECK(wrong("{'type':'array','items':{'type':'string'}}", "{'x':['a',1]}") == "o.x.1: expected a string, found 1");
}

TEST_CASE("all problems are reported, not only the first") {
  CHECK(validate("{'type':'object','required':['c'],'properties':{'a':{'type':'string'},'b':{'minimum':1},'c':{}}}",
                 "{'x':{'a':1,'b':0,'d':0}, 'y':1}")
            .problems.size() == 5);
}

TEST_CASE("a schema is found through its $ref, and a keyword beside it stands in place of the target's") {
  json::object schema = json::parse(R"({"type":"object","$defs":{"n":{"type":"integer","default":1,"minimum":0}},
    "properties":{"a":{"$ref":"#/$defs/n"},"b":{"$ref":"#/$defs/n","default":2}}})")
                            .as_object();
  json::value value = json::object{};
  std::vector<Problem> problems;
  config::validate(schema, value, "", nullptr, problems);
  CHECK(json::serialize(value) == R"({"a":1,"b":2})");
  value.as_object()["a"] = -1;
  config::validate(schema, value, "", nullptr, problems);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0].text() == "a: expected at least 0, found -1");
}

TEST_CASE("a secret is never shown") {
  for (const char *schema : {"{'type':'integer','secret':true}", "{'enum':['a','geheimer'],'secret':true}",
                             "{'format':'bytes','secret':true}", "{'type':'string','minLength':9,'secret':true}",
                             "{'type':'array','items':{'type':'integer'},'secret':true}"}) {
    std::string value = std::string(schema).find("array") != std::string::npos ? "['geheim']" : "'geheim'";
    CHECK_THAT(wrong(schema, "{'x':" + value + "}"), !Contains("found \"geheim") && !Contains("mean"));
  }
  CHECK(wrong("{'type':'string','secret':true}", "{'x':1234}") ==
        "o.x: expected a string, found a number (not shown, since it is secret)");
}

TEST_CASE("a URL's password is never shown") {
  CHECK(wrong("{'type':'integer'}", "{'x':'redis://user:geheim@host:6379/0'}") ==
        "o.x: expected an integer, found \"redis://user:***@host:6379/0\"");
}

TEST_CASE("passwords are masked in every URL of a text, and nothing else is") {
  struct Case {
    const char *text, *masked;
  };
  auto one = GENERATE(values<Case>({
      {"redis://user:pw@host", "redis://user:***@host"},
      {"redis://:pw@host:6379", "redis://:***@host:6379"},
      {"a redis://u:p@h and http://v:q@i/x@y", "a redis://u:***@h and http://v:***@i/x@y"},
      {"redis://u:p@w@host", "redis://u:***@host"},
      {"redis://u:p/w?#x@host/0", "redis://u:***@host/0"},
      {"http://host:80/a@b", "http://host:80/a@b"},
      {"http://[::1]:80/a@b", "http://[::1]:80/a@b"},
      {"http://host/a:b@c", "http://host/a:b@c"},
      {"://", "://"},
      {"http://user@host", "http://user@host"},
      {"no url: me@host", "no url: me@host"},
  }));
  CHECK(config::without_passwords(one.text) == one.masked);
}

TEST_CASE("a long text is cut, and kept on one line") {
  std::string message = wrong("{'type':'integer'}", "{'x':'a\\n" + std::string(500, 'b') + "'}");
  CHECK(message.size() < 120);
  CHECK_THAT(message, Contains("\"a bbb") && Catch::Matchers::EndsWith("...\""));
}

TEST_CASE("the place is the value's, or the name's of an unknown field") {
  SourceMap places;
  places.add("o", {1, 1});
  places.add("o.x", {2, 9}, {2, 3});
  places.add("o.y", {3, 9}, {3, 3});
  json::object schema = json::parse(R"({"type":"object","properties":{"x":{"type":"string"}}})").as_object();
  json::value value = json::parse(R"({"x":1,"y":2})");
  std::vector<Problem> problems;
  config::validate(schema, value, "o", &places, problems);
  REQUIRE(problems.size() == 2);
  CHECK(problems[0].column == 9);
  CHECK(problems[1].column == 3);
}

TEST_CASE("a place that is not known is the nearest thing's around it") {
  SourceMap places;
  places.add("a", {1, 1});
  places.add(config::join("a", "b.c \"d\""), {2, 2});
  CHECK(places.find("a.x.y.0").line == 1);
  CHECK(places.find(config::join(config::join("a", "b.c \"d\""), "e")).line == 2);
  CHECK(places.find(config::join("a", "b.c")).line == 1);
  CHECK(places.find("z").line == 0);
  CHECK(places.find("\"\"\"").line == 0);
}

TEST_CASE("nearest finds slips of one or two letters, and nothing far off") {
  CHECK(config::nearest("memroy", {"fs", "memory", "redis"}) == "memory");
  CHECK(config::nearest("Driver", {"driver"}) == "driver");
  CHECK(config::nearest("optoins", {"optional", "options"}) == "options");
  CHECK(config::nearest("f", {"fs"}) == "fs");
  CHECK(config::nearest("invalidation", {"options", "ttl"}) == "");
  CHECK(config::nearest("x", {"y"}) == "");
  CHECK(config::nearest("", {"a"}) == "");
  CHECK(config::nearest(std::string(100'000, 'a'), {"a"}) == "");
}

TEST_CASE("masked shows no secret, no URL's password and nothing that the schema does not know") {
  json::object schema = json::parse(R"({"type":"object","$defs":{"t":{"type":"string","secret":true}},"properties":{
    "url":{"type":"string"},"token":{"$ref":"#/$defs/t"},"list":{"type":"array","items":{"$ref":"#/$defs/t"}},
    "deep":{"type":"object","properties":{"pw":{"secret":true},"n":{}}},"any":{"type":"object",
    "additionalProperties":{"secret":true}}}})")
                            .as_object();
  json::value options = json::parse(R"({"url":"redis://u:p@h","token":"a","list":["b"],"deep":{"pw":{"c":1},"n":1},
    "any":{"k":"d"},"other":"e"})");
  CHECK(
      json::serialize(config::masked(schema, options)) ==
      R"({"url":"redis://u:***@h","token":"***","list":["***"],"deep":{"pw":"***","n":1},"any":{"k":"***"},"other":"***"})");
}

TEST_CASE("a path becomes absolute, from the folder that is given") {
  const auto schema = boost::json::parse(R"({"type":"object","properties":{
      "a":{"type":"string","format":"path"},"b":{"type":"array","items":{"type":"string","format":"path"}},
      "c":{"type":"string","format":"path","default":"made"}}})")
                          .as_object();
  boost::json::value value = boost::json::parse(R"({"a":"./x/../y","b":["/abs","../z",""]})");
  std::vector<omnistore::Problem> problems;
  omnistore::config::validate(schema, value, {}, nullptr, problems, "/etc/omnistore");
  CHECK(problems.empty());
  CHECK(value == boost::json::parse(R"({"a":"/etc/omnistore/y","b":["/abs","/etc/z",""],"c":"/etc/omnistore/made"})"));
}

TEST_CASE("a path with a NUL in it is refused, and so is what other programs replace by a path") {
  const auto schema = boost::json::parse(R"({"properties":{"a":{"type":"string","format":"path"}}})").as_object();
  const std::string text =
      GENERATE(std::string("x\0y", 3), "file:data.db", "file:///tmp/data.db", "~/data", "~", "sqlite://data.db");
  INFO(text);
  boost::json::value value{{"a", text}};
  std::vector<omnistore::Problem> problems;
  omnistore::config::validate(schema, value, {}, nullptr, problems);
  CHECK(problems.size() == 1);
}

TEST_CASE("a path may have a tilde or a colon in its names") {
  const auto schema = boost::json::parse(R"({"properties":{"a":{"type":"string","format":"path"}}})").as_object();
  boost::json::value value{{"a", GENERATE("./~/data", "~data", "data~", "./file:x", "a:b")}};
  std::vector<omnistore::Problem> problems;
  omnistore::config::validate(schema, value, {}, nullptr, problems);
  CHECK(problems.empty());
}
