// SPDX-License-Identifier: Apache-2.0
// Plugins that print, crash, end the program or cannot be used: what the program makes of them.
#include <catch2/catch.hpp>

#include <csignal>
#include <filesystem>

#include "program.hpp"

using namespace test;

namespace {

/// A plugin that another kind of test made.
std::string loader_plugin(const std::string &name) { return OMNISTORE_BUILD "/tests/loader-plugins/" + name + ".so"; }

/// The driver `rude` at "r", and a folder of plugins of the test's own.
class RudePlace {
public:
  RudePlace() {
    std::filesystem::create_directories(folder.path() / "plugins");
    write_file(config(), R"({ "plugins": { "paths": [")" + plugins() +
                             R"(", ")" OMNISTORE_BUILD R"(/tests/rude", ")" OMNISTORE_BUILD R"(/plugins"] },
      "mounts": { "": { "driver": "memory" }, "r": { "driver": "rude" } },
      "server": { "http": { "listen": "127.0.0.1:0" } }, "admin": { "listen": "127.0.0.1:0" } })");
  }
  std::string config() const { return folder / "omnistore.jsonc"; }
  std::string plugins() const { return folder / "plugins"; }
  /// Puts a plugin there under a name, in place of one that is there.
  void put(const std::string &built, const std::string &as) const {
    std::filesystem::copy_file(built, folder / "new");
    std::filesystem::rename(folder / "new", plugins() + "/" + as + ".so");
  }
  Result run(Strings arguments) const {
    arguments.insert(arguments.begin(), {"-c", config()});
    return omnistore(arguments);
  }
  std::string file = OMNISTORE_BUILD "/tests/rude/rude.so";
  Folder folder;
};

Result at(const Host &host, Strings arguments) {
  arguments.insert(arguments.begin(), {"--url", host.url, "--admin-url", host.admin});
  return omnistore(arguments);
}

} // namespace

TEST_CASE("the output of a plugin goes to standard error and leaves results whole") {
  const RudePlace place;
  const Result got = place.run({"get", "r:k"});
  CHECK(got.out == "value");
  CHECK(says(got.err, "printed while it was loaded"));
  CHECK(says(got.err, "printed while it was asked"));
  CHECK(place.run({"--json", "drivers", "rude"}).json().at("name").as_string() == "rude");
}

TEST_CASE("help and version go to standard output") {
  CHECK(says(omnistore({"--help"}).out, "A storage host"));
  CHECK(says(omnistore({"get", "--help"}).out, "get"));
  CHECK_FALSE(omnistore({"--version"}).out.empty());
}

TEST_CASE("a fatal signal names the plugin file, driver, mount and function") {
  const RudePlace place;
  const auto [key, signal, name] =
      GENERATE(table<std::string, int, std::string>({{"segfault", SIGSEGV, "SIGSEGV"}, {"abort", SIGABRT, "SIGABRT"}}));
  const Result died = place.run({"get", "r:" + key});
  CHECK(died.signal == signal);
  CHECK(says(died.err, "omnistore: " + name + " in the plugin " + place.file + ", driver rude, mount r, function get"));
}

TEST_CASE("a plugin that calls exit ends a command as a failed store and is named") {
  const RudePlace place;
  const Result ended = place.run({"get", "r:exit"});
  CHECK(ended.code == 7);
  CHECK(says(ended.err, "exit() was called in the plugin " + place.file + ", driver rude, mount r, function get"));
}

