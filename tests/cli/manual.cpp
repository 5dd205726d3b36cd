// SPDX-License-Identifier: Apache-2.0
// The manual pages, which come from the tables of --help and from the schemas.
#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>

#include "program.hpp"

using test::Result;
using test::says;

namespace {

std::vector<boost::json::object> pages() {
  std::vector<boost::json::object> all;
  const boost::json::value list = test::omnistore({"--json", "man"}).json();
  for (const auto &page : list.at("pages").as_array()) all.push_back(page.as_object());
  return all;
}

std::string page(const std::string &name) {
  const Result result = test::omnistore({"man", name});
  INFO(result.err);
  REQUIRE(result.code == 0);
  return result.out;
}

/// A page as man shows it, without its letters' boldness.
std::string shown(const std::string &name) {
  const Result result = test::run_command({"bash", "-c", "mandoc -T utf8 | col -bx"}, {.input = page(name)});
  CHECK(result.code == 0);
  return result.out;
}

} // namespace

TEST_CASE("mandoc finds nothing wrong in any manual page") {
  const test::Folder folder;
  REQUIRE(test::omnistore({"man", "--all", folder.path().string()}).code == 0);
  std::size_t count = 0;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(folder.path())) {
    if (!entry.is_regular_file()) continue;
    ++count;
    const Result checked = test::run_command({"mandoc", "-T", "lint", entry.path().string()});
    std::string wrong;
    for (const std::string &line : test::lines(checked.out + checked.err)) // a word of more than 80 letters stays whole
      if (!says(line, "input text line longer than 80 bytes")) wrong += line + "\n";
    INFO(entry.path());
    CHECK(wrong.empty());
  }
  CHECK(count == pages().size());
}

TEST_CASE("Every command, every driver and the config have a manual page") {
  std::vector<std::string> names;
  for (const auto &each : pages()) names.emplace_back(each.at("name").as_string());
  const auto has = [&](const std::string &name) {
    INFO(name);
    CHECK(std::find(names.begin(), names.end(), name) != names.end());
  };
  has("omnistore");
  has("omnistore.jsonc");
  bool listed = false;
  for (const std::string &line : test::lines(test::omnistore({"--help"}).out)) {
    if (line == "Subcommands:") listed = true;
    if (listed && line.empty()) break;
    if (listed && line.starts_with("  ") && line[2] != ' ') has("omnistore-" + line.substr(2, line.find(' ', 2) - 2));
  }
  const boost::json::value drivers = test::omnistore({"--json", "drivers"}).json();
  for (const auto &driver : drivers.at("drivers").as_array())
    has("omnistore-" + std::string(driver.at("name").as_string()));
}

TEST_CASE("The page of a command has its options, its explanation and its examples") {
  const std::string text = shown("inspect");
  const std::string help = test::omnistore({"inspect", "--help"}).out;
  for (const char *part :
       {"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "--sort ORDER", "omnistore inspect"})
    CHECK(says(text, part));
  CHECK(says(help, "--sort"));
}

TEST_CASE("The page of the config has every field, and that of a driver every option") {
  const std::string config = shown("omnistore.jsonc");
  for (const char *part : {"mounts.NAME.driver", "server.http.listen", "admin.tokens", "log.level", "${file:PATH}",
                           "${credential:NAME}", "stopTimeout"})
    CHECK(says(config, part));
  const std::string fs = shown("fs");
  CHECK(says(fs, "(string (path), required"));
  CHECK(says(fs, "The driver does this itself:"));
}

TEST_CASE("A page that does not exist is refused with the nearest name") {
  const Result result = test::omnistore({"man", "inspekt"});
  CHECK(result.code == 2);
  CHECK(says(result.err, "there is no page inspekt; is inspect meant?"));
}
