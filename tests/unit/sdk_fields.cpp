// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <map>
#include <string>
#include <vector>

#include <omnistore/driver.hpp>

namespace {

struct Few {
  std::string greeting;
  int times = 0;
  bool loud = false;
  std::vector<std::string> names;
  std::int64_t offset = 0;
  std::uint8_t small = 0;

  static constexpr void fields(auto each) {
    each("greeting", &Few::greeting, "say \"hi\"", "What is said");
    each("times", &Few::times, 3);
    each("loud", &Few::loud, true, "Whether it is shouted");
    each("names", &Few::names, "Who is greeted");
    each("offset", &Few::offset, INT64_MIN);
    each.required("small", &Few::small, "A small number");
  }
};

Few fill(std::string_view json) {
  Few into;
  Few::fields(omnistore::sdk::Filler<Few>{into, omnistore::Options(json)});
  return into;
}

} // namespace

TEST_CASE("a struct's options have their defaults if the config does not set them") {
  const Few few = fill(R"({"small":1})");
  CHECK(few.greeting == "say \"hi\"");
  CHECK(few.times == 3);
  CHECK(few.loud);
  CHECK(few.names.empty());
  CHECK(few.offset == INT64_MIN);
}

TEST_CASE("a struct's options are filled from the config") {
  const Few few = fill(R"({"greeting":"","times":-2,"loud":false,"names":["a","b"],"offset":5,"small":255})");
  CHECK(few.greeting.empty());
  CHECK(few.times == -2);
  CHECK_FALSE(few.loud);
  CHECK(few.names == std::vector<std::string>{"a", "b"});
  CHECK(few.offset == 5);
  CHECK(few.small == 255);
}

TEST_CASE("a required option of a struct must be there") {
  CHECK_THROWS_WITH(fill("{}"), "option small: it is missing; expected a number");
}

namespace {

struct Maps {
  std::map<std::string, std::string> headers, needed;
  static constexpr void fields(auto each) {
    each("headers", &Maps::headers, "What is sent");
    each.required("needed", &Maps::needed);
  }
};

} // namespace

TEST_CASE("an option may be a map of strings") {
  Maps maps;
  Maps::fields(omnistore::sdk::Filler<Maps>{maps, omnistore::Options(R"({"needed":{"a":"b"}})")});
  CHECK(maps.headers.empty());
  CHECK(maps.needed == std::map<std::string, std::string>{{"a", "b"}});
  CHECK(std::string(omnistore::sdk::schema_text<Maps>.data()) ==
        R"({"type":"object","additionalProperties":false,"properties":{)"
        R"("headers":{"type":"object","additionalProperties":{"type":"string"},)"
        R"("description":"What is sent","default":{}},)"
        R"("needed":{"type":"object","additionalProperties":{"type":"string"}}},"required":["needed"]})");
}

TEST_CASE("an integer that its member cannot hold is refused with the bounds") {
  CHECK_THROWS_WITH(fill(R"({"small":256})"), "option small: expected an integer from 0 to 255, found 256");
}

TEST_CASE("the schema of a struct names type, bounds, default and description of each option") {
  CHECK(std::string(omnistore::sdk::schema_text<Few>.data()) ==
        R"({"type":"object","additionalProperties":false,"properties":{)"
        R"("greeting":{"type":"string","description":"What is said","default":"say \"hi\""},)"
        R"("times":{"type":"integer","minimum":-2147483648,"maximum":2147483647,"default":3},)"
        R"("loud":{"type":"boolean","description":"Whether it is shouted","default":true},)"
        R"("names":{"type":"array","items":{"type":"string"},"description":"Who is greeted","default":[]},)"
        R"("offset":{"type":"integer","default":-9223372036854775808},)"
        R"("small":{"type":"integer","minimum":0,"maximum":255,"description":"A small number"}},)"
        R"("required":["small"]})");
}
