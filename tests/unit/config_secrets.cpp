// SPDX-License-Identifier: Apache-2.0
// No message shows a token, in whatever wrong form it was written.
#include <omnistore/config.hpp>

#include "config/secrets.hpp"
#include "config_support.hpp"

using test::problem;
using test::problems;

namespace {

/// The problems of a config whose listener, or whose profile's, has such tokens.
std::vector<std::string> with_tokens(const std::string &tokens, bool in_profile) {
  const std::string listener = R"({ "tokens": )" + tokens + " }";
  return problems(in_profile ? R"({ "profiles": { "p": { "server": { "http": )" + listener + " } } } }"
                             : R"({ "admin": )" + listener + " }",
                  {}, {{"TOKEN", "S3CRET-ENV"}});
}

} // namespace

TEST_CASE("a token is shown in no message, in whatever wrong form it was written") {
  for (const char *tokens : {R"("S3CRET")",
                             R"(["S3CRET"])",
                             R"([["S3CRET"]])",
                             R"({ "S3CRET": true })",
                             R"([{ "S3CRET": true }])",
                             R"([{ "S3CRET": 1, "S3CRET": 2 }])",
                             R"([{ "value": ["S3CRET"] }])",
                             R"([{ "value": { "S3CRET": 1 } }])",
                             R"([{ "value": "x", "write": "S3CRET" }])",
                             R"([{ "value": "x", "bases": "S3CRET" }])",
                             R"([{ "value": "x", "bases": ["../S3CRET"] }])",
                             R"([{ "value": "x", "bases": [{ "S3CRET": 1 }] }])",
                             R"([{ "token": "S3CRET" }])",
                             R"([S3CRET])",
                             R"(['S3CRET'])",
                             R"(["S3CRET])",
                             R"([{ "value": "S3CRET" "x" }])",
                             R"(["S3CRET\q"])",
                             R"([{ "S3CRET": "${" }])",
                             R"([{ "value": "${S3CRET-x}" }])",
                             R"([{ "value": 53, "S3C": 1 }])",
                             R"("${TOKEN:-}")",
                             R"(["${TOKEN}"])",
                             R"([{ "value": "x", "write": "${TOKEN}" }])"}) {
    for (const bool in_profile : {false, true}) {
      for (const std::string &each : with_tokens(tokens, in_profile)) {
        INFO(tokens << ": " << each);
        CHECK(each.find("S3C") == std::string::npos);
        CHECK(each.find("(line 1, column ") != std::string::npos);
      }
    }
    CHECK_FALSE(with_tokens(tokens, false).empty());
  }
}

TEST_CASE("a number is no token and is not shown as one") {
  CHECK(problem(R"({ "admin": { "tokens": [{ "value": 123456789 }] } })") ==
        "admin.tokens.0.value: expected a string, found a number (not shown, since it is secret) (line 1, column 36)");
}

TEST_CASE("a misspelt field of a token is hinted at without its name") {
  CHECK(problem(R"({ "admin": { "tokens": [{ "value": "x", "wriet": true }] } })") ==
        "admin.tokens.0.***: there is no such field; did you mean \"write\"? (line 1, column 41)");
}

TEST_CASE("the value of a variable is not shown if it does not fit") {
  const test::Variables variables{{"TOKEN", "S3CRET"}};
  CHECK(problem(R"({ "log": { "slow": "${TOKEN}" } })", {}, variables).find("found \"${TOKEN}\", whose value is not") !=
        std::string::npos);
  for (const char *text : {R"({ "log": { "level": "${TOKEN}" } })", R"({ "log": { "json": "x${TOKEN}" } })",
                           R"({ "admin": { "listen": "${TOKEN}" } })", R"({ "mounts": { "a": "${TOKEN}" } })"}) {
    INFO(text);
    CHECK(problem(text, {}, variables).find("S3CRET") == std::string::npos);
  }
}

TEST_CASE("the bases of a token stay visible in other messages") {
  CHECK(problem(R"({ "admin": { "tokens": [{ "value": "x", "bases": ["shared"] }] }, "mounts": { "shared": 1 } })")
            .starts_with("mounts.shared: expected an object"));
}

TEST_CASE("every secret in a text is masked unless it is too short to be one") {
  CHECK(omnistore::config::without_secrets("abcd and abcdabcd, abc", {"abcd", "abc"}) == "*** and ******, abc");
}

TEST_CASE("the admin listener is for every user only if its config says so") {
  CHECK_FALSE(test::parse("{}").admin.any_user);
  CHECK(test::parse(R"({ "admin": { "anyUser": true } })").admin.any_user);
  CHECK(test::parse("{}").http.any_user);
}

TEST_CASE("a secret that contains another one, or overlaps with it, is hidden whole") {
  using omnistore::config::without_secrets;
  for (const std::vector<std::string> &secrets :
       {std::vector<std::string>{"pass", "password1", "word1234"}, {"word1234", "password1", "pass"}}) {
    CHECK(without_secrets("a pass, a password1.", secrets) == "a ***, a ***.");
    CHECK(without_secrets("password1234!", secrets) == "***!");
    CHECK(without_secrets("passpass", secrets) == "******");
    CHECK(without_secrets("nothing of the kind", secrets) == "nothing of the kind");
  }
  CHECK(without_secrets("aaaaaa", {"aaaa"}) == "***");
  CHECK(without_secrets("an abc", {"abc"}) == "an abc"); // too short
}
