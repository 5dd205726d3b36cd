// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <map>

#include <memory>

#include <omnistore/options.hpp>

using omnistore::Failure;
using omnistore::Kind;
using omnistore::Options;

namespace {

/// Returns the message about options that cannot be read.
std::string refusal(const std::string &json) {
  try {
    Options options(json);
  } catch (const Failure &failure) {
    CHECK(failure.status() == OMNISTORE_INVALID);
    return failure.what();
  }
  return "accepted";
}

} // namespace

TEST_CASE("each kind of option is read") {
  const Options options(R"( { "base" : "./x", "size":1000, "ratio":0.25, "readOnly":true,
                             "ignore":["a","b"], "writeTo":[0,2], "tls":{"verify":false} } )");
  CHECK(options.string("base") == "./x");
  CHECK(options.integer("size") == 1000);
  CHECK(options.number("ratio") == 0.25);
  CHECK(options.boolean("readOnly"));
  CHECK(options.strings("ignore") == std::vector<std::string>{"a", "b"});
  CHECK(options.integers("writeTo") == std::vector<std::int64_t>{0, 2});
  CHECK_FALSE(options.object("tls").boolean("verify"));
  CHECK(options.raw("tls") == R"({"verify":false})");
}

TEST_CASE("an absent option and null give the fallback") {
  const Options options(R"({"gone":null})");
  for (const char *name : {"gone", "never"}) {
    CHECK_FALSE(options.has(name));
    CHECK(options.kind(name) == Kind::null);
    CHECK(options.string(name, "x") == "x");
    CHECK(options.integer(name, 7) == 7);
    CHECK(options.number(name, 1.5) == 1.5);
    CHECK(options.boolean(name, true));
    CHECK(options.strings(name, std::vector<std::string>{"y"}) == std::vector<std::string>{"y"});
    CHECK_FALSE(options.object(name).has("anything"));
    CHECK(options.raw(name).empty());
  }
}

TEST_CASE("an absent option without a fallback is refused by name") {
  CHECK_THROWS_WITH(Options("{}").string("base"), "option base: it is missing; expected a string");
}

TEST_CASE("an option of another kind is refused with both kinds") {
  const Options options(R"({"size":"big","list":["a",1]})");
  CHECK_THROWS_WITH(options.integer("size", 1), "option size: expected a number, found a string");
  CHECK_THROWS_WITH(options.strings("list"), "option list: expected only strings, found a number");
}

TEST_CASE("an object of strings is read as a map") {
  const Options options(R"({"headers":{"b":"2","a":"1","b":"3"},"mixed":{"a":"1","n":{}}})");
  const std::map<std::string, std::string> headers{{"a", "1"}, {"b", "3"}}, none;
  CHECK(options.string_map("headers") == headers);
  CHECK(options.string_map("absent", none).empty());
  CHECK_THROWS_WITH(options.string_map("absent"), "option absent: it is missing; expected an object");
  CHECK_THROWS_WITH(options.string_map("mixed"), "option mixed: expected an object of strings, found an object at n");
}

TEST_CASE("kind distinguishes options that may be of several") {
  const Options options(R"({"a":0,"b":[1],"c":"all","d":{},"e":false})");
  CHECK(options.kind("a") == Kind::number);
  CHECK(options.kind("b") == Kind::array);
  CHECK(options.kind("c") == Kind::string);
  CHECK(options.kind("d") == Kind::object);
  CHECK(options.kind("e") == Kind::boolean);
}

TEST_CASE("a number without a fraction is an integer, however it is written") {
  const Options options(R"({"a":5.0,"b":5e3,"c":-0,"d":9223372036854775807,"e":-9223372036854775808})");
  CHECK(options.integer("a") == 5);
  CHECK(options.integer("b") == 5000);
  CHECK(options.integer("c") == 0);
  CHECK(options.integer("d") == INT64_MAX);
  CHECK(options.integer("e") == INT64_MIN);
}

TEST_CASE("a number outside of 64-bit integers is refused as such") {
  for (const char *number : {"1.5", "9223372036854775808", "1e300", "-1e19"}) {
    const Options options(std::string(R"({"n":)") + number + "}");
    CHECK_THROWS_WITH(options.integer("n"),
                      Catch::Contains("option n: expected an integer of at most 64 bits") && Catch::Contains(number));
  }
  CHECK_THROWS_AS(Options(R"({"n":1e999})").number("n"), Failure);
}

TEST_CASE("every escape of a string is read") {
  const Options options(R"({"s":"\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac\ud83d\ude00\u0000"})");
  CHECK(options.string("s") == std::string("\"\\/\b\f\n\r\tA\u00e9\u20ac\U0001f600\0", 19));
}

TEST_CASE("escapes in an option's name count as their characters") {
  CHECK(Options(R"({"b\u0061se":"x"})").string("base") == "x");
}

TEST_CASE("UTF-8 goes through as it is") {
  CHECK(Options("{\"s\":\"\u00e9\U0001f600\"}").string("s") == "\u00e9\U0001f600");
}

TEST_CASE("the last of two options with one name counts") { CHECK(Options(R"({"a":1,"a":2})").integer("a") == 2); }

TEST_CASE("empty objects and arrays are stepped over") {
  const Options options(R"({"a":{},"b":[],"c":[[],{}],"d":{"e":{}},"f":1})");
  CHECK(options.integer("f") == 1);
  CHECK(options.strings("b").empty());
  CHECK(options.raw("c") == "[[],{}]");
}

TEST_CASE("options are one JSON object and nothing else") {
  for (const char *json : {"",
                           " ",
                           "[]",
                           "1",
                           "{",
                           "{}x",
                           "{} {}",
                           R"({"a"})",
                           R"({"a":})",
                           R"({"a":1,})",
                           R"({,})",
                           R"({"a":1 "b":2})",
                           R"({a:1})",
                           R"({'a':1})",
                           R"({"a":tru})",
                           R"({"a":nul})",
                           R"({"a":01})",
                           R"({"a":1.})",
                           R"({"a":.5})",
                           R"({"a":+1})",
                           R"({"a":1e})",
                           R"({"a":-})",
                           R"({"a":"x)",
                           R"({"a":"\x"})",
                           R"({"a":"\u12"})",
                           R"({"a":"\ud800"})",
                           R"({"a":"\ud800\u0041"})",
                           R"({"a":"\udc00"})",
                           "{\"a\":\"\n\"}",
                           R"({"a":[1,]})",
                           R"({"a":[1})",
                           R"({"a":NaN})"}) {
    INFO(json);
    CHECK(refusal(json).starts_with("options: "));
  }
}

TEST_CASE("nesting has a bound, so that no text overflows the stack") {
  CHECK(refusal("{\"a\":" + std::string(90, '[') + std::string(90, ']') + "}") == "accepted");
  CHECK(refusal("{\"a\":" + std::string(1'000'000, '[')) == "options: nested too deep (at byte 105)");
}

TEST_CASE("options outlive the text they were read from, and a copy the original") {
  std::string json = R"({"base":"a long enough text to be no small string","n":[1,2]})";
  auto first = std::make_unique<Options>(json);
  const Options second = *first;
  json.assign(json.size(), '#');
  first.reset();
  const Options third = second;
  CHECK(third.string("base") == "a long enough text to be no small string");
  CHECK(third.raw("n") == "[1,2]");
}
