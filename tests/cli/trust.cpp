// SPDX-License-Identifier: Apache-2.0
// Reports on a plugin file before it is trusted, and the lock file of trusted ones.
#include <catch2/catch.hpp>

#include <filesystem>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <sys/stat.h>

#include "program.hpp"

using namespace test;

namespace {

std::string built(const std::string &name) { return OMNISTORE_BUILD "/tests/loader-plugins/" + name + ".so"; }
std::string shipped(const std::string &name) { return OMNISTORE_BUILD "/plugins/" + name + ".so"; }

/// A config whose plugins are those of one folder and the built ones, with a lock file or without.
class LockPlace {
public:
  explicit LockPlace(bool names_lock = true) {
    std::filesystem::create_directory(plugins());
    write(names_lock);
    put("good", "sample");
  }
  void write(bool names_lock) const {
    write_file(config(), R"({ "plugins": { "paths": [")" + plugins() + R"("])" +
                             (names_lock ? R"(, "lock": "omnistore.lock")" : "") +
                             R"( }, "mounts": { "": { "driver": "memory" } },
      "server": { "http": { "listen": "127.0.0.1:0" } }, "admin": { "listen": "127.0.0.1:0" } })");
  }
  void put(const std::string &plugin, const std::string &as) const {
    std::filesystem::copy_file(built(plugin), folder / "new");
    std::filesystem::rename(folder / "new", plugins() + "/" + as + ".so");
  }
  std::string config() const { return folder / "omnistore.jsonc"; }
  std::string lock() const { return folder / "omnistore.lock"; }
  std::string plugins() const { return folder / "plugins"; }
  Result run(Strings arguments) const {
    arguments.insert(arguments.begin(), {"-c", config()});
    return omnistore(arguments);
  }
  Folder folder;
};

} // namespace

TEST_CASE("drivers --file describes a file that no config names") {
  const Result text = omnistore({"drivers", "--file", shipped("fs")});
  INFO(text.err);
  CHECK(text.code == 0);
  for (const char *part : {"file      ", "sha256    sha256:", "needs     ", "libc.so.6", "ABI 1.0",
                           "threads   parallel", "keeps     ", "order     ", "limits    keys of", "native    ", "base"})
    CHECK(says(text.out, part));
}

TEST_CASE("drivers --file gives every driver of a file, as JSON too") {
  const Result text = omnistore({"drivers", "--file", built("two_drivers")});
  CHECK(says(text.out, "\nsample 1.0.0"));
  CHECK(says(text.out, "\nother 1.0.0"));
  const Result answer = omnistore({"--json", "drivers", "--file", built("two_drivers")});
  CHECK(answer.code == 0);
  const auto json = answer.json();
  const auto &plugin = json.as_object();
  CHECK(plugin.at("file").as_string() == built("two_drivers"));
  CHECK(plugin.at("sha256").as_string().size() == 7 + 64);
  REQUIRE(plugin.at("drivers").as_array().size() == 2);
  const auto &driver = plugin.at("drivers").as_array()[0].as_object();
  for (const char *field : {"name", "version", "plugin_version", "abi", "threads", "keeps", "order", "children",
                            "capabilities", "limits", "schema", "sha256"}) {
    INFO(field);
    CHECK(driver.contains(field));
  }
}

TEST_CASE("drivers --file gives one driver if it is named, and says which there are") {
  const Result one = omnistore({"drivers", "other", "--file", built("two_drivers")});
  CHECK(one.code == 0);
  CHECK_FALSE(says(one.out, "\nsample 1.0.0"));
  const Result none = omnistore({"drivers", "othre", "--file", built("two_drivers")});
  CHECK(none.code == 2);
  CHECK(says(none.err, "is other meant?"));
}

TEST_CASE("drivers --file gives a broken file the loader's diagnosis and exit code 2") {
  const Folder folder;
  const std::string whole = read_file(built("good"));
  write_file(folder / "text.so", "hello\n");
  write_file(folder / "half.so", whole.substr(0, whole.size() / 2));
  const std::pair<std::string, std::string> cases[] = {{folder / "text.so", "it is not a shared library"},
                                                       {folder / "half.so", "it is truncated"},
                                                       {folder / "none.so", "No such file"},
                                                       {folder.path(), "it is a folder"},
                                                       {built("entry_segfaults"), "its entry function died of SIGSEGV"},
                                                       {built("load_exits"), "loading it ended in exit("}};
  for (const auto &[file, reason] : cases) {
    INFO(file);
    const Result refused = omnistore({"drivers", "--file", file});
    CHECK(refused.code == 2);
    CHECK(refused.out.empty());
    CHECK(says(refused.err, file + ": "));
    CHECK(says(refused.err, reason));
    CHECK(omnistore({"--json", "drivers", "--file", file}).error().at("status").as_string() == "invalid");
  }
}

TEST_CASE("drivers --file shows the good part of a file that is half bad, with exit code 2") {
  const Result half = omnistore({"drivers", "--file", built("half_bad")});
  CHECK(half.code == 2);
  CHECK(says(half.out, "\nother 1.0.0"));
  CHECK(says(half.out, "bad name 'Sample'"));
}

TEST_CASE("drivers --file is for files of this machine") {
  CHECK(omnistore({"--url", "http://127.0.0.1:1", "drivers", "--file", built("good")}).code == 2);
  const Setting elsewhere{.variables = {{"OMNISTORE_URL", "http://127.0.0.1:1"}}};
  CHECK(omnistore({"drivers", "--file", built("good")}, elsewhere).code == 0);
}

