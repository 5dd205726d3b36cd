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

/// Adds the folder of the program to PATH: the scripts run it by its name.
Setting on_path(Setting setting) {
  setting.variables["PATH"] = OMNISTORE_BUILD "/bin:" + std::string(std::getenv("PATH"));
  return setting;
}

Strings sorted_lines(const std::string &text) {
  Strings all = lines(text);
  std::erase(all, "");
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

/// A zsh with the completion, on a terminal of its own.
class Zsh {
public:
  Zsh() { test::write_file(folder_ / "_omnistore", test::omnistore({"completion", "zsh"}).out); }
  Strings offered(const std::string &line, const Setting &setting = {}) const {
    const Result result = test::run_command(
        {"zsh", "-f", OMNISTORE_SOURCE "/tests/cli/complete.zsh", folder_ / "_omnistore", line}, on_path(setting));
    INFO(line << result.err);
    CHECK(result.code == 0);
    return sorted_lines(result.out);
  }

private:
  test::Folder folder_;
};

Strings fish_offered(const std::string &line, const Setting &setting = {}) {
  const Result result =
      test::run_command({"fish", "--no-config", "-c", "omnistore completion fish | source; complete -C $argv[1]", line},
                        on_path(setting));
  INFO(line << result.err);
  CHECK(result.code == 0);
  CHECK(result.err.empty());
  Strings offers;
  for (const std::string &each : sorted_lines(result.out)) offers.push_back(each.substr(0, each.find('\t')));
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
  CHECK(offered({"completion", ""}) == Strings{"bash", "fish", "zsh"});
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
  CHECK(offered({"touch", "--ttl", "=", "5m", "mem:o"}, there) == Strings{"other"});
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

TEST_CASE("zsh completes commands, options, words, files and drivers") {
  const Zsh zsh;
  CHECK(zsh.offered("omnistore --json insp") == Strings{"inspect"});
  CHECK(zsh.offered("omnistore inspect --sor") == Strings{"--sort"});
  CHECK(zsh.offered("omnistore inspect --sort k") == Strings{"keys"});
  CHECK(zsh.offered("omnistore drivers over") == Strings{"overlay"});
}

TEST_CASE("fish completes every command, and options, words, files and drivers") {
  Strings all = commands_in_help();
  std::sort(all.begin(), all.end());
  CHECK(fish_offered("omnistore ") == all);
  CHECK(fish_offered("omnistore --json -c file insp") == Strings{"inspect"});
  CHECK(fish_offered("omnistore inspect --so") == Strings{"--sort"});
  CHECK(fish_offered("omnistore get --pro") == Strings{"--profile"});
  CHECK(fish_offered("omnistore inspect --sort k") == Strings{"keys"});
  CHECK(fish_offered("omnistore inspect --sort=k") == Strings{"--sort=keys"});
  CHECK(fish_offered("omnistore drivers over") == Strings{"overlay"});
  CHECK(fish_offered("omnistore drivers memory over").empty());
  const test::Folder folder;
  test::write_file(folder / "name-one.txt", "");
  const Setting here{.folder = folder.path().string()};
  CHECK(fish_offered("omnistore set k -f na", here) == Strings{"name-one.txt"});
  CHECK(fish_offered("omnistore set --ttl na", here).empty());
}

TEST_CASE("fish and zsh complete keys on a running host") {
  const test::Place place;
  const test::Host host(place.config());
  const Setting there{.variables = {{"OMNISTORE_URL", host.url}}};
  for (const char *key : {"mem:user:1", "mem:user:2", "mem:other"})
    REQUIRE(test::omnistore({"set", key, "v"}, there).code == 0);
  CHECK(fish_offered("omnistore get mem:user:", there) == Strings{"mem:user:1", "mem:user:2"});
  CHECK(fish_offered("omnistore get mem:o", there) == Strings{"mem:other"});
  CHECK(fish_offered("omnistore get mem:o").empty());
  CHECK(fish_offered("omnistore get --url=" + host.url + " mem:o") == Strings{"mem:other"});
  CHECK(fish_offered("omnistore touch --ttl=5m mem:o", there) == Strings{"mem:other"});
  CHECK(Zsh().offered("omnistore touch --ttl=5m mem:o", there) == Strings{"mem:other"});
  CHECK(Zsh().offered("omnistore get mem:o", there) == Strings{"mem:other"});
}

TEST_CASE("The completions are installed in the folders of bash, zsh and fish") {
  const test::Folder folder;
  const Result installed = test::run_command(
      {"cmake", "--install", OMNISTORE_BUILD, "--component", "program", "--prefix", folder.path().string()});
  INFO(installed.err);
  REQUIRE(installed.code == 0);
  for (const auto &[shell, file] : {std::pair("bash", "share/bash-completion/completions/omnistore"),
                                    std::pair("zsh", "share/zsh/site-functions/_omnistore"),
                                    std::pair("fish", "share/fish/vendor_completions.d/omnistore.fish")})
    CHECK(test::read_file(folder / file) == test::omnistore({"completion", shell}).out);
  CHECK(test::omnistore({"completion", "tcsh"}).code == 2);
}
