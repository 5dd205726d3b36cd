// SPDX-License-Identifier: Apache-2.0
// The commands: their output, their ends, and how one resumes.
#include <chrono>
#include <cstdlib>
#include <thread>

#include <catch2/catch.hpp>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "cli/program.hpp"

using test::omnistore;
using test::says;

namespace {

/// A config with files at `a`, `b` and `c`, served if that is wanted, and a home for journals.
class Commands {
public:
  Commands() {
    test::write_file(config(), R"({ "mounts": {
      "a": { "driver": "fs", "options": { "base": ")" +
                                   (folder / "a") + R"(" } },
      "b": { "driver": "fs", "options": { "base": ")" +
                                   (folder / "b") + R"(" } },
      "c": { "driver": "memory" } },
      "server": { "http": { "listen": "127.0.0.1:0" } }, "admin": { "listen": "127.0.0.1:0" } })");
  }
  std::string config() const { return folder / "omnistore.jsonc"; }
  void set(const std::string &file, const std::string &value) const { test::write_file(folder.path() / file, value); }
  std::string get(const std::string &file) const { return test::read_file(folder.path() / file); }
  bool has(const std::string &file) const { return std::filesystem::exists(folder.path() / file); }
  test::Strings command(test::Strings arguments) const {
    arguments.insert(arguments.begin(), {"-c", config()});
    return arguments;
  }
  test::Result operator()(const test::Strings &arguments, const std::string &input = "") const {
    return omnistore(command(arguments), {.input = input, .folder = folder.path().string(), .variables = home()});
  }
  std::map<std::string, std::string> home() const { return {{"XDG_STATE_HOME", folder / "state"}}; }
  std::size_t journals() const {
    std::size_t count = 0;
    if (has("state/omnistore/jobs"))
      for ([[maybe_unused]] const auto &file :
           std::filesystem::directory_iterator(folder.path() / "state/omnistore/jobs"))
        ++count;
    return count;
  }

  test::Folder folder;
};

} // namespace

TEST_CASE("copy reports its work as a line on standard error or as one JSON object") {
  const Commands here;
  here.set("a/x/1", "one");
  here.set("a/x/2", "two");
  test::Result result = here({"copy", "a:x", "b"});
  CHECK(result.code == 0);
  CHECK(result.out.empty());
  CHECK(says(result.err, "copy: 2 keys, 2 written (6 B)"));
  CHECK(here.get("b/1") == "one");
  result = here({"--json", "copy", "a:x", "b"});
  CHECK(result.code == 0);
  CHECK(result.err.empty());
  CHECK(result.json().at("same") == 2);
  CHECK(result.json().at("copied") == 0);
  CHECK(result.json().at("done") == true);
  CHECK(here({"-q", "copy", "a:x", "b"}).err.empty());
  CHECK(here.journals() == 0);
}

TEST_CASE("a job that ended early does not restart by itself: --resume continues it, --restart begins anew") {
  const Commands here;
  here.set("a/1", "mine");
  here.set("b/1", "theirs");
  test::Result result = here({"copy", "a", "b"});
  CHECK(result.code == 4);
  CHECK(says(result.err, "copy a:1: b:1 already has another value"));
  CHECK(says(result.err, "--resume and --on-conflict"));
  CHECK(here.journals() == 1);
  result = here({"--json", "copy", "a", "b", "--on-conflict", "skip"});
  CHECK(result.code == 4);
  CHECK(says(std::string(result.error().at("next").as_string()), "--resume"));
  CHECK(says(std::string(result.error().at("next").as_string()), "--restart"));
  const std::string how = GENERATE("--resume", "--restart");
  result = here({"--json", "copy", "a", "b", "--on-conflict", "overwrite", how});
  CHECK(result.code == 0);
  CHECK(result.json().at("resumed") == (how == "--resume"));
  CHECK(here.get("b/1") == "mine");
  CHECK(here.journals() == 0);
}

