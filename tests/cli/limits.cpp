// SPDX-License-Identifier: Apache-2.0
// Limits that the system sets to the program: each is a failure with a reason, and none is the program's end.
#include <catch2/catch.hpp>

#include "program.hpp"

using test::Place;
using test::Result;
using test::says;

namespace {

/// The program under a limit of the shell's `ulimit`.
Result under(const std::string &limit, const std::string &arguments, const test::Setting &setting) {
  return test::run_command({"sh", "-c", "ulimit " + limit + " && exec " + test::program() + " " + arguments}, setting);
}

} // namespace

TEST_CASE("A limit on the size of files ends a set with 7 and leaves no unfinished file") {
  const Place place;
  const Result set = under("-f 16", "-c " + place.config() + " set k -f -", {.input = std::string(3 << 20, 'x')});
  CHECK(set.signal == 0);
  CHECK(set.code == 7);
  CHECK(says(set.err, "ulimit -f"));
  CHECK(std::filesystem::is_empty(place.folder / "root"));
}

TEST_CASE("a database at the limit of a file's size reports no_space, and keeps what it has") {
  const Place place;
  const auto [driver, option] =
      GENERATE(table<std::string, std::string>({{"sqlite", "path"}, {"lmdb", "path"}, {"fs", "base"}}));
  const std::string config = place.folder / "limited.jsonc";
  test::write_file(config, R"({ "mounts": { "": { "driver": ")" + driver + R"(", "options": { ")" + option + "\": \"" +
                               (place.folder / "database") + R"(" } } } })");
  REQUIRE(under("-f 200", "-c " + config + " set k old", {}).code == 0);
  const std::size_t size = GENERATE(300'000, 3'000'000); // written at once, and through a temporary file
  const Result set = under("-f 200", "-c " + config + " set k -f -", {.input = std::string(size, 'x')});
  INFO(driver << ", " << size << ": " << set.err);
  CHECK(set.signal == 0);
  CHECK(set.code == 7);
  CHECK(says(set.err, "ulimit -f"));
  CHECK(says(set.err, "make room"));
  CHECK(under("-f 200", "-c " + config + " get k", {}).out == "old");
  CHECK(under("-f 200", "-c " + config + " set k new", {}).code == 0);
}

TEST_CASE("A limit on the size of files ends a dump with 7, not with a signal") {
  const Place place;
  REQUIRE(test::omnistore({"-c", place.config(), "set", "k", "-f", "-"}, {.input = std::string(3 << 20, 'x')}).code ==
          0);
  const Result dump =
      under("-f 16", "-c " + place.config() + " dump -o kept", {.folder = place.folder.path().string()});
  CHECK(dump.signal == 0);
  CHECK(dump.code == 7);
}

TEST_CASE("A host under a limit on the size of files responds with 507 and continues") {
  const Place place;
  const test::Setting setting{.folder = place.folder.path().string()};
  test::Process host(
      {"sh", "-c", "ulimit -f 16 && exec " + test::program() + " -c " + place.config() + " --json serve"}, setting);
  const std::string url(boost::json::parse(host.line()).at("http").as_string());
  for (int i = 0; i < 2; ++i) {
    const Result set =
        test::omnistore({"--json", "--url", url, "set", "k", "-f", "-"}, {.input = std::string(3 << 20, 'x')});
    CHECK(set.code == 7);
    CHECK(set.error().at("status") == "no_space");
  }
  CHECK(test::omnistore({"--url", url, "set", "k", "short"}).code == 0);
  CHECK(test::omnistore({"--url", url, "get", "k"}).out == "short");
  ::kill(host.pid(), SIGTERM);
  CHECK(host.finish().code == 0);
}

TEST_CASE("A host that may start no thread ends with 6 and says so") {
  const Place place;
  for (const std::string folder : {"", "root", "fixed"}) {
    std::filesystem::permissions(place.folder.path() / folder, std::filesystem::perms::all);
  }
  for (const std::string most : {"2", "3", "4"}) { // processes of the user, `timeout` among them
    const Result serve =
        test::run_command({"setpriv", "--reuid=65529", "--regid=65529", "--clear-groups", "sh", "-c",
                           "test -x " + test::program() + " || exit 99; exec prlimit --nproc=" + most +
                               " timeout -s KILL 20 " + test::program() + " -c " + place.config() + " serve"});
    if (geteuid() != 0 || serve.code == 99) {
      WARN("not tried: it takes root, and a build that other users can read");
      return;
    }
    INFO(most << " threads: " << serve.err);
    CHECK(serve.code == 6);
    CHECK(says(serve.err, "ulimit -u"));
  }
}
