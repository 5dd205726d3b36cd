// SPDX-License-Identifier: Apache-2.0
// A store that a job reaches by two names. A move between two such names would remove every key as its own copy.
#include <algorithm>
#include <map>

#include <catch2/catch.hpp>

#include "cli/program.hpp"
#include "support/redis_server.hpp"

using test::omnistore;
using test::says;
using test::Strings;

namespace {

std::string fs(const std::string &base) { return R"({ "driver": "fs", "options": { "base": ")" + base + R"(" } })"; }

std::string overlay(const std::string &top, const std::string &below, const std::string &more = "") {
  return R"({ "driver": "overlay", "layers": [)" + fs(top) + ", " + fs(below) + "]" + more + " }";
}

/// Files in a folder `data`, and configs that reach them.
class Shared {
public:
  Shared() {
    for (const char *file : {"data/k/1", "data/k/2", "data/sub/k/3", "data/k/sub/4"})
      test::write_file(folder.path() / file, file);
    std::filesystem::create_directories(folder.path() / "other");
  }

  std::string config(const std::string &name, const std::map<std::string, std::string> &mounts) const {
    std::string text = R"({ "server": { "http": { "listen": "127.0.0.1:0" } }, "admin": { "listen": "127.0.0.1:0" },
      "mounts": {)";
    for (const auto &[mountpoint, mount] : mounts) text += "\"" + mountpoint + "\": " + mount + ",\n";
    test::write_file(folder.path() / name, text + "} }");
    return folder / name;
  }
  std::map<std::string, std::string> files() const {
    std::map<std::string, std::string> result;
    for (const char *top : {"data", "other"})
      for (const auto &entry : std::filesystem::recursive_directory_iterator(folder.path() / top))
        if (entry.is_regular_file()) result[entry.path().string()] = test::read_file(entry.path());
    return result;
  }
  test::Result operator()(const Strings &arguments) const {
    return omnistore(arguments, {.folder = folder.path().string()});
  }

  test::Folder folder;
};

/// Runs a job in each way, and looks that it was refused and nothing has changed.
void check_refused(const Shared &here, const Strings &ends, const Strings &globals = {}) {
  const auto before = here.files();
  const bool two_storages =
      std::any_of(ends.begin(), ends.end(), [](const std::string &word) { return word.starts_with("--"); });
  for (const Strings &job :
       {Strings{"copy"}, Strings{"copy", "--on-conflict", "overwrite"}, Strings{"copy", "--dry-run"},
        Strings{"migrate", "--move"}, Strings{"migrate", "--move", "--dry-run"}}) {
    if (job[0] == "migrate" && two_storages) continue; // it works within one
    Strings all = globals;
    all.insert(all.end(), job.begin(), job.end());
    all.insert(all.end(), ends.begin(), ends.end());
    const test::Result result = here(all);
    INFO(job[0] << " " << job.back() << ": " << result.out << result.err);
    CHECK(result.code == 2);
    CHECK(says(result.err, "one store under two names"));
    CHECK(here.files() == before);
  }
}

} // namespace

TEST_CASE("a job between two mounts of one folder is refused, however the folder is named") {
  const Shared here;
  std::filesystem::create_directory_symlink("data", here.folder.path() / "link");
  const std::string base = GENERATE("data", "link", "relative");
  const std::string other = base == "relative" ? "./other/../data" : here.folder / base;
  const std::string config = here.config("c.jsonc", {{"old", fs(here.folder / "data")}, {"new", fs(other)}});
  check_refused(here, {"old", "new"}, {"-c", config});
  check_refused(here, {"old:k", "new:k"}, {"-c", config});
}

TEST_CASE("a job between a folder and a part of it is refused, in both directions") {
  const Shared here;
  const std::string config =
      here.config("c.jsonc", {{"all", fs(here.folder / "data")}, {"part", fs(here.folder / "data/sub")}});
  check_refused(here, {"all", "part"}, {"-c", config});
  check_refused(here, {"part", "all"}, {"-c", config});
  check_refused(here, {"part", "all:sub"}, {"-c", config});
}

TEST_CASE("a job between two bases of one mount that a link makes one is refused") {
  const Shared here;
  std::filesystem::create_directory_symlink("k", here.folder.path() / "data/new");
  const std::string config = here.config("c.jsonc", {{"", fs(here.folder / "data")}});
  check_refused(here, {"k", "new"}, {"-c", config});
  check_refused(here, {"k:sub", "new"}, {"-c", config});
}

