// SPDX-License-Identifier: Apache-2.0
// Texts of files in a config: ${file:PATH} and ${credential:NAME}.
#include <filesystem>

#include <sys/stat.h>

#include "support/temporary.hpp"
#include "unit/config_support.hpp"

using namespace omnistore;
using Catch::Matchers::Contains;
using test::parse;
using test::problem;
using test::problems;

namespace {

std::string prefix_field(const std::string &text) { return "{\"prefix\":\"" + text + "\"}"; }

std::string prefix(const std::string &text, const test::Variables &variables = {}) {
  return parse(prefix_field(text), "", variables).prefix;
}

} // namespace

TEST_CASE("a file's text is put into a text, without the newline at its end") {
  const test::Folder folder;
  test::write_file(folder / "one", "s3cret\n");
  test::write_file(folder / "two", "a\n\n");
  test::write_file(folder / "dos", "a\r\n");
  CHECK(prefix("x-${file:" + folder / "one" + "}-y") == "x-s3cret-y");
  CHECK(prefix("${file:" + folder / "two" + "}") == "a\n");
  CHECK(prefix("${file:" + folder / "dos" + "}") == "a");
}

TEST_CASE("the path of a file may contain variables, and a file may have a default") {
  const test::Folder folder;
  test::write_file(folder / "one", "s3cret");
  test::write_file(folder / "empty", "\n");
  CHECK(prefix("${file:${DIR:-/none}/one}", {{"DIR", folder.path().string()}}) == "s3cret");
  CHECK(prefix("${file:" + folder / "none" + ":-d}") == "d");
  CHECK(prefix("${file:" + folder / "empty" + ":-d}") == "d");
  CHECK(prefix("${file:" + folder / "one" + ":-d}") == "s3cret");
  CHECK(prefix("${X:-${file:" + folder / "one" + "}}") == "s3cret");
}

TEST_CASE("a relative path of a file starts at the config's folder") {
  const test::Folder folder;
  test::write_file(folder / "one", "s3cret");
  test::write_file(folder / "x.jsonc", prefix_field("${file:one}"));
  CHECK(Config::load(folder / "x.jsonc").prefix == "s3cret");
}

TEST_CASE("a file that cannot be read is a problem with line and column") {
  const test::Folder folder;
  CHECK(problem("{\n  \"prefix\": \"${file:" + folder / "none" + "}\" }") ==
        "prefix: the file " + folder / "none" + " cannot be read: No such file or directory (line 2, column 13)");
  CHECK_THAT(problem(prefix_field("${file:" + folder.path().string() + "}")), Contains("no regular file"));
  REQUIRE(::mkfifo((folder / "pipe").c_str(), 0600) == 0);
  CHECK_THAT(problem(prefix_field("${file:" + folder / "pipe" + "}")), Contains("no regular file"));
  test::write_file(folder / "long", std::string(65 * 1024, 'x'));
  CHECK_THAT(problem(prefix_field("${file:" + folder / "long" + "}")), Contains("more than 64 KiB"));
  test::write_file(folder / "bytes", "\xff\xfe");
  CHECK_THAT(problem(prefix_field("${file:" + folder / "bytes" + "}")), Contains("not valid UTF-8"));
  for (const char *bad : {"${file:}", "${credential:}"})
    CHECK_THAT(problem(prefix_field(bad)), Contains("expected ${"));
}

TEST_CASE("a credential is a file in the folder that the service manager names") {
  const test::Folder folder;
  test::write_file(folder / "token", "s3cret\n");
  const test::Variables there{{"CREDENTIALS_DIRECTORY", folder.path().string()}};
  CHECK(prefix("${credential:token}", there) == "s3cret");
  CHECK(prefix("${credential:none:-d}", there) == "d");
  CHECK_THAT(problem(prefix_field("${credential:none}"), "", there), Contains("No such file"));
  CHECK_THAT(problem(prefix_field("${credential:../token}"), "", there), Contains("expected ${credential:NAME}"));
  CHECK_THAT(problem(prefix_field("${credential:token}")), Contains("CREDENTIALS_DIRECTORY is not set"));
}

TEST_CASE("the problems of a config do not show the texts of files") {
  const test::Folder folder;
  test::write_file(folder / "one", "s3cret-text");
  for (const char *field : {R"({"ttl":"${F}"})", R"({"log":{"level":"${F}"}})",
                            R"({"server":{"http":{"listen":"${F}"}}})", R"({"server":{"http":{"tokens":"${F}"}}})"}) {
    std::string text = field;
    text.replace(text.find("${F}"), 4, "${file:" + folder / "one" + "}");
    const std::string shown = problem(text);
    INFO(shown);
    CHECK(shown.find("s3cret") == std::string::npos);
  }
}

TEST_CASE("a config without an environment reads no file") {
  const test::Folder folder;
  test::write_file(folder / "one", "s3cret");
  CHECK_THROWS_WITH(Config::parse(prefix_field("${file:" + folder / "one" + "}")), Contains("files are not read here"));
}

TEST_CASE("a malformed file in a profile that is not chosen is found, and its file is not read") {
  CHECK_THAT(problem(R"({"profiles":{"p":{"prefix":"${file:}"}}})"), Contains("expected ${file:PATH}"));
  CHECK(problems(R"({"profiles":{"p":{"prefix":"${file:/none/at/all}"}}})").empty());
}