TEST_CASE("the list of drivers has the sum of each plugin") {
  const LockPlace place;
  place.run({"plugins", "lock"});
  const auto answer = place.run({"--json", "drivers"}).json();
  for (const auto &driver : answer.at("drivers").as_array()) CHECK(driver.at("sha256").as_string().size() == 7 + 64);
}

TEST_CASE("plugins lock writes every plugin that can be used, and verify agrees") {
  const LockPlace place;
  const Result locked = place.run({"plugins", "lock"});
  INFO(locked.err);
  CHECK(locked.code == 0);
  CHECK(says(locked.out, place.lock() + ": "));
  const std::string text = read_file(place.lock());
  CHECK(says(text, "\"file\": \"sample.so\""));
  CHECK(says(text, "\"path\": \"plugins/sample.so\""));
  CHECK(says(text, "\"file\": \"memory.so\""));
  CHECK(says(text, "\"drivers\": {\"sample\":\"1.0.0\"}"));
  CHECK(place.run({"plugins", "lock"}).code == 0);
  CHECK(read_file(place.lock()) == text);
  CHECK(place.run({"plugins", "verify"}).code == 0);
  CHECK(place.run({"get", "x"}).code == 1);
}

TEST_CASE("plugins verify reports each difference and loads nothing") {
  const LockPlace place;
  place.put("other", "other");
  REQUIRE(place.run({"plugins", "lock"}).code == 0);
  place.put("answers_2222", "sample");
  place.put("load_segfaults", "stranger");
  std::filesystem::remove(place.plugins() + "/other.so");
  const Result verified = place.run({"plugins", "verify"});
  CHECK(verified.code == 2);
  CHECK(says(verified.out, "changed  " + place.plugins() + "/sample.so: locked as sha256:"));
  CHECK(says(verified.out, "added    " + place.plugins() + "/stranger.so"));
  CHECK(says(verified.out, "missing  plugins/other.so"));
  CHECK(says(verified.err, "`omnistore plugins lock`"));
  const auto answer = place.run({"--json", "plugins", "verify"}).json();
  CHECK_FALSE(answer.at("ok").as_bool());
  CHECK(answer.at("differences").as_array().size() == 3);
}

TEST_CASE("plugins list shows how each plugin stands to the lock") {
  const LockPlace place;
  CHECK(says(LockPlace(false).run({"plugins"}).out, "unlocked"));
  REQUIRE(place.run({"plugins", "lock"}).code == 0);
  place.put("answers_2222", "sample");
  const Result listed = place.run({"plugins", "list"});
  CHECK(says(listed.out, "locked"));
  CHECK(says(listed.out, "changed"));
  CHECK(place.run({"--json", "plugins"}).json().at("in_config").as_bool());
}

TEST_CASE("a file that cannot be used is left out of the lock and reported") {
  const LockPlace place;
  place.put("load_segfaults", "stranger");
  const Result locked = place.run({"plugins", "lock"});
  CHECK(locked.code == 0);
  CHECK(says(locked.err, "left out: " + place.plugins() + "/stranger.so"));
  CHECK_FALSE(says(read_file(place.lock()), "stranger"));
}

TEST_CASE("a command on a config with a lock refuses a plugin that differs and names the remedy") {
  const LockPlace place;
  REQUIRE(place.run({"plugins", "lock"}).code == 0);
  const std::string text = read_file(place.lock());
  write_file(place.lock(), R"({"omnistoreLock": 1, "plugins": []})");
  const Result refused = place.run({"get", "x"});
  CHECK(refused.code == 2);
  CHECK(says(refused.err, "memory.so: it is not in the lock file " + place.lock()));
  CHECK(says(refused.err, "run `omnistore plugins lock --lock " + place.lock() + "`"));
  CHECK(place.run({"check"}).code == 2);
}

TEST_CASE("check names a lock file that is missing once, and one that is not named") {
  const LockPlace named, unnamed(false);
  const Result missing = named.run({"check"});
  CHECK(missing.code == 2);
  CHECK(says(missing.err, "1 problem"));
  CHECK(says(missing.err, "plugins.lock: the lock file " + named.lock() + " cannot be used"));
  const Result locked = unnamed.run({"plugins", "lock"});
  CHECK(says(locked.err, R"("plugins": {"lock": "omnistore.lock"})"));
  const Result checked = unnamed.run({"check"});
  CHECK(checked.code == 0);
  CHECK(says(checked.err, "lies beside the config, which does not name it"));
  CHECK(says(unnamed.run({"--json", "check"}).out, R"("notes":[)"));
}

TEST_CASE("a running host takes a plugin of another lock only after the lock has changed") {
  const LockPlace place;
  REQUIRE(place.run({"plugins", "lock"}).code == 0);
  Host host(place.config());
  const auto at = [&](Strings arguments) {
    arguments.insert(arguments.begin(), {"--url", host.url, "--admin-url", host.admin});
    return omnistore(arguments);
  };
  place.put("other", "other");
  const Result refused = at({"mount", "o", "other"});
  CHECK(refused.code == 2);
  CHECK(says(refused.err, "it is not in the lock file"));
  REQUIRE(place.run({"plugins", "lock"}).code == 0);
  CHECK(at({"mount", "o", "other"}).code == 0);
  place.put("answers_2222", "other");
  CHECK(at({"mount", "p", "other"}).code == 2);
  CHECK(at({"get", "o:k"}).code == 1); // the old one still responds
  host.stop();
}