TEST_CASE("a job between a store and a layer over it is refused, in both directions") {
  const Shared here;
  const std::string data = here.folder / "data", other = here.folder / "other";
  const std::string layers[] = {overlay(other, data),
                                overlay(data, other),
                                overlay(other, data, R"(, "options": { "promote": true })"),
                                R"({ "driver": "cache", "layers": [{ "driver": "memory" }, )" + fs(data) + "] }",
                                R"({ "driver": "compress", "layers": [)" + fs(data) + "] }",
                                R"({ "driver": "encrypt", "options": { "keys": "a )" + std::string(64, '7') +
                                    R"(" }, "layers": [)" + fs(data) + "] }"};
  const std::string layer = layers[GENERATE(0, 1, 2, 3, 4, 5)];
  const std::string config = here.config("c.jsonc", {{"plain", fs(data)}, {"layer", layer}});
  check_refused(here, {"plain", "layer"}, {"-c", config});
  check_refused(here, {"layer", "plain"}, {"-c", config});
}

TEST_CASE("a job between two configs of one folder is refused") {
  const Shared here;
  const std::string one = here.config("one.jsonc", {{"", fs(here.folder / "data")}});
  const std::string two = here.config("two.jsonc", {{"", fs("data")}});
  const std::string part = here.config("part.jsonc", {{"sub", fs("data/sub")}});
  check_refused(here, {"k", "k", "--from-config", one, "--to-config", two});
  check_refused(here, {"/", "/", "--from-config", one, "--to-config", part});
}

TEST_CASE("a job between a host and the folder that it serves is refused") {
  const Shared here;
  const std::string served = here.config("served.jsonc", {{"", fs(here.folder / "data")}});
  test::Host host(served);
  const std::string local = here.config(
      "local.jsonc", {{"", fs(here.folder / "data")},
                      {"part", fs(here.folder / "data/sub")},
                      {"host", R"({ "driver": "http", "options": { "base": ")" + host.url + R"(", "ttl": true } })"}});
  const std::string parts = here.config("parts.jsonc", {{"", fs(here.folder / "data/sub")}});
  check_refused(here, {"k", "k", "--to-url", host.url}, {"-c", local});
  check_refused(here, {"k", "k", "--from-url", host.url}, {"-c", local});
  check_refused(here, {"k", "host:k"}, {"-c", local});
  check_refused(here, {"host:k", "k"}, {"-c", local});
  check_refused(here, {"part", "host"}, {"-c", local});
  check_refused(here, {"/", "/", "--from-url", host.url}, {"-c", parts});
  check_refused(here, {"/", "/", "--to-url", host.url}, {"-c", parts});
  // The host's stores are not known here, and neither is which of them is a part of the other.
  const std::string inner = here.config("inner.jsonc", {{"", fs(here.folder / "data/sub")}});
  test::Host within(inner);
  check_refused(here, {"/", "/", "--from-url", within.url}, {"-c", served});
  check_refused(here, {"/", "/", "--to-url", within.url}, {"-c", served});
}

TEST_CASE("a job between two prefixes of one Redis database that overlap is refused") {
  const Shared here;
  test::RedisServer server;
  const auto redis = [&](const std::string &more, const std::string &prefix = "") {
    return R"({ "driver": "redis", "options": { "url": ")" + server.url() + "\"" + more + " }" + prefix + " }";
  };
  const std::string config = here.config("c.jsonc", {{"one", redis("")},
                                                     {"two", redis("")},
                                                     {"based", redis(R"(, "base": "app:v1")")},
                                                     {"prefixed", redis("", R"(, "prefix": "app")")}});
  REQUIRE(here({"-c", config, "set", "based:k:1", "v"}).code == 0);
  const auto all = [&] { return here({"-c", config, "ls", "one"}).out; };
  const std::string before = all();
  const auto [from, to] = GENERATE(table<std::string, std::string>({{"one", "two"},
                                                                    {"one:app:v1", "based"},
                                                                    {"based", "one:app:v1"},
                                                                    {"prefixed", "based"},
                                                                    {"based", "prefixed"},
                                                                    {"based", "one"},
                                                                    {"one", "based"}}));
  check_refused(here, {from, to}, {"-c", config});
  CHECK(all() == before);
}

