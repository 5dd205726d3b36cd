// SPDX-License-Identifier: Apache-2.0
// Commands that end although a driver or a host hangs: --timeout, Ctrl-C, and a reader that has gone.
#include <catch2/catch.hpp>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <optional>

#include "program.hpp"

using test::Process;
using test::Result;
using test::says;
using test::Strings;
using Clock = std::chrono::steady_clock;

namespace {

/// A config with memory at the root and a store at "stuck" that hangs in one function.
class Stuck {
public:
  explicit Stuck(const std::string &in) {
    test::write_file(config(), R"({ "plugins": { "paths": [")" OMNISTORE_BUILD R"(/tests/stuck", ")" OMNISTORE_BUILD
                               R"(/plugins"] }, "mounts": { "": { "driver": "memory" }, "stuck": { "driver": "stuck",
      "options": { "in": ")" + in + R"(" } } }, "stopTimeout": "100ms",
      "server": { "http": { "listen": "127.0.0.1:0" } }, "admin": { "listen": "127.0.0.1:0" } })");
  }
  std::string config() const { return folder / "omnistore.jsonc"; }
  Strings local(const Strings &command) const { return with({"-c", config()}, command); }
  static Strings with(Strings first, const Strings &command) {
    first.insert(first.begin(), test::program());
    first.insert(first.end(), command.begin(), command.end());
    return first;
  }
  test::Setting here() const { return {.folder = folder.path().string()}; }

  test::Folder folder;
};

struct Case {
  const char *in;
  Strings command;
  bool writes;
};

void check_late(const Result &result, const std::string &name, const std::string &hangs, bool writes) {
  INFO(result.err);
  CHECK(result.code == 6);
  CHECK(says(result.err, name));
  CHECK(says(result.err, "not done after 300ms"));
  CHECK(says(result.err, hangs));
  CHECK(says(result.err, "it may still take place") == writes);
}

} // namespace

TEST_CASE("A command ends when its time is up although a driver hangs, and names the driver") {
  const Case each =
      GENERATE(Case{"get", {"get", "stuck:k"}, false}, Case{"get", {"get", "stuck:k", "stuck:l"}, false},
               Case{"get", {"get", "stuck:k", "-o", "part"}, false}, Case{"stat", {"has", "stuck:k"}, false},
               Case{"stat", {"meta", "stuck:k"}, false}, Case{"set", {"set", "stuck:k", "v"}, true},
               Case{"remove", {"rm", "stuck:k"}, true}, Case{"stat", {"touch", "stuck:k", "--ttl", "1h"}, true},
               Case{"list", {"ls", "stuck"}, false}, Case{"clear", {"clear", "-y", "stuck:"}, true},
               Case{"list", {"inspect", "stuck"}, false}, Case{"get", {"explain", "stuck:k"}, false},
               Case{"list", {"copy", "stuck:", "to:"}, true}, Case{"list", {"verify", "stuck:", "to:"}, false},
               Case{"list", {"dump", "stuck:", "-o", "file"}, false}, Case{"open", {"get", "k"}, false},
               Case{"close", {"set", "k", "v"}, true}, Case{"open", {"check", "--open"}, false});
  INFO(each.in << " " << each.command[0]);
  const Stuck stuck(each.in);
  Strings command = each.command;
  command.insert(command.begin(), {"--timeout", "300ms"});
  const auto began = Clock::now();
  const Result result = test::run_command(stuck.local(command), stuck.here());
  CHECK(Clock::now() - began < std::chrono::seconds(20));
  check_late(result, each.command[0], each.in + std::string(" (mount stuck, driver stuck) has not returned"),
             each.writes);
  for (const auto &entry : std::filesystem::directory_iterator(stuck.folder.path())) // nothing half done is left
    CHECK_FALSE(says(entry.path().string(), "part-"));
}

