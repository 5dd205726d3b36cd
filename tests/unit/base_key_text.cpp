// SPDX-License-Identifier: Apache-2.0
#include <random>
#include <set>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include "base/key_text.hpp"
#include "base/printable.hpp"

using omnistore::base::key_text;

namespace {

/// What `--from` makes of a line.
std::string read_back(const std::string &text) {
  return text.starts_with('"') ? std::string(boost::json::parse(text).as_string()) : text;
}

} // namespace

TEST_CASE("a key that can be mistaken for nothing else is printed as it is") {
  for (const char *key :
       {"a", "user:1", "a b", "a\"b", "a{b}", "a\\b", "[a,b]", "-x", "#", "caf\u00e9", "\u65e5\u672c", "\U0001f600"})
    CHECK(key_text(key) == key);
}

TEST_CASE("a key that could be taken for another, or that acts on a terminal, is printed as a JSON string") {
  CHECK(key_text("tmp:a\nprod:db") == R"("tmp:a\nprod:db")");
  CHECK(key_text("\"user:1\"") == R"("\"user:1\"")");
  CHECK(key_text("{\"key\":\"x\"}") == R"("{\"key\":\"x\"}")");
  CHECK(key_text(" a") == R"(" a")");
  CHECK(key_text("a ") == R"("a ")");
  CHECK(key_text("a\r") == R"("a\u000d")");
  CHECK(key_text("a\x1b[31m") == R"("a\u001b[31m")");
  CHECK(key_text("a\x7f") == R"("a\u007f")");
  CHECK(key_text("a\u009b") == R"("a\u009b")");
  CHECK(key_text("a\u202eb") == R"("a\u202eb")");
  CHECK(key_text("a\u2066b") == R"("a\u2066b")");
  CHECK(key_text("a\u2028b") == R"("a\u2028b")");
  CHECK(key_text("\ufeff"
                 "a") == R"("\ufeffa")");
  CHECK(key_text("a\u200b") == R"("a\u200b")");
  CHECK(key_text("a\u00a0") == R"("a\u00a0")");
  CHECK(key_text("a\U000e0041") == R"("a\udb40\udc41")");
}

TEST_CASE("every key is read back from its text, which is one line that no terminal acts on") {
  std::mt19937 random(17);
  const std::string parts[] = {"a",      "b:c",    "\"",     "{",      "}",          "\\",         "\\n",
                               "\n",     "\r",     "\t",     " ",      "\x01",       "\x1b",       "\x7f",
                               "u0041",  "\u0085", "\u009b", "\u061c", "\u200b",     "\u200e",     "\u2028",
                               "\u202e", "\u2069", "\ufeff", "\u00e9", "\U0001f600", "\U000e0001", "\ufffd"};
  std::set<std::string> texts, keys;
  for (int i = 0; i < 20'000; ++i) {
    std::string key;
    for (std::size_t count = 1 + random() % 5; count > 0; --count) key += parts[random() % std::size(parts)];
    const std::string text = key_text(key);
    REQUIRE(read_back(text) == key);
    REQUIRE(omnistore::base::printable(text) == text);
    keys.insert(key);
    texts.insert(text);
  }
  CHECK(texts.size() == keys.size());
}
