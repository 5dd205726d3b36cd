// SPDX-License-Identifier: Apache-2.0
// The config that the page shows contains no text of a file that the config names.
#include <catch2/catch.hpp>

#include <string>

#include <boost/json/serialize.hpp>

#include "loader/registry.hpp"
#include "report/describe_config.hpp"
#include "support/temporary.hpp"
#include "unit/config_support.hpp"

namespace {

/// The config as the page shows it.
boost::json::value shown(const std::string &text, const test::Variables &variables = {}) {
  omnistore::loader::Registry registry({{OMNISTORE_BUILD "/plugins"}, {}});
  return omnistore::report::describe(test::parse(text, "", variables), registry).at("config");
}

} // namespace

TEST_CASE("the page shows a value from a file as the config has it, whatever the value has become") {
  const test::Folder folder;
  const auto file = [&](const std::string &name, const std::string &text) {
    test::write_file(folder / name, text);
    return "${file:" + (folder / name) + "}";
  };
  const std::string prefix = file("prefix", "s3cret/prefix"), ttl = file("ttl", "7107s"),
                    base = file("base", "s3/../s3cret"), listen = file("listen", "127.0.0.1:7107"),
                    origin = file("origin", "http://s3cret.example"), size = file("size", "7107000"),
                    age = file("age", "7107m"), short_one = file("short", "s3");
  const auto config =
      shown(R"({
    "prefix": ")" +
            prefix + R"(", "ttl": ")" + ttl + R"(", "openTimeout": ")" + ttl + R"(",
    "admin": { "listen": ")" +
            listen + R"(", "origins": ["http://a.example", ")" + origin + R"("], "maxBody": ")" + size + R"(" },
    "mounts": {
      "a.b": { "driver": "fs", "options": { "base": "/x/)" +
            base + R"(" }, "prefix": ")" + short_one + R"(", "ttl": ")" + ttl + R"(" },
      "c": { "driver": "memory", "invalidation": { "maxAge": ")" +
            age + R"(" }, "prefix": ")" + prefix + R"(",
             "origin": { "driver": "fs", "options": { "base": ")" +
            base + R"(" } } },
      "d": { "driver": "overlay", "layers": [{ "driver": "memory" }, { "driver": "fs", "options": { "base": ")" +
            base + R"(" } }] }
    } })");
  const std::string text = boost::json::serialize(config);
  INFO(text);
  for (const char *part : {"s3cret", "7107"}) CHECK(text.find(part) == std::string::npos);
  CHECK(config.at("ttl") == boost::json::value(ttl));
  CHECK(config.at_pointer("/admin/origins/1") == boost::json::value(origin));
  CHECK(config.at_pointer("/mounts/a.b/prefix") == boost::json::value(short_one));
  CHECK(config.at_pointer("/mounts/a.b/options/base") == boost::json::value("/x/" + base));
  CHECK(config.at_pointer("/mounts/c/options/maxAge") == boost::json::value(age));
  CHECK(config.at_pointer("/mounts/d/layers/1/options/base") == boost::json::value(base));
}

TEST_CASE("the page shows the text of a credential as the config has it, and the value of a variable") {
  const test::Folder folder;
  test::write_file(folder / "point", "s3cret");
  const auto config = shown(R"({ "prefix": "x-${credential:point}", "ttl": "${TTL}" })",
                            {{"CREDENTIALS_DIRECTORY", folder.path().string()}, {"TTL", "5s"}});
  CHECK(config.at("prefix") == boost::json::value("x-${credential:point}"));
  CHECK(config.at("ttl") == boost::json::value(5000));
}
