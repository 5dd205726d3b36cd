// SPDX-License-Identifier: Apache-2.0
// Relative paths of a config start at its folder, wherever the program runs.
#include <catch2/catch.hpp>

#include <algorithm>

#include "program.hpp"

using test::Result;
using test::says;

namespace {

/// A config in one folder, and another folder to run the program in.
class Apart {
public:
  explicit Apart(const std::string &mounts) {
    std::filesystem::create_directories(folder.path() / "etc");
    std::filesystem::create_directories(folder.path() / "work");
    text = R"({ "server": { "http": { "listen": "127.0.0.1:0" } }, "admin": { "listen": "127.0.0.1:0" },
      "mounts": { )" +
           mounts + " } }";
    test::write_file(folder / "etc/x.jsonc", text);
  }
  test::Setting there(const std::string &input = {}) const { return {.input = input, .folder = folder / "work"}; }
  bool has(const std::string &path) const { return std::filesystem::exists(folder.path() / path); }

  test::Folder folder;
  std::string text;
};

const std::string files = R"("": { "driver": "fs", "options": { "base": "./data" } })";

} // namespace

TEST_CASE("a path in a driver's options starts at the config's folder") {
  const Apart apart(files);
  CHECK(test::omnistore({"-c", "../etc/x.jsonc", "set", "a", "1"}, apart.there()).code == 0);
  CHECK(apart.has("etc/data/a"));
  CHECK_FALSE(apart.has("work/data"));
}

TEST_CASE("a path in the options of a layer, an origin and a wrapper starts at the config's folder") {
  const Apart apart(R"("o": { "driver": "overlay", "options": { "writeTo": "all" }, "layers": [
        { "driver": "memory" }, { "driver": "fs", "options": { "base": "layer" } } ] },
      "c": { "driver": "memory", "invalidation": {}, "origin": { "driver": "fs", "options": { "base": "origin" } } },
      "t": { "driver": "fs", "options": { "base": "../etc/through" }, "through": [ { "driver": "overlay" } ] })");
  for (const char *key : {"o:a", "c:a", "t:a"})
    CHECK(test::omnistore({"-c", "../etc/x.jsonc", "set", key, "1"}, apart.there()).code == 0);
  for (const char *file : {"etc/layer/a", "etc/origin/a", "etc/through/a"}) CHECK(apart.has(file));
}

TEST_CASE("a path in a profile starts at the config's folder") {
  const Apart apart(R"("": { "driver": "memory" } }, "profiles": { "p": { "mounts": { )" + files + " } }");
  CHECK(test::omnistore({"-c", "../etc/x.jsonc", "--profile", "p", "set", "a", "1"}, apart.there()).code == 0);
  CHECK(apart.has("etc/data/a"));
}

TEST_CASE("a config that a link leads to has the folder of the link") {
  const Apart apart(files);
  std::filesystem::create_directories(apart.folder.path() / "links");
  std::filesystem::create_symlink("../etc/x.jsonc", apart.folder.path() / "links" / "y.jsonc");
  CHECK(test::omnistore({"-c", "../links/y.jsonc", "set", "a", "1"}, apart.there()).code == 0);
  CHECK(apart.has("links/data/a"));
}

TEST_CASE("the paths of a config from standard input start at the working folder") {
  const Apart apart(files);
  const Result set = test::omnistore({"-c", "-", "set", "a", "1"}, apart.there(apart.text));
  CHECK(set.code == 0);
  INFO(set.err);
  CHECK(apart.has("work/data/a"));
  CHECK(test::omnistore({"-c", "/dev/stdin", "get", "a"}, apart.there(apart.text)).out == "1");
}

TEST_CASE("the paths of a mount at run time start at the folder of the host's config") {
  const Apart apart(R"("": { "driver": "memory" })");
  test::Host host("../etc/x.jsonc", apart.there());
  const test::Strings where{"--url", host.url, "--admin-url", host.admin};
  const auto run = [&](test::Strings command) {
    command.insert(command.begin(), where.begin(), where.end());
    return test::omnistore(command, {.folder = apart.folder.path().string()});
  };
  CHECK(run({"mount", "m", "fs", "-o", "base=data"}).code == 0);
  CHECK(
      run({"mount", "n", R"({ "driver": "overlay", "layers": [ { "driver": "fs", "options": { "base": "low" } } ] })"})
          .code == 0);
  CHECK(run({"set", "m:a", "1"}).code == 0);
  CHECK(run({"set", "n:a", "1"}).code == 0);
  CHECK(apart.has("etc/data/a"));
  CHECK(apart.has("etc/low/a"));
}

TEST_CASE("plugins are looked for at the config's folder") {
  const Apart apart(R"("": { "driver": "nowhere" } }, "plugins": { "paths": ["./more"] )");
  const Result checked = test::omnistore({"-c", "../etc/x.jsonc", "check"}, apart.there());
  CHECK(says(checked.err, apart.folder / "etc/more"));
}
