// SPDX-License-Identifier: Apache-2.0
#include "unit/config_support.hpp"

using namespace omnistore;
using Catch::Matchers::Contains;
using test::parse;
using test::problem;
using test::problems;

namespace {

std::string prefix(const std::string &text, const test::Variables &variables = {}) {
  return parse("{\"prefix\":\"" + text + "\"}", "", variables).prefix;
}

} // namespace

TEST_CASE("a variable's value is put into a text") {
  CHECK(prefix("a-${X}-b", {{"X", "1"}}) == "a-1-b");
  CHECK(prefix("${X}${Y_2}", {{"X", "1"}, {"Y_2", "2"}}) == "12");
}

TEST_CASE("a default is taken if the variable is unset or empty") {
  CHECK(prefix("${X:-d}") == "d");
  CHECK(prefix("${X:-d}", {{"X", ""}}) == "d");
  CHECK(prefix("${X:-d}", {{"X", "v"}}) == "v");
  CHECK(prefix("${X:-}") == "");
}

TEST_CASE("a default may hold variables with defaults of their own") {
  CHECK(prefix("${A:-${B}}", {{"B", "b"}}) == "b");
  CHECK(prefix("${A:-${B:-c}}") == "c");
  CHECK(prefix("x${A:-1${B:-2${C:-3}4}5}y") == "x12345y");
  CHECK(prefix("${A:-${B:-${C}}}", {{"C", "deep"}}) == "deep");
  CHECK(prefix("${A:-${B}-${C}}", {{"B", "b"}, {"C", "c"}}) == "b-c");
}

TEST_CASE("a default ends at the brace that closes it, and braces within it come in pairs") {
  CHECK(prefix("${A:-{a}}") == "{a}");
  CHECK(prefix("${A:-{a}}", {{"A", "v"}}) == "v");
  CHECK(prefix("${A:-$${B}}") == "${B}");
  CHECK(prefix("${A:-$${B}}", {{"A", "v"}}) == "v");
  CHECK(prefix("${A:-$}${B:-$$}") == "$$$");
  for (const char *bad : {"${A:-${B}", "${A:-{}", "${A:-${B:-c}", "${X:-redis-${}"})
    CHECK_THAT(problem("{\"prefix\":\"" + std::string(bad) + "\"}"), Contains("no closing }"));
}

TEST_CASE("a default that is not needed must be well formed, and its variables need not be set") {
  CHECK(prefix("${A:-${B}}", {{"A", "a"}}) == "a");
  CHECK(prefix("${A:-${B:-${C}}}", {{"B", "b"}}) == "b");
  CHECK_THAT(problem(R"({"prefix":"${A:-${1}}"})", "", {{"A", "a"}}), Contains("expected the name"));
}

TEST_CASE("a variable that a default needs and that is not set is named") {
  CHECK_THAT(problem(R"({"prefix":"${A:-${B}}"})"), Contains("the environment variable B is not set"));
}

TEST_CASE("defaults nested without end are refused") {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "${A:-";
  text.append(100'000, '}');
  CHECK_THAT(problem("{\"prefix\":\"" + text + "\"}"), Contains("more than 32 defaults"));
}

TEST_CASE("a malformed variable in a profile that is not chosen is found") {
  CHECK_THAT(problem(R"({"profiles":{"p":{"prefix":"${A:-${B}"}}})"), Contains("no closing }"));
}

TEST_CASE("a variable that is set to nothing, without a default, is nothing") {
  CHECK(prefix("a${X}", {{"X", ""}}) == "a");
}

TEST_CASE("$${ gives ${, and any other $ is itself") {
  CHECK(prefix("$${X}") == "${X}");
  CHECK(prefix("$X $ $$") == "$X $ $$");
  CHECK(prefix("$$${X}", {{"X", "1"}}) == "$${X}");
}

TEST_CASE("the content of a variable is not expanded again") { CHECK(prefix("${X}", {{"X", "${Y}"}}) == "${Y}"); }

TEST_CASE("variables are not put into names") {
  auto config = parse(R"({"mounts":{"${X}":{"driver":"m"}}})", "", {{"X", "a"}});
  CHECK(config.mounts.contains("${X}"));
}

TEST_CASE("a missing variable without a default is an error that names it and its place") {
  CHECK(
      problem("{\"mounts\":{\"s\":{\"driver\":\"r\",\n\"options\":{\"url\":\"${REDIS_URL}\"}}}}") ==
      "mounts.s.options.url: the environment variable REDIS_URL is not set; set it, or write ${REDIS_URL:-default} to "
      "give a default (line 2, column 18)");
}

TEST_CASE("a missing variable is one problem, and not a wrong value too") {
  CHECK_THAT(problem(R"({"log":{"level":"${L}"}})"), Contains("L is not set"));
}

TEST_CASE("a malformed ${ is an error") {
  for (const char *bad : {"${}", "${1X}", "${A B}", "${A", "${A-b}", "${:-b}"})
    CHECK_THAT(problem("{\"prefix\":\"" + std::string(bad) + "\"}"), Contains("a plain ${ is written $${"));
}

TEST_CASE("a variable that is not UTF-8 is an error") {
  CHECK_THAT(problem(R"({"prefix":"${X}"})", "", {{"X", "\xff"}}), Contains("X is not valid UTF-8"));
}

TEST_CASE("only the chosen profile's variables are needed") {
  const char *text = R"({"ttl":"${TTL}","profiles":{"p":{"ttl":"1s"},"q":{"prefix":"${NAME}","log":{"level":"${L}"},
      "admin":{"idleTimeout":"${T}","tokens":[{"value":"${K}"}]}}}})";
  CHECK(parse(text, "p").ttl == 1000);
  CHECK(problems(text, "q").size() == 5);
  CHECK(parse(text, "", {{"TTL", "2s"}}).ttl == 2000);
}

TEST_CASE("a duration or size may come from a variable, with or without its unit") {
  CHECK(parse(R"({"ttl":"${T}"})", "", {{"T", "5m"}}).ttl == 300'000);
  CHECK(parse(R"({"ttl":"${T}"})", "", {{"T", "250"}}).ttl == 250);
}

TEST_CASE("without an environment nothing is set") {
  CHECK(Config::parse(R"({"prefix":"${X:-d}"})", "", "", nullptr).prefix == "d");
}
