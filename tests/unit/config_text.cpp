// SPDX-License-Identifier: Apache-2.0
#include "unit/config_support.hpp"

using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using test::parse;
using test::problem;
using test::problems;

TEST_CASE("comments of both kinds and commas after the last are allowed") {
  auto config = parse(R"(// head
  { /* a */ "prefix": /* b */ "app", // c
    "mounts": { "": { "driver": "memory", }, },
    "server": { "http": { "hosts": [ "a", "b", ], }, },
  } // tail)");
  CHECK(config.prefix == "app");
  CHECK(config.mounts.size() == 1);
  CHECK(config.http.hosts == std::vector<std::string>{"a", "b"});
}

TEST_CASE("a byte order mark at the beginning is no error") { CHECK(problems("\xEF\xBB\xBF{}").empty()); }

TEST_CASE("a syntax error names line, column and what was expected") {
  struct Case {
    const char *text, *message;
  };
  auto wrong = GENERATE(values<Case>({
      {"", "expected a value, found the end of the file (line 1, column 1)"},
      {"{", "expected a name in double quotes or '}', found the end of the file (line 1, column 2)"},
      {"{\n  \"prefix\" \"a\" }", "expected ':' after the name, found '\"' (line 2, column 12)"},
      {"{ \"prefix\": \"a\"\n  \"ttl\": 1 }", "expected ',' or '}' after the value, found '\"' (line 2, column 3)"},
      {"{ prefix: 1 }", "expected a name in double quotes or '}', found 'p' (line 1, column 3)"},
      {"{,}", "expected a name in double quotes or '}', found ',' (line 1, column 2)"},
      {"{ \"ttl\": }", "expected a value, found '}' (line 1, column 10)"},
      {"{ \"ttl\": [1 2] }", "expected ',' or ']' after the value, found '2' (line 1, column 13)"},
      {"{ \"prefix\": 'a' }", "expected a value, found '; a text needs double quotes (line 1, column 13)"},
      {"{} x", "expected the end of the file, found 'x' (line 1, column 4)"},
      {"{ \"ttl\": 012 }", "this is not a JSON number such as 10, -1.5 or 2e9 (line 1, column 10)"},
      {"{ \"ttl\": 1e999 }", "this number is too large (line 1, column 10)"},
      {"{ \"ttl\": 5m }", "expected a number, found letters in it; a text, or a number with a unit, needs double "
                          "quotes (line 1, column 10)"},
      {"{} /* a", "the comment that begins here has no end (line 1, column 4)"},
      {"{ \"prefix\": \"a }", "the text that begins here has no closing quote (line 1, column 13)"},
      {"{ \"prefix\": \"a\n\" }", "the text that begins here has no closing quote in its line (line 1, column 13)"},
      {"{ \"prefix\": \"C:\\dir\" }",
       "expected one of \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u; write \\\\ for a backslash "
       "(line 1, column 16)"},
      {"{ \"prefix\": \"\\u12\" }", "expected four hexadecimal digits after \\u (line 1, column 14)"},
      {"{ \"prefix\": \"\\ud800\" }", "a \\u escape in this text is half of a pair (line 1, column 13)"},
      {"{ \"prefix\": \"\xff\" }", "this text is not valid UTF-8 (line 1, column 13)"},
      {"{ \"prefix\": \"a\tb\" }", "a text cannot hold the byte 0x09; write control characters as \\u and four "
                                   "hexadecimal digits (line 1, column 15)"},
      {"{ \xE2\x80\x9Cttl\xE2\x80\x9D: 1 }",
       "expected a name in double quotes or '}', found '\xE2\x80\x9C' (line 1, column 3)"},
      {"{ \"ttl\": \x01 }", "expected a value, found the byte 0x01 (line 1, column 10)"},
  }));
  CHECK(problem(wrong.text) == wrong.message);
}

TEST_CASE("a word without quotes is not shown, since it might be a secret") {
  CHECK_THAT(problem(R"({ "prefix": hunter2 })"), StartsWith("expected a value, found 'h';") && !Contains("unter"));
}

TEST_CASE("columns count characters, not bytes") {
  CHECK_THAT(problem("{ \"\xC3\xA4\xE2\x82\xAC\": 1 }"), Contains("(line 1, column 3)"));
  CHECK_THAT(problem("{ \"$schema\": \"\xC3\xA4\xE2\x82\xAC\", \"ttl\": -1 }"), Contains("(line 1, column 27)"));
}

TEST_CASE("a name that stands twice in an object is an error, with both lines") {
  CHECK(problem("{\n \"ttl\": 1,\n \"ttl\": 2 }") ==
        "ttl: is given twice; the first one is in line 2 (line 3, column 2)");
}

TEST_CASE("a config larger than a MiB, or deeper than 64, is refused") {
  CHECK(problem(std::string(1024 * 1024 + 1, ' ')) == "the file is larger than 1048576 bytes (line 1, column 1)");
  CHECK_THAT(problem("{ \"ttl\": " + std::string(100'000, '[')), StartsWith("more than 64 objects and arrays"));
}

TEST_CASE("a config must be an object") {
  CHECK(problem("[]") == "expected an object, found an array (line 1, column 1)");
}

TEST_CASE("a problem's text leaves out unknown parts") {
  omnistore::Problem problem{"a.b", "wrong", 0, 0};
  CHECK(problem.text() == "a.b: wrong");
  problem.line = 3;
  CHECK(problem.text() == "a.b: wrong (line 3)");
  problem.path.clear();
  problem.column = 4;
  CHECK(problem.text() == "wrong (line 3, column 4)");
}

TEST_CASE("an error's text has a line a problem, headed by the file's name") {
  omnistore::ConfigError error("omnistore.jsonc", {{"a", "one", 1, 2}, {"b", "two", 0, 0}});
  CHECK(std::string(error.what()) == "omnistore.jsonc:\n  a: one (line 1, column 2)\n  b: two");
  CHECK(error.status() == omnistore::Status::invalid);
}

TEST_CASE("each status has a name, and an unknown one is internal") {
  CHECK(omnistore::status_name(omnistore::Status::not_found) == "not_found");
  CHECK(omnistore::status_name(omnistore::Status::read_only) == "read_only");
  CHECK(omnistore::status_name(static_cast<omnistore::Status>(131)) == "internal");
}