TEST_CASE("A restore and a set of many keys end when their time is up although the target hangs") {
  const Stuck stuck("set");
  test::write_file(stuck.folder / "pairs", "{\"key\":\"stuck:a\",\"value\":\"1\"}\n");
  check_late(test::run_command(stuck.local({"--timeout", "300ms", "set", "--from", "pairs"}), stuck.here()), "set",
             "set (mount stuck, driver stuck) has not returned", true);
  test::Place place;
  REQUIRE(test::run_command({test::program(), "-c", place.config(), "set", "a", "1"}).code == 0);
  REQUIRE(test::run_command({test::program(), "-c", place.config(), "dump", "-o", stuck.folder / "file"}).code == 0);
  check_late(test::run_command(stuck.local({"--timeout", "300ms", "restore", "stuck:", "file"}), stuck.here()),
             "restore", "set (mount stuck, driver stuck) has not returned", true);
}

TEST_CASE("A command ends when its time is up although a host hangs, and names the host") {
  const Case each = GENERATE(Case{"get", {"get", "stuck:k"}, false}, Case{"set", {"set", "stuck:k", "v"}, true},
                             Case{"list", {"ls", "stuck"}, false}, Case{"clear", {"clear", "-y", "stuck:"}, true},
                             Case{"get", {"explain", "stuck:k"}, false});
  INFO(each.command[0]);
  const Stuck stuck(each.in);
  test::Host host(stuck.config());
  Strings command = each.command;
  command.insert(command.end(), {"--timeout=300ms"}); // after the command too
  const Result result =
      test::run_command(Stuck::with({"--url", host.url, "--admin-url", host.admin}, command), stuck.here());
  const std::string address =
      (each.command[0] == "explain" ? host.admin : host.url).substr(std::string("http://").size());
  check_late(result, each.command[0], "the host " + address + " has not responded", each.writes);
}

TEST_CASE("A command that is done in time is as it is without a limit") {
  const Stuck stuck("nothing");
  CHECK(test::run_command(stuck.local({"--timeout", "1m", "set", "stuck:k", "v"}), stuck.here()).code == 0);
  CHECK(test::run_command(stuck.local({"--timeout", "1m", "get", "k"}), stuck.here()).code == 1);
}

TEST_CASE("A malformed time limit is refused") {
  const Stuck stuck("nothing");
  for (const char *wrong : {"0", "-1s", "soon", ""}) {
    INFO(wrong);
    const Result result = test::run_command(stuck.local({"--timeout", wrong, "get", "k"}), stuck.here());
    CHECK(result.code == 2);
    CHECK(says(result.err, "--timeout"));
  }
  CHECK(says(test::run_command(stuck.local({"--timeout", "5s", "serve"}), stuck.here()).err, "serve: --timeout"));
}

TEST_CASE("A failure by the time limit is an object with --json") {
  const Stuck stuck("set");
  const Result result = test::run_command(stuck.local({"--json", "--timeout", "300ms", "set", "stuck:k", "v"}), {});
  CHECK(result.code == 6);
  const std::string object = result.err.substr(result.err.find('{'));
  CHECK(boost::json::parse(object).at("error").at("status") == "timeout");
}

TEST_CASE("Ctrl-C ends a command at once although a driver hangs") {
  const std::string in = GENERATE("get", "set", "list");
  const Stuck stuck(in);
  const Strings command = in == "get"   ? Strings{"get", "stuck:k"}
                          : in == "set" ? Strings{"set", "stuck:k", "v"}
                                        : Strings{"ls", "stuck"};
  Process process(stuck.local(command), stuck.here());
  while (process.error_line() != "stuck in " + in + "\n") {
  }
  ::kill(process.pid(), SIGINT);
  const Result result = process.finish();
  CHECK((result.signal == SIGINT || result.code == 130));
}

TEST_CASE("A read ends when the reader of its pipe has gone, although a driver or a host hangs") {
  const std::string in = GENERATE("get", "list");
  const bool remote = GENERATE(false, true);
  INFO(in << remote);
  const Stuck stuck(in);
  std::optional<test::Host> host;
  if (remote) host.emplace(stuck.config());
  const Strings command = in == "get" ? Strings{"get", "stuck:k"} : Strings{"ls", "stuck"};
  Process process(remote ? Stuck::with({"--url", host->url}, command) : stuck.local(command), stuck.here());
  while ((remote ? host->process() : process).error_line() != "stuck in " + in + "\n") {
  }
  process.close_output();
  CHECK(process.finish().code == 141);
}