TEST_CASE("Ctrl-C and SIGTERM finish the work under way, keep the journal, and say how to resume") {
  const Commands here;
  for (int i = 0; i < 2000; ++i) here.set("a/" + std::to_string(i), "v");
  const int signal = GENERATE(SIGINT, SIGTERM);
  test::Strings arguments = here.command({"copy", "a", "b", "--rate-keys", "2000"});
  arguments.insert(arguments.begin(), test::program());
  test::Process process(arguments, {.variables = here.home()});
  while (here.journals() == 0) std::this_thread::yield(); // what is written before it is no copy
  std::error_code gone;
  while (!here.has("b") || std::filesystem::is_empty(here.folder.path() / "b", gone)) std::this_thread::yield();
  ::kill(process.pid(), signal);
  test::Result result = process.finish();
  CHECK(result.code == 130);
  CHECK(says(result.err, "copy, interrupted"));
  CHECK(says(result.err, "the same command with --resume continues"));
  CHECK(here.journals() == 1);
  result = here({"--json", "copy", "a", "b", "--resume"});
  CHECK(result.code == 0);
  CHECK(result.json().at("copied") == 2000); // none was there already: what was under way had been finished
  CHECK(here({"verify", "a", "b"}).code == 0);
}

TEST_CASE("Ctrl-C ends a restore that waits for its dump, and says how far it came") {
  const Commands here;
  REQUIRE(::mkfifo((here.folder / "pipe").c_str(), 0600) == 0);
  // Nothing comes at all, only the dump's begin, or nobody opens the pipe.
  const std::string file = GENERATE("-", "pipe");
  const bool has_begun = file == "-" && GENERATE(false, true);
  const std::string begin = has_begun ? "{\"omnistore\":\"dump\",\"version\":1,\"base\":\"a\"}\n" : "";
  test::Strings arguments = here.command({"restore", "-f", file});
  arguments.insert(arguments.begin(), test::program());
  test::Process process(arguments, {.folder = here.folder.path().string(), .variables = here.home()});
  process.feed_some(begin);
  process.await_signals_held();
  ::kill(process.pid(), GENERATE(SIGINT, SIGTERM));
  process.await_end();
  const test::Result result = process.finish();
  INFO(result.err);
  CHECK(result.code == 130);
  CHECK(says(result.err, "restore, interrupted: 0 keys"));
}

