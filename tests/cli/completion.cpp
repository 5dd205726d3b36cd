// SPDX-License-Identifier: Apache-2.0
// Completions, and the help that they are made beside.
#include <catch2/catch.hpp>

#include <algorithm>

#include "program.hpp"

using test::lines;
using test::Result;
using test::says;
using test::Setting;
using test::Strings;

namespace {

/// The commands that the program's help lists.
Strings commands_in_help() {
  Strings names;
  bool listed = false;
  for (const std::string &line : lines(test::omnistore({"--help"}).out)) {
    if (line == "Subcommands:") listed = true;
    if (listed && line.starts_with("  ") && line[2] != ' ') names.push_back(line.substr(2, line.find(' ', 2) - 2));
    if (listed && line.empty()) break;
  }
  REQUIRE(names.size() > 10);
  return names;
}

/// Returns bash's offers after these words, in readline's parts; the last word is the one to complete.
Strings offered(const Strings &words, const Setting &setting = {}) {
  Strings command{"bash", "-uc",
                  "source <(\"$0\" completion bash); COMP_WORDS=(\"$0\" \"$@\"); COMP_CWORD=$#; "
                  "_omnistore; printf '%s\\n' \"${COMPREPLY[@]}\"",
                  test::program()};
  command.insert(command.end(), words.begin(), words.end());
  const Result result = test::run_command(command, setting);
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK(result.err.empty());
  Strings offers = lines(result.out);
  std::erase(offers, "");
  std::sort(offers.begin(), offers.end());
  return offers;
}

} // namespace

TEST_CASE("Every command's help has an example") {
  for (const std::string &command : commands_in_help()) {
    const Result help = test::omnistore({command, "--help"});
    INFO(command);
    CHECK(help.code == 0);
    CHECK(says(help.out, "\nExample"));
    CHECK(says(help.out, "omnistore " + (command == "serve" ? "" : command)));
  }
}

TEST_CASE("bash completes every command") {
  Strings all = commands_in_help();
  std::sort(all.begin(), all.end());
  CHECK(offered({""}) == all);
  CHECK(offered({"insp"}) == Strings{"inspect"});
  CHECK(offered({"--json", "-c", "file", "insp"}) == Strings{"inspect"});
}

TEST_CASE("bash completes options, those of the command and those of all") {
  CHECK(offered({"inspect", "--s"}) == Strings{"--sort"});
  CHECK(offered({"get", "--pro"}) == Strings{"--profile"});
  CHECK(offered({"get", "--s"}).empty());
  CHECK(offered({"--js"}) == Strings{"--json"});
}

TEST_CASE("bash completes the words that an option or a place takes") {
  CHECK(offered({"inspect", "--sort", "k"}) == Strings{"keys"});
  CHECK(offered({"inspect", "--sort", "=", "k"}) == Strings{"keys"});
  CHECK(offered({"completion", ""}) == Strings{"bash", "zsh"});
  CHECK(offered({"inspect", "--limit", ""}).empty());
}

TEST_CASE("bash completes files if the argument is a file") {
  const test::Folder folder;
  test::write_file(folder / "name one.txt", "");
  const Setting here{.folder = folder.path().string()};
  CHECK(offered({"set", "k", "-f", "na"}, here) == Strings{"name one.txt"});
  CHECK(offered({"-c", "na"}, here) == Strings{"name one.txt"});
  CHECK(offered({"set", "--ttl", "na"}, here).empty());
}

TEST_CASE("bash completes the names of drivers") {
  const Strings drivers = offered({"drivers", ""});
  CHECK(std::find(drivers.begin(), drivers.end(), "memory") != drivers.end());
  CHECK(std::all_of(drivers.begin(), drivers.end(),
                    [](const std::string &name) { return name.find_first_of(" :/") == name.npos; }));
}

TEST_CASE("bash completes keys on a running host, and runs nothing that stands in them") {
  const test::Place place;
  const test::Host host(place.config());
  const test::Folder folder;
  const Setting there{.folder = folder.path().string(), .variables = {{"OMNISTORE_URL", host.url}}};
  for (const char *key : {"mem:user:1", "mem:user:2", "mem:other", "mem:$(touch ran)", "mem:`touch ran`; touch ran"})
    REQUIRE(test::omnistore({"set", key, "v"}, there).code == 0);
  // readline parts words at ':', and what is before the last one stays as it stands
  CHECK(offered({"get", "mem", ":", "user", ":"}, there) == Strings{"1", "2"});
  CHECK(offered({"get", "mem", ":", "o"}, there) == Strings{"other"});
  CHECK(offered({"get", "mem:o"}, there) == Strings{"other"});
  const Strings odd = offered({"get", "mem", ":", "$"}, there);
  CHECK(odd == Strings{"\\$\\(touch\\ ran\\)"});
  CHECK_FALSE(std::filesystem::exists(folder.path() / "ran"));
  CHECK(offered({"set", "mem:o", "mem:o"}, there).empty()); // that is its value
}

TEST_CASE("no store of a config is opened to complete its keys") {
  const test::Place place;
  std::filesystem::remove_all(place.folder.path() / "root");
  CHECK(offered({"-c", place.config(), "get", ""}).empty());
  CHECK_FALSE(std::filesystem::exists(place.folder.path() / "root"));
}

TEST_CASE("The completions are installed in the folders of bash and zsh") {
  const test::Folder folder;
  const Result installed = test::run_command(
      {"cmake", "--install", OMNISTORE_BUILD, "--component", "program", "--prefix", folder.path().string()});
  INFO(installed.err);
  REQUIRE(installed.code == 0);
  for (const auto &[shell, file] : {std::pair("bash", "share/bash-completion/completions/omnistore"),
                                    std::pair("zsh", "share/zsh/site-functions/_omnistore")})
    CHECK(test::read_file(folder / file) == test::omnistore({"completion", shell}).out);
  CHECK(test::omnistore({"completion", "fish"}).code == 2);
}