TEST_CASE("a plugin that exits or crashes while it is loaded is an error of the command that names the file") {
  const RudePlace place;
  const auto [plugin, reason] = GENERATE(table<std::string, std::string>({{"entry_exits", "called exit(3)"},
                                                                          {"entry_aborts", "died of SIGABRT"},
                                                                          {"load_segfaults", "ended in SIGSEGV"}}));
  place.put(loader_plugin(plugin), "bad");
  const std::string file = place.plugins() + "/bad.so";
  write_file(place.config(), R"({ "plugins": { "paths": [")" + place.plugins() + R"("] },
                                  "mounts": { "": { "driver": "bad" } } })");
  for (const Strings &command : {Strings{"get", "k"}, Strings{"check"}, Strings{"serve"}, Strings{"drivers", "bad"}}) {
    const Result refused = place.run(command);
    INFO(command[0] << ": " << refused.err);
    CHECK(refused.code == 2);
    CHECK(says(refused.err, file));
    CHECK(says(refused.err, reason));
  }
}

TEST_CASE("drivers NAME gives the reason for a file that was refused") {
  const RudePlace place;
  write_file(place.plugins() + "/bad.so", "no library");
  const Result local = place.run({"drivers", "bad"});
  CHECK(local.code == 2);
  CHECK(says(local.err, "bad.so"));
  CHECK_FALSE(says(local.err, "there is no driver"));
  const Host host(place.config());
  const Result remote = at(host, {"drivers", "bad"});
  CHECK(remote.code == 2);
  CHECK(says(remote.err, "bad.so"));
  CHECK(says(at(host, {"drivers", "no-such"}).err, "there is no driver no-such"));
}

TEST_CASE("neither drivers nor a mistyped driver kills a running host whose plugins crash") {
  const RudePlace place;
  place.put(loader_plugin("entry_segfaults"), "crashes");
  place.put(loader_plugin("load_exits"), "exits");
  Host host(place.config());
  CHECK(says(at(host, {"drivers"}).out, "died of SIGSEGV"));
  const Result mistyped = at(host, {"mount", "c", "memroy"});
  CHECK(mistyped.code == 2);
  CHECK(says(mistyped.err, "did you mean 'memory'?"));
  CHECK(at(host, {"set", "k", "v"}).code == 0);
  const Result ended = host.stop();
  CHECK(ended.code == 0);
  CHECK(says(ended.err, "its entry function died of SIGSEGV")); // in the log, too
}

TEST_CASE("an internal failure is in the log and not only in the response") {
  const RudePlace place;
  Host host(place.config());
  const Result mute = at(host, {"get", "r:mute"});
  CHECK(mute.code == 7);
  CHECK(says(mute.err, "returned ok and gave no value"));
  const Result ended = host.stop();
  CHECK(says(ended.err, "internal failure: get r:mute (mount r, driver rude)"));
}

TEST_CASE("mount says which version of a driver it mounted in place of which") {
  const RudePlace place;
  Host host(place.config());
  place.put(loader_plugin("answers_1111"), "sample");
  CHECK(at(host, {"mount", "s", "sample"}).out == "mounted s: sample 1.0.0\n");
  CHECK(at(host, {"mount", "s", "sample"}).out ==
        "mounted s: sample 1.0.0, in place of what was mounted there (sample 1.0.0 kept)\n");
  place.put(loader_plugin("answers_2222"), "sample");
  // The host watches its plugin folders, and may have taken the file up by itself.
  const std::string again = at(host, {"mount", "s", "sample"}).out;
  CHECK((again == "mounted s: sample 2.0.0, in place of what was mounted there (sample 1.0.0 -> 2.0.0)\n" ||
         again == "mounted s: sample 2.0.0, in place of what was mounted there (sample 2.0.0 kept)\n"));
  CHECK(says(host.stop().err, "sample 1.0.0 -> 2.0.0"));
}

TEST_CASE("a store that is unmounted and mounted again has the plugin file that is there now") {
  const RudePlace place;
  const Host host(place.config());
  place.put(loader_plugin("answers_2222"), "sample");
  at(host, {"mount", "s", "sample"});
  at(host, {"unmount", "s"});
  place.put(loader_plugin("answers_1111"), "sample");
  CHECK(at(host, {"mount", "s", "sample"}).out == "mounted s: sample 1.0.0\n");
}