TEST_CASE("Ctrl-C ends a dump whose output nobody takes") {
  const Commands here;
  for (int i = 0; i < 100; ++i) here.set("a/" + std::to_string(i), std::string(50'000, 'v'));
  test::Strings arguments = here.command({"dump", "a"});
  arguments.insert(arguments.begin(), test::program());
  test::Process process(arguments, {.variables = here.home()});
  process.line(); // more follows than a pipe holds
  ::kill(process.pid(), SIGINT);
  process.await_end();
  const test::Result result = process.finish();
  CHECK(result.code == 130);
  CHECK(says(result.err, "dump, interrupted"));
}

TEST_CASE("progress is shown on a terminal, with percent and the time left, and nowhere else") {
  const Commands here;
  for (int i = 0; i < 1500; ++i) here.set("a/" + std::to_string(i), "v");
  const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY);
  REQUIRE(terminal >= 0);
  REQUIRE(::grantpt(terminal) == 0);
  REQUIRE(::unlockpt(terminal) == 0);
  const std::string side = ::ptsname(terminal);
  const std::string job = test::program() + " -c " + here.config() + " copy a b --count --rate-keys 1500";
  const auto start = std::chrono::steady_clock::now();
  const test::Result result = test::run_command({"sh", "-c", job + " 2>" + side}, {.variables = here.home()});
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
  CHECK(result.code == 0);
  std::string shown(65536, '\0');
  ::fcntl(terminal, F_SETFL, O_NONBLOCK);
  const ssize_t got = ::read(terminal, shown.data(), shown.size());
  ::close(terminal);
  REQUIRE(got > 0);
  shown.resize(static_cast<std::size_t>(got));
  CHECK(says(shown, "/1500 keys"));
  CHECK(says(shown, "%"));
  CHECK(says(shown, " left"));
  CHECK(says(shown, "keys/s"));
  CHECK(static_cast<double>(std::count(shown.begin(), shown.end(), '\r')) < 7 + 5 * seconds.count()); // five a second
  CHECK_FALSE(says(here({"copy", "a", "c", "--count"}).err, "\r"));
}

TEST_CASE("verify prints each difference, and reports by its exit code") {
  const Commands here;
  for (const char *file : {"a/same", "b/same", "a/other", "a/missing", "b/extra"}) here.set(file, "v");
  here.set("b/other", "w");
  test::Result result = here({"--json", "verify", "a", "b"});
  CHECK(result.code == 1);
  std::map<std::string, std::string> found;
  for (const std::string &line : test::lines(result.out)) {
    const boost::json::value value = boost::json::parse(line);
    if (const auto *kind = value.get_object().if_contains("difference"))
      found[value.at("to").as_string().c_str()] = kind->as_string();
    else
      CHECK(value.at("differences") == 3);
  }
  CHECK(found ==
        std::map<std::string, std::string>{{"b:other", "different"}, {"b:missing", "missing"}, {"b:extra", "extra"}});
  CHECK(here({"copy", "a", "b", "--on-conflict", "overwrite"}).code == 0);
  CHECK(here({"rm", "b:extra"}).code == 0);
  CHECK(here({"verify", "a", "b"}).code == 0);
  CHECK(here({"set", "a:same$", R"({"by":"me"})"}).code == 0);
  CHECK(here({"verify", "a", "b"}).code == 0);
  result = here({"verify", "a", "b", "--meta"});
  CHECK(result.code == 1);
  CHECK(result.out == "meta       b:same\n");
}

TEST_CASE("a running host is source or target, with its token, and keeps ttl and meta") {
  const Commands here, there;
  const test::Host host(there.config());
  here.set("a/1", "one");
  here.set("a/empty", "");
  here.set("a/long", std::string(3'000'000, 'l'));
  CHECK(here({"set", "a:ends", "v", "--ttl", "1h"}).code == 0);
  CHECK(here({"set", "a:1$", R"({"by":"me"})"}).code == 0);
  test::Result result = here({"copy", "a", "--to-url", host.url, "--verify"});
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK(there.get("a/1") == "one");
  result = here({"verify", "a", "--to-url", host.url, "--meta"});
  INFO(result.err << result.out);
  CHECK(result.code == 0);
  CHECK(here({"copy", "a", "b", "--from-url", host.url}).code == 0);
  CHECK(here({"verify", "a", "b", "--meta"}).code == 0);
  result = omnistore({"--url", host.url, "migrate", "a", "b", "--move"}, {.variables = here.home()});
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK_FALSE(there.has("a/1"));
  CHECK(here({"verify", "b", "--to-url", host.url, "--meta"}).code == 0);
  // A target that keeps no conditions: what it has is looked at before.
  here.set("a/1", "another");
  CHECK(here({"copy", "a", "b", "--to-url", host.url}).code == 4);
  CHECK(here({"copy", "a", "b", "--to-url", host.url, "--resume", "--on-conflict", "skip"}).code == 0);
  CHECK(there.get("b/1") == "one");
}

TEST_CASE("two configs are two ends, and a config with itself is one storage") {
  const Commands here, there;
  here.set("a/1", "one");
  CHECK(here({"copy", "a", "--to-config", there.config()}).code == 0);
  CHECK(there.get("a/1") == "one");
  const test::Result result = here({"copy", "a", "--to-config", here.config()});
  CHECK(result.code == 2);
  CHECK(says(result.err, "source and target are the same"));
}

TEST_CASE("a pattern and a replacement may look like anything: a list, an option, or nothing") {
  const Commands here;
  here.set("a/x-y", "1");
  here.set("a/q", "2");
  here.set("a/dash", "3");
  const test::Result result = here({"copy", "a", "b", "--rewrite", "[x,y]", "[n,m]", "--rewrite=^q$", "-q", "--rewrite",
                                    "dash", "--", "--rewrite", "-q-q", "", "--on-conflict", "skip"});
  INFO(result.err);
  CHECK(result.code == 0);
  CHECK(here.get("b/[n,m]-[n,m]") == "1");
  CHECK(here.get("b/-q") == "2");
  CHECK(here.get("b/--") == "3");
}

TEST_CASE("an error of the command line names the option, and nothing is done") {
  const Commands here;
  here.set("a/1", "one");
  CHECK(says(here({"copy", "a", "b", "--on-conflict", "maybe"}).err, "expected fail, skip or overwrite, found maybe"));
  CHECK(says(here({"copy", "a", "b", "--rate", "fast"}).err, "--rate: expected bytes a second"));
  CHECK(says(here({"copy", "a", "b", "--rewrite", "(", "x"}).err, "rewrite (:"));
  CHECK(here({"copy", "a", "b", "--resume", "--restart"}).code == 2);
  const test::Result homeless = omnistore(here.command({"copy", "a", "b"}), {.variables = {{"HOME", ""}}});
  CHECK(homeless.code == 2);
  CHECK(says(homeless.err, "journal"));
  CHECK_FALSE(here.has("b/1"));
}
