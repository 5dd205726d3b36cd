// SPDX-License-Identifier: Apache-2.0
// Texts that are nearly right must give a Config or a ConfigError, and nothing else.
#include <random>

#include "support/temporary.hpp"
#include "unit/config_support.hpp"

#include <boost/json/object.hpp>

#include "config/config_schema.hpp"
#include "config/schema.hpp"

using namespace omnistore;

namespace {

const std::string_view pieces[] = {"{",
                                   "}",
                                   "[",
                                   "]",
                                   ":",
                                   ",",
                                   "\"",
                                   "\\",
                                   "\\u",
                                   "//",
                                   "/*",
                                   "*/",
                                   "null",
                                   "true",
                                   "-",
                                   "1e400",
                                   "0.5",
                                   "\xff",
                                   "\xF0\x9F",
                                   "${",
                                   "${A}",
                                   "${A:-",
                                   "$${",
                                   "\n",
                                   "\"\":",
                                   "\"mounts\":",
                                   "\"profiles\":",
                                   "\"test\":",
                                   "\"through\":[",
                                   "\"$ref\":\"#/$defs/mount\",",
                                   "\"default\":{},",
                                   std::string_view("\0", 1),
                                   "99999999999999999999"};

std::string mutated(std::string text, std::mt19937 &random) {
  auto below = [&](std::size_t n) { return n == 0 ? 0 : std::uniform_int_distribution<std::size_t>(0, n - 1)(random); };
  for (std::size_t times = 1 + below(4); times > 0; --times) {
    std::size_t at = below(text.size() + 1), length = std::min(below(20), text.size() - at);
    switch (below(4)) {
    case 0:
      text.erase(at, length);
      break;
    case 1:
      text.insert(at, pieces[below(std::size(pieces))]);
      break;
    case 2:
      text.insert(at, text.substr(below(text.size() + 1), below(60)));
      break;
    default:
      if (at < text.size()) text[at] = static_cast<char>(below(256));
    }
  }
  return text;
}

} // namespace

TEST_CASE("a config that was changed at random is read or refused, and nothing else happens") {
  std::mt19937 random(20240611);
  const std::string start = test::read_file(std::string(OMNISTORE_SOURCE) + "/config/default.jsonc");
  std::string text = start;
  unsigned read = 0, refused = 0;
  for (int i = 0; i < 3000; ++i) {
    text = mutated(i % 8 == 0 ? start : text, random);
    try {
      test::parse(text, i % 2 ? "test" : "", {{"A", "\xff\""}, {"B", ""}});
      ++read;
    } catch (const ConfigError &error) {
      ++refused;
      if (error.problems().empty()) FAIL("refused without a problem");
    }
  }
  CHECK(read > 100);
  CHECK(refused > 1000);
}

TEST_CASE("a schema that was changed at random is accepted or refused, and nothing else happens") {
  std::mt19937 random(7);
  unsigned accepted = 0, refused = 0;
  for (int i = 0; i < 2000; ++i) {
    boost::json::object into;
    std::string wrong = config::check_schema(mutated(config::schema_text, random), into);
    ++(wrong.empty() ? accepted : refused);
    if (wrong.empty()) config::manual(into);
  }
  CHECK(accepted > 20);
  CHECK(refused > 1000);
}
