// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <filesystem>
#include <sstream>
#include <string>

#include <abi/run.hpp>
#include <support/temporary.hpp>

namespace {

/// Returns the error of omnistore_add_driver's check of a schema's text; empty if it was embedded.
std::string check(const std::string &schema) {
  test::Folder folder;
  test::write_file(folder / "options.schema.json", schema);
  const test::Ran ran =
      test::run(ABI_CMAKE " -DSCHEMA=" + (folder / "options.schema.json") + " -DHEADER=" + (folder / "schema.h") +
                " -P " OMNISTORE_SOURCE "/sdk/cmake/embed_schema.cmake");
  CHECK((ran.code == 0) == std::filesystem::exists(folder / "schema.h"));
  std::istringstream words(ran.code == 0 ? "" : ran.output); // which CMake has broken into lines
  std::string said, word;
  while (words >> word) said += word + " ";
  return said;
}

} // namespace

TEST_CASE("a schema that is not one JSON object stops the build") {
  for (const char *text : {"", "{", "{\"a\":}", "not JSON", "{} {}", "{} x"}) {
    INFO(text);
    CHECK_THAT(check(text), Catch::Contains("options.schema.json"));
  }
  for (const char *text : {"[]", "1", "\"x\"", "null", "{}, {}"}) {
    INFO(text);
    CHECK_THAT(check(text), Catch::Contains("a schema of options is one JSON object"));
  }
  CHECK(check("{\"type\": \"object\"}") == "");
}

TEST_CASE("a schema that no host would take stops the build") {
  const auto of_x = [](const std::string &schema) {
    return check("{\"type\": \"object\", \"properties\": {\"x\": " + schema + "}}");
  };
  using Catch::Contains;
  CHECK_THAT(check("{}"), Contains("\"type\" must be \"object\""));
  CHECK_THAT(of_x("{\"minimun\": 1}"), Contains("properties.x: the keyword \"minimun\" is not known"));
  CHECK_THAT(of_x("{\"type\": \"int\"}"), Contains("properties.x: there is no type \"int\""));
  CHECK_THAT(of_x("[]"), Contains("properties.x: expected a schema"));
  CHECK_THAT(of_x("{\"items\": {\"anyOf\": []}}"), Contains("properties.x.items: the keyword \"anyOf\""));
  CHECK_THAT(of_x("{\"type\": \"object\", \"properties\": {\"y\": {\"z\": 1}}}"),
             Contains("properties.x.properties.y: the keyword \"z\""));
  CHECK(of_x("{\"oneOf\": [{\"const\": \"a;b\"}], \"pattern\": \"^a$\", \"maxLength\": 3, \"secret\": true}") == "");
  CHECK(of_x("{\"type\": [\"string\", \"null\"], \"additionalProperties\": {\"type\": \"string\"}}") == "");
}

TEST_CASE("a schema reaches the plugin byte for byte, in C and in C++") {
  const std::string schema = "{\n\t\"type\": \"object\", \"title\": \"q\\\"uote \\\\ ;[semi];colon ?\?/ ${X} @Y@ $<Z> "
                             "\xc3\xa9\",\n  \"description\": \"" +
                             std::string(5000, 'x') + "\"\n}";
  test::Folder folder;
  test::write_file(folder / "s.json", schema + "\n");
  REQUIRE(test::run(ABI_CMAKE " -DSCHEMA=" + (folder / "s.json") + " -DHEADER=" + (folder / "omnistore_schema.h") +
                    " -P " OMNISTORE_SOURCE "/sdk/cmake/embed_schema.cmake")
              .code == 0);
  const std::string program = "#include <stdio.h>\n#include <omnistore_schema.h>\nint main(void) { "
                              "fputs(OMNISTORE_OPTIONS_SCHEMA, stdout); }\n";
  for (const char *compile : {ABI_CC " -std=c11 -x c", ABI_CXX " -std=c++20 -x c++"}) {
    test::write_file(folder / "print", program);
    const test::Ran built = test::run(std::string(compile) + " -I" + folder.path().string() + " " + (folder / "print") +
                                      " -o " + (folder / "run"));
    INFO(built.output);
    REQUIRE(built.code == 0);
    CHECK(test::run(folder / "run").output == schema);
  }
}
