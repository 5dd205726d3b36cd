// SPDX-License-Identifier: Apache-2.0
// Finding a config, and what is wrong in one.
#include <catch2/catch.hpp>

#include "program.hpp"

using test::Result;
using test::says;

namespace {

constexpr const char *two_mounts = R"({ "mounts": { "": { "driver": "memory" }, "b": { "driver": "null" } } })";

constexpr const char *wrong = R"({
  // each line has one thing that is wrong
  "prefx": "x",
  "ttl": "soon",
  "mounts": { "a": { "drivr": "memory" } },
})";

constexpr const char *wrong_options = R"({
  "mounts": {
    "a": { "driver": "memory", "options": { "siez": 5 } },
    "b": { "driver": "fs", "options": { "base": 7 } },
    "c": { "driver": "memroy" },
  },
})";

} // namespace

TEST_CASE("check says that a config is right") {
  const test::Folder folder;
  test::write_file(folder / "x.jsonc", two_mounts);
  const Result checked = test::omnistore({"-c", folder / "x.jsonc", "check"});
  CHECK(checked.code == 0);
  CHECK(checked.out == folder / "x.jsonc" + ": ok, 2 mounts\n");
  CHECK(test::omnistore({"-c", folder / "x.jsonc", "check", "--json"}).json().at("ok") == true);
}

TEST_CASE("check lists everything that is wrong in a config, each with its line") {
  const test::Folder folder;
  test::write_file(folder / "x.jsonc", wrong);
  const Result checked = test::omnistore({"-c", folder / "x.jsonc", "check"});
  CHECK(checked.code == 2);
  INFO(checked.err);
  CHECK(says(checked.err, "(line 3"));
  CHECK(says(checked.err, "(line 4"));
  CHECK(says(checked.err, "(line 5"));
  const auto problems = test::omnistore({"-c", folder / "x.jsonc", "check", "--json"}).json().at("problems").as_array();
  CHECK(problems.size() >= 3);
  CHECK(problems[0].at("path") == "prefx");
  CHECK(problems[0].at("line") == 3);
}

TEST_CASE("check holds options to the drivers' schemas, without opening a store") {
  const test::Folder folder;
  test::write_file(folder / "x.jsonc", wrong_options);
  const Result checked = test::omnistore({"-c", folder / "x.jsonc", "check"});
  CHECK(checked.code == 2);
  INFO(checked.err);
  CHECK(says(checked.err, "mounts.a.options.siez"));
  CHECK(says(checked.err, "mounts.b.options.base"));
  CHECK(says(checked.err, "memroy"));

  test::write_file(folder / "y.jsonc", R"({ "mounts": { "": { "driver": "fs", "options": { "base": ")" +
                                           (folder / "data") + R"(" } } } })");
  CHECK(test::omnistore({"-c", folder / "y.jsonc", "check"}).code == 0);
  CHECK_FALSE(std::filesystem::exists(folder / "data"));
}

TEST_CASE("A config that is wrong stops a command with all that is wrong, as JSON too") {
  const test::Folder folder;
  test::write_file(folder / "x.jsonc", GENERATE(as<std::string>(), wrong, wrong_options));
  const Result failed = test::omnistore({"-c", folder / "x.jsonc", "ls", "--json"});
  CHECK(failed.code == 2);
  CHECK(failed.error().at("problems").as_array().size() >= 3);
}

TEST_CASE("check looks at the profile that is named") {
  const test::Folder folder;
  test::write_file(folder / "x.jsonc", R"({
    "mounts": { "": { "driver": "memory" } },
    "profiles": { "test": { "mounts": { "": { "driver": "nothing-like-it" } } } },
  })");
  CHECK(test::omnistore({"-c", folder / "x.jsonc", "check"}).code == 0);
  CHECK(test::omnistore({"-c", folder / "x.jsonc", "--profile", "test", "check"}).code == 2);
  CHECK(test::omnistore({"-c", folder / "x.jsonc", "check"}, {.variables = {{"OMNISTORE_PROFILE", "test"}}}).code == 2);
}

TEST_CASE("check --schema prints a JSON Schema that knows the drivers") {
  const test::Folder folder;
  const Result schema = test::omnistore({"check", "--schema"}, {.folder = folder.path().string()});
  CHECK(schema.code == 0);
  CHECK(schema.json().at("$defs").is_object());
  CHECK(says(schema.out, "maxBytes"));
}

TEST_CASE("A config is found here, else in the user's folder") {
  const test::Folder folder;
  const std::string here = folder / "here", home = folder / "home";
  std::filesystem::create_directories(here);
  test::write_file(home + "/omnistore/omnistore.jsonc", two_mounts);
  const test::Setting setting{.folder = here, .variables = {{"XDG_CONFIG_HOME", home}}};
  CHECK(says(test::omnistore({"check"}, setting).out, home + "/omnistore/omnistore.jsonc: ok"));
  test::write_file(here + "/omnistore.jsonc", R"({ "mounts": { "": { "driver": "null" } } })");
  CHECK(test::omnistore({"check"}, setting).out == "omnistore.jsonc: ok, 1 mount\n");
}

TEST_CASE("Without a config, the message names all places that were tried") {
  const test::Folder folder;
  const Result failed =
      test::omnistore({"ls"}, {.folder = folder.path().string(), .variables = {{"HOME", "/nowhere"}}});
  CHECK(failed.code == 2);
  CHECK(says(failed.err, "tried omnistore.jsonc, /nowhere/.config/omnistore/omnistore.jsonc, "
                         "/etc/omnistore/omnistore.jsonc"));
  CHECK(says(failed.err, "--config"));
}

TEST_CASE("A config that was named and is not there ends with 2") {
  const Result failed = test::omnistore({"-c", "/nowhere/x.jsonc", "ls"});
  CHECK(failed.code == 2);
  CHECK(says(failed.err, "/nowhere/x.jsonc"));
}