TEST_CASE("a job between two names of one store whose keys stay apart is done") {
  const Shared here;
  const std::string data = here.folder / "data";
  const std::string config =
      here.config("c.jsonc", {{"one", fs(data)}, {"two", fs(data)}, {"part", fs(data + "/sub")}});
  test::Result result = here({"-c", config, "migrate", "one:k", "two:new", "--move"});
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK(test::read_file(data + "/new/1") == "data/k/1");
  CHECK_FALSE(std::filesystem::exists(data + "/k"));
  result = here({"-c", config, "migrate", "part:k", "one:kept", "--move"});
  CHECK(result.code == 0);
  CHECK(test::read_file(data + "/kept/3") == "data/sub/k/3");
  for (const auto &[file, text] : here.files()) CHECK_FALSE(says(file, "probe"));
}

TEST_CASE("a rewrite between two names of one store leaves the keys that it maps onto themselves") {
  const Shared here;
  const std::string data = here.folder / "data";
  const std::string config = here.config("c.jsonc", {{"one", fs(data)}, {"two", fs(data)}});
  const test::Result result =
      here({"-c", config, "migrate", "one:k", "two:k", "--move", "--rewrite", "^([0-9]+)$", "id:$1"});
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK(test::read_file(data + "/k/id/1") == "data/k/1");
  CHECK(test::read_file(data + "/k/sub/4") == "data/k/sub/4");
  CHECK_FALSE(std::filesystem::exists(data + "/k/1"));
}

TEST_CASE("a move to links to its own files leaves the values at the target") {
  const Shared here;
  const std::string data = here.folder / "data";
  std::filesystem::create_directories(data + "/new");
  std::filesystem::create_symlink("../k/1", data + "/new/1");
  std::filesystem::create_hard_link(data + "/k/2", data + "/new/2");
  const std::string config = here.config("c.jsonc", {{"", fs(data)}});
  const test::Result result = here({"-c", config, "migrate", "k", "new", "--move"});
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK(test::read_file(data + "/new/1") == "data/k/1");
  CHECK(test::read_file(data + "/new/2") == "data/k/2");
  CHECK_FALSE(std::filesystem::exists(data + "/k"));
}

TEST_CASE("a source that takes no writes is copied") {
  const Shared here;
  const std::string data = here.folder / "data", other = here.folder / "other";
  const std::string config = here.config(
      "c.jsonc", {{"fixed", R"({ "driver": "fs", "options": { "base": ")" + data + R"(", "readOnly": true } })"},
                  {"same", fs(data)},
                  {"other", fs(other)}});
  check_refused(here, {"fixed", "same"}, {"-c", config});
  CHECK(here({"-c", config, "copy", "fixed", "other"}).code == 0);
  CHECK(test::read_file(other + "/k/1") == "data/k/1");
}

namespace {

/// Runs a dump and a restore that a pipe joins. `between` is a command in the pipe.
struct Piped {
  std::string codes; ///< of all programs in the pipe
  test::Result result;
};
Piped pipe_through(const Shared &here, const std::string &dump, const std::string &restore,
                   const std::string &between = "") {
  const std::string script = test::program() + " " + dump + (between.empty() ? "" : " | " + between) + " | " +
                             test::program() + " " + restore + "; echo \"${PIPESTATUS[*]}\"";
  Piped piped;
  piped.result = test::run_command({"bash", "-c", script}, {.folder = here.folder.path().string(),
                                                            .variables = {{"XDG_STATE_HOME", here.folder / "state"}}});
  const Strings lines = test::lines(piped.result.out);
  piped.codes = lines.empty() ? "" : lines.back();
  return piped;
}

} // namespace

