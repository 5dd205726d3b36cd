// SPDX-License-Identifier: Apache-2.0
// `omnistore dev`: one driver, served without a config.
#include <catch2/catch.hpp>

#include <csignal>
#include <filesystem>

#include <cli/program.hpp>
#include <support/temporary.hpp>

using test::omnistore;
using test::says;
using test::Strings;
namespace fs = std::filesystem;

namespace {

std::string example(const std::string &name) { return OMNISTORE_BUILD "/examples/" + name + ".so"; }

/// `omnistore dev` beside the test.
class Dev {
public:
  explicit Dev(Strings arguments, const test::Setting &setting = {})
      : process_(command(std::move(arguments)), setting) {
    url = boost::json::parse(process_.line()).at("http").as_string();
  }
  std::string get(const std::string &key) const { return omnistore({"--url", url, "get", key}).out; }
  /// Reads the log up to a line that says so.
  void await(const std::string &part) {
    while (!says(process_.error_line(), part)) {
    }
  }
  test::Result interrupt() {
    ::kill(process_.pid(), SIGINT);
    return process_.finish();
  }

  std::string url;

private:
  static Strings command(Strings arguments) {
    Strings all{test::program(), "--json", "dev"};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }
  test::Process process_;
};

} // namespace

TEST_CASE("one driver is served with its options, each operation is logged, and Ctrl-C ends it") {
  Dev dev({example("hello"), "--options", R"({"greeting": "good day"})"});
  CHECK(dev.get("you") == "good day you");
  dev.await("READ HIT you");
  CHECK(omnistore({"--url", dev.url, "set", "you", "bye"}).code == 0);
  CHECK(dev.get("you") == "bye");
  CHECK(dev.interrupt().code == 0);
}

TEST_CASE("a plugin that is built again is reopened, and a broken one leaves the old one open") {
  const test::Folder folder;
  const std::string file = folder / "thing.so";
  const auto build = [&](const std::string &from) { // as a linker does: a new file in the place of the old
    fs::copy_file(from, folder / "new", fs::copy_options::overwrite_existing);
    fs::rename(folder / "new", file);
  };
  build(example("hello"));
  Dev dev({file, "--driver", "hello"});
  REQUIRE(omnistore({"--url", dev.url, "set", "you", "bye"}).code == 0);
  CHECK(dev.get("you") == "bye");

  test::write_file(folder / "broken", "no plugin");
  build(folder / "broken");
  dev.await("not reloaded");
  CHECK(dev.get("you") == "bye");

  build(example("hello"));
  dev.await("mount root replaced");
  CHECK(dev.get("you") == "hello you"); // what was set is gone with the old store
  CHECK(dev.interrupt().code == 0);
}

TEST_CASE("a layer is served over the stores that --over names") {
  const test::Folder folder;
  Dev dev({OMNISTORE_BUILD "/plugins/overlay.so", "--over", "memory", "--over", R"(memory {"size": 10})"});
  CHECK(omnistore({"--url", dev.url, "set", "a", "1"}).code == 0);
  CHECK(dev.get("a") == "1");
}

TEST_CASE("a plugin below a layer that is built again is opened anew") {
  const test::Folder folder;
  const std::string file = folder / "hello.so", bytes = test::read_file(example("hello"));
  test::write_file(file, bytes);
  Dev dev({OMNISTORE_BUILD "/plugins/readonly.so", "--over", "hello"},
          {.variables = {{"OMNISTORE_PLUGIN_PATH", folder.path().string()}}});
  CHECK(dev.get("you") == "hello you");
  test::write_file(folder / "new", bytes + "another version");
  fs::rename(folder / "new", file);
  dev.await("mount root replaced");
  CHECK(dev.get("you") == "hello you");
}

TEST_CASE("relative paths in the options start at dev's working folder") {
  const test::Folder folder;
  Dev dev({OMNISTORE_BUILD "/plugins/fs.so", "--options", R"({"base": "./data"})"}, {.folder = folder.path()});
  CHECK(omnistore({"--url", dev.url, "set", "a", "1"}).code == 0);
  CHECK(test::read_file(folder / "data/a") == "1");
}

TEST_CASE("a plugin that cannot be served is refused with the reason") {
  const test::Folder folder;
  const auto missing = omnistore({"dev", folder / "thing.so"});
  CHECK(missing.code == 2);
  CHECK(says(missing.err, "there is no file " + (folder / "thing.so")));
  test::write_file(folder / "thing.so", "no plugin");
  const auto broken = omnistore({"dev", folder / "thing.so"});
  CHECK(broken.code == 2);
  CHECK(says(broken.err, folder / "thing.so"));
  const auto other = omnistore({"dev", example("hello"), "--driver", "memory"});
  CHECK(other.code == 2);
  CHECK(says(other.err, "has the drivers hello"));
  const auto options = omnistore({"dev", example("hello"), "--options", "[]"});
  CHECK(options.code == 2);
  CHECK(says(options.err, "--options: expected a JSON object"));
  const auto wrong = omnistore({"dev", example("hello"), "--options", R"({"greting": "x"})"});
  CHECK(wrong.code == 2);
  CHECK(says(wrong.err, "options.greting: there is no such field; did you mean \"greeting\"?"));
  CHECK_FALSE(says(wrong.err, "config"));
  CHECK(says(wrong.err, "`omnistore drivers --file " + example("hello") + "` shows the options"));
}
