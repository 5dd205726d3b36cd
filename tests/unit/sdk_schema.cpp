// SPDX-License-Identifier: Apache-2.0
// The schema that the SDK makes of a struct, as the host reads it.
#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include <boost/json.hpp>

#include <config/schema.hpp>
#include <omnistore/driver.hpp>

namespace {

struct Some {
  std::string greeting;
  int times = 0;
  std::vector<std::string> names;
  std::string url;

  static constexpr void fields(auto each) {
    each("greeting", &Some::greeting, "hello", "What is said, \"quoted\"");
    each("times", &Some::times, 3);
    each("names", &Some::names);
    each.required("url", &Some::url);
  }
};

struct None {
  static constexpr void fields(auto) {}
};

} // namespace

TEST_CASE("the host accepts the schema that the SDK makes of a struct") {
  boost::json::object schema;
  CHECK(omnistore::config::check_schema(omnistore::sdk::schema_text<Some>.data(), schema) == "");
  CHECK(omnistore::config::check_schema(omnistore::sdk::schema_text<None>.data(), schema) == "");
}

TEST_CASE("options that the host accepts by that schema fill the struct") {
  boost::json::object schema;
  REQUIRE(omnistore::config::check_schema(omnistore::sdk::schema_text<Some>.data(), schema) == "");
  boost::json::value options = boost::json::parse(R"({"url":"x","times":7})");
  std::vector<omnistore::Problem> problems;
  omnistore::config::validate(schema, options, "options", nullptr, problems);
  REQUIRE(problems.empty());

  const std::string json = boost::json::serialize(options);
  Some some;
  Some::fields(omnistore::sdk::Filler<Some>{some, omnistore::Options(json)});
  CHECK(some.greeting == "hello");
  CHECK(some.times == 7);
  CHECK(some.names.empty());
  CHECK(some.url == "x");
}

TEST_CASE("the host refuses options that the schema refuses, by name") {
  boost::json::object schema;
  REQUIRE(omnistore::config::check_schema(omnistore::sdk::schema_text<Some>.data(), schema) == "");
  boost::json::value options = boost::json::parse(R"({"times":"often","greting":"x"})");
  std::vector<omnistore::Problem> problems;
  omnistore::config::validate(schema, options, "options", nullptr, problems);
  CHECK(problems.size() == 3); // a wrong kind, an unknown name, a missing url
}
