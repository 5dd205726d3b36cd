// SPDX-License-Identifier: Apache-2.0
// mounts and drivers.
#include <catch2/catch.hpp>

#include "program.hpp"

using test::Front;
using test::Result;
using test::says;

TEST_CASE("mounts shows each mount with its driver, ttl and state") {
  const Front omnistore(GENERATE(false, true));
  const Result shown = omnistore({"mounts"});
  CHECK(shown.code == 0);
  CHECK(says(shown.out, "MOUNT"));
  CHECK(says(shown.out, "(root)  fs"));
  CHECK(says(shown.out, "mem:    memory"));
  CHECK(says(shown.out, "1h"));
  const auto mounts = omnistore({"mounts", "--json"}).json().at("mounts").as_array();
  REQUIRE(mounts.size() == 3);
  for (const auto &mount : mounts) CHECK(mount.at("store").at("capabilities").is_object());
}

TEST_CASE("drivers lists the loaded drivers with their files and capabilities") {
  const Front omnistore(GENERATE(false, true));
  const Result shown = omnistore({"drivers"});
  CHECK(shown.code == 0);
  for (const char *name : {"memory", "fs", "null"}) CHECK(says(shown.out, "/plugins/" + std::string(name) + ".so"));
  CHECK(says(shown.out, "  native    "));
  bool found = false;
  const auto answer = omnistore({"drivers", "--json"}).json();
  for (const auto &driver : answer.at("drivers").as_array()) {
    if (driver.at("name") != "memory") continue;
    found = true;
    CHECK(driver.at("capabilities").at("ttl") == "native");
  }
  CHECK(found);
}

TEST_CASE("drivers NAME prints the manual of its options") {
  const Front omnistore(GENERATE(false, true));
  const Result manual = omnistore({"drivers", "memory"});
  CHECK(manual.code == 0);
  CHECK(says(manual.out, "maxBytes"));
  CHECK(omnistore({"drivers", "memory", "--json"}).json().at("schema").is_object());
}

TEST_CASE("A driver that is not there ends with 2, and the message has the nearest name") {
  const Front omnistore(GENERATE(false, true));
  const Result failed = omnistore({"drivers", "memroy"});
  CHECK(failed.code == 2);
  CHECK(says(failed.err, "is memory meant?"));
}

TEST_CASE("A plugin that cannot be used is listed with the reason") {
  const test::Place place;
  const test::Folder plugins;
  test::write_file(plugins / "broken.so", "no library");
  const test::Setting setting{.variables = {{"OMNISTORE_PLUGIN_PATH", plugins.path().string()}}};
  const Result shown = test::omnistore({"-c", place.config(), "drivers"}, setting);
  CHECK(shown.code == 0);
  CHECK(says(shown.out, "not usable"));
  CHECK(says(shown.out, plugins / "broken.so" + ": "));
  const auto rejects =
      test::omnistore({"-c", place.config(), "drivers", "--json"}, setting).json().at("rejects").as_array();
  REQUIRE(rejects.size() == 1);
  CHECK(rejects[0].at("reason").is_string());
}

TEST_CASE("A mount that is optional and cannot be opened is shown with the reason") {
  const test::Folder folder;
  test::write_file(folder / "x.jsonc", R"({ "mounts": {
    "": { "driver": "memory" },
    "gone": { "driver": "fs", "options": { "base": "/proc/nowhere" }, "optional": true } } })");
  const Result shown = test::omnistore({"-c", folder / "x.jsonc", "mounts"});
  CHECK(shown.code == 0);
  CHECK(says(shown.out, "not open: "));
}