TEST_CASE("a dump that a pipe restores into its own store is refused, and nothing has changed") {
  const Shared here;
  const std::string data = here.folder / "data", other = here.folder / "other";
  std::filesystem::create_directory_symlink("data", here.folder.path() / "link");
  here.config("served.jsonc", {{"", fs(data)}});
  test::Host host(here.folder / "served.jsonc");
  here.config("c.jsonc",
              {{"old", fs(data)},
               {"new", fs("link")},
               {"part", fs(data + "/sub")},
               {"fixed", R"({ "driver": "fs", "options": { "base": ")" + data + R"(", "readOnly": true } })"},
               {"below", overlay(other, data)},
               {"above", overlay(data, other)},
               {"cached", R"({ "driver": "cache", "layers": [{ "driver": "memory" }, )" + fs(data) + "] }"},
               {"hidden", R"({ "driver": "encrypt", "options": { "keys": "a )" + std::string(64, '7') +
                              R"(" }, "layers": [)" + fs(data) + "] }"},
               {"packed", R"({ "driver": "fs", "options": { "base": ")" + data + R"(" }, "prefix": "k" })"},
               {"host", R"({ "driver": "http", "options": { "base": ")" + host.url + R"(" } })"}});
  const auto [source, target] = GENERATE(table<std::string, std::string>({
      {"-c c.jsonc dump old", "-c c.jsonc restore new"},
      {"-c c.jsonc dump old", "-c c.jsonc restore old"},
      {"-c c.jsonc dump old:k", "-c c.jsonc restore new:k --rewrite '^(.*)$' 'x$1'"},
      {"-c c.jsonc dump old", "-c c.jsonc restore old:backup"},
      {"-c c.jsonc dump old", "-c c.jsonc restore part --on-conflict overwrite"},
      {"-c c.jsonc dump old", "-c c.jsonc restore packed --on-conflict skip"},
      {"-c c.jsonc dump fixed", "-c c.jsonc restore new"},
      {"-c c.jsonc dump old", "-c c.jsonc restore above"},
      {"-c c.jsonc dump above", "-c c.jsonc restore old"},
      {"-c c.jsonc dump below", "-c c.jsonc restore old"},
      {"-c c.jsonc dump cached", "-c c.jsonc restore old"},
      {"-c c.jsonc dump old", "-c c.jsonc restore cached"},
      {"-c c.jsonc dump old", "-c c.jsonc restore hidden"},
      {"-c c.jsonc dump host", "-c c.jsonc restore old"},
      {"-c c.jsonc dump old:k", "-c c.jsonc restore host:k"},
      {"-c c.jsonc dump old:k", "-c c.jsonc restore new:k --dry-run"},
      {"-c served.jsonc dump /", "-c served.jsonc restore backup"},
      {"-c served.jsonc dump k", "-c c.jsonc restore old:k"},
      {"-c served.jsonc dump k", "--url HOST restore k"},
      {"--url HOST dump k", "-c served.jsonc restore k"},
      {"--url HOST dump /", "-c c.jsonc restore part"},
      {"--url HOST dump /", "--url HOST restore copy"},
  }));
  const auto at_host = [&](std::string command) {
    if (const std::size_t place = command.find("HOST"); place != command.npos) command.replace(place, 4, host.url);
    return command;
  };
  const std::string from = at_host(source), to = at_host(target);
  const auto before = here.files();
  const Piped piped = pipe_through(here, from, to);
  INFO(from << " | " << to << ": " << piped.result.out << piped.result.err);
  CHECK(piped.codes == "2 2");
  CHECK(says(piped.result.err, "writes into the same store"));
  CHECK(here.files() == before);
}

TEST_CASE("a dump that a pipe restores into another store, or another part of its own, is restored") {
  const Shared here;
  const std::string data = here.folder / "data", other = here.folder / "other";
  here.config("c.jsonc", {{"old", fs(data)}, {"new", fs(other)}});
  const auto [to, file] = GENERATE(table<std::string, std::string>({{"new", "other/1"}, {"old:copy", "data/copy/1"}}));
  const std::string between = GENERATE("", "cat", "dd bs=7 2>/dev/null");
  const Piped piped = pipe_through(here, "-c c.jsonc dump old:k", "-c c.jsonc restore " + to, between);
  INFO(piped.result.out << piped.result.err);
  CHECK(piped.codes == (between.empty() ? "0 0" : "0 0 0"));
  CHECK(test::read_file(here.folder / file) == "data/k/1");
  for (const auto &[name, text] : here.files()) CHECK_FALSE(says(name, "probe"));
}

TEST_CASE("a dump whose reader waits for its end ends") {
  const Shared here;
  here.config("c.jsonc", {{"", fs(here.folder / "data")}});
  // The reader reads nothing before `dumped` exists, which is made when the dump has ended.
  const std::string script =
      "mkfifo dumped; { " + test::program() + " -c c.jsonc dump / && : >dumped; } | { : <dumped; wc -l; }";
  const test::Result result = test::run_command({"bash", "-c", script}, {.folder = here.folder.path().string()});
  INFO(result.err);
  CHECK(says(result.out, "6"));
}
