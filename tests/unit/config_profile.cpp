// SPDX-License-Identifier: Apache-2.0
#include "unit/config_support.hpp"

#include "config/source_map.hpp"

using namespace omnistore;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;
using test::parse;
using test::problem;
using test::problems;

namespace {

const char *const profiles = R"({
  "prefix": "app",
  "ttl": "1h",
  "mounts": {
    "": { "driver": "fs", "options": { "base": "./a", "readOnly": true }, "ttl": "7d" },
    "/b/": { "driver": "memory" }
  },
  "profiles": {
    "test": {
      "prefix": "test",
      "mounts": { "": { "driver": "memory" } }
    },
    "same": { "mounts": { "": { "driver": "fs", "options": { "base": "./b" } } } },
    "more": { "mounts": { "c": { "driver": "null", "ttl": null }, "b": { "ttl": 5 } }, "log": { "level": "debug" } },
    "less": { "prefix": null, "ttl": null, "mounts": { "b": null, "": { "ttl": null } } }
  }
})";

} // namespace

TEST_CASE("without a profile the rest is taken as it is") {
  auto config = parse(profiles);
  CHECK(config.prefix == "app");
  CHECK(config.profile.empty());
  CHECK(config.mounts.at("").store.driver == "fs");
}

TEST_CASE("a profile is chosen by the argument, else by OMNISTORE_PROFILE") {
  CHECK(parse(profiles, "test").prefix == "test");
  CHECK(parse(profiles, "", {{"OMNISTORE_PROFILE", "test"}}).profile == "test");
  CHECK(parse(profiles, "same", {{"OMNISTORE_PROFILE", "test"}}).profile == "same");
}

TEST_CASE("a mount whose driver a profile changes is replaced whole") {
  auto mount = parse(profiles, "test").mounts.at("");
  CHECK(mount.store.driver == "memory");
  CHECK(mount.store.options == "{}");
  CHECK_FALSE(mount.ttl);
}

TEST_CASE("a mount of the same driver is merged object by object") {
  auto mount = parse(profiles, "same").mounts.at("");
  CHECK(mount.store.options == R"({"base":"./b","readOnly":true})");
  CHECK(mount.ttl == 7 * 86'400'000);
}

TEST_CASE("a profile adds mounts and fields, and meets a mountpoint however it is written") {
  auto config = parse(profiles, "more");
  CHECK(config.mounts.at("c").store.driver == "null");
  CHECK(config.mounts.at("b").store.driver == "memory");
  CHECK(config.mounts.at("b").ttl == 5);
  CHECK(config.log.level == "debug");
}

TEST_CASE("null takes a field or a mount away") {
  auto config = parse(profiles, "less");
  CHECK(config.prefix.empty());
  CHECK(config.ttl == 0);
  CHECK_FALSE(config.mounts.contains("b"));
  CHECK_FALSE(config.mounts.at("").ttl);
  CHECK(config.mounts.at("").store.driver == "fs");
}

TEST_CASE("outside of a profile null is no value") {
  CHECK_THAT(problem(R"({"prefix":null})"), StartsWith("prefix: expected a string, found null"));
}

TEST_CASE("an array is replaced whole") {
  auto config =
      parse(R"({"server":{"http":{"hosts":["a","b"]}},"profiles":{"p":{"server":{"http":{"hosts":["c"]}}}}})", "p");
  CHECK(config.http.hosts == std::vector<std::string>{"c"});
}

TEST_CASE("an unknown profile is an error that lists those there are") {
  CHECK(problem(profiles, "tset") ==
        "profiles: there is no profile \"tset\"; there are test, same, more and less; did you "
        "mean \"test\"? (line 8, column 15)");
  CHECK(problem("{}", "x") == "profiles: there is no profile \"x\", and no other");
}

TEST_CASE("after the merge a place is still that of the text") {
  auto config = parse(profiles, "same");
  auto places = config.mounts.at("").store.places;
  REQUIRE(places);
  CHECK(places->find("mounts.\"\".options.base").line == 13);
  CHECK(places->find("mounts.\"\".options.readOnly").line == 5);
  CHECK(places->find("mounts.b.driver").line == 6);
  CHECK(places->find("mounts.b.options").line == 6);
}

TEST_CASE("a problem in a part of a chosen profile has the profile's line") {
  CHECK(problem("{ \"ttl\": 1,\n\"profiles\": { \"p\": {\n\"ttl\": true } } }", "p") ==
        "ttl: expected a duration (milliseconds, or a text such as \"100ms\", \"90s\", \"5m\", \"1h\", \"7d\"), found "
        "true "
        "(line 3, column 8)");
}

TEST_CASE("no place of a replaced mount is left") {
  auto config =
      parse("{\"mounts\":{\"a\":{\"driver\":\"x\",\"options\":{\"o\":1}}},\n\"profiles\":{\"p\":{\"mounts\":\n"
            "{\"a\":{\"driver\":\"y\"}}}}}",
            "p");
  CHECK(config.mounts.at("a").store.places->find("mounts.a.options.o").line == 3);
}

TEST_CASE("an error in a profile that is not chosen is found") {
  CHECK(problem(R"({"profiles":{"p":{"mounts":{"a":{"optoins":{}}}}}})") ==
        "profiles.p.mounts.a.optoins: there is no such field; did you mean \"options\"? (line 1, column 34)");
  CHECK_THAT(problem(R"({"profiles":{"p":{"log":{"level":"loud"}}}})"), StartsWith("profiles.p.log.level: expected "));
  CHECK_THAT(problem(R"({"profiles":{"p":5}})"), StartsWith("profiles.p: expected an object, found 5"));
}

TEST_CASE("a profile's array replaces the whole one, so all of it is checked") {
  CHECK_THAT(problem(R"({"profiles":{"p":{"mounts":{"a":{"layers":[{"options":{}}]}}}}})"),
             StartsWith("profiles.p.mounts.a.layers.0: the field \"driver\" is missing"));
  CHECK_THAT(problem(R"({"profiles":{"p":{"mounts":{"a":{"layers":[null]}}}}})"),
             StartsWith("profiles.p.mounts.a.layers.0: expected an object, found null"));
}

TEST_CASE("the message for a field of a profile names null, which takes it away") {
  CHECK(problems(R"({"profiles":{"p":{"mounts":{"a":null},"log":{"level":null},"ttl":null}}})").empty());
  CHECK_THAT(problem(R"({"profiles":{"p":{"log":5}}})"), StartsWith("profiles.p.log: expected an object or null"));
  CHECK_THAT(problem(R"({"profiles":{"p":{"log":{"level":"loud"}}}})"), Contains("or null, found \"loud\""));
  CHECK(problem(R"({"profiles":{"p":null}})") == "profiles.p: expected an object, found null (line 1, column 18)");
}

TEST_CASE("a profile cannot hold profiles, chosen or not") {
  const char *nested = R"({"profiles":{"p":{"profiles":{}}}})";
  CHECK_THAT(problem(nested), StartsWith("profiles.p.profiles: there is no such field; there are plugins, prefix"));
  CHECK_THAT(problem(nested, "p"), StartsWith("profiles.p.profiles: a profile has no such field"));
}

TEST_CASE("a profile's own fields may lack required members of the whole") {
  CHECK(problems(R"({"mounts":{"a":{"driver":"m"}},"profiles":{"p":{"mounts":{"a":{"ttl":"1h"}}}}})").empty());
  CHECK_THAT(problem(R"({"profiles":{"p":{"mounts":{"a":{"ttl":"1h"}}}}})", "p"), Contains("\"driver\" is missing"));
}
