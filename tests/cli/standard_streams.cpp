// SPDX-License-Identifier: Apache-2.0
// Standard streams that are closed, full or broken: no command hangs, says nothing or writes elsewhere.
#include <catch2/catch.hpp>

#include "program.hpp"

using test::Result;
using test::says;
using test::Strings;

namespace {

/// Runs `omnistore ARGUMENTS` in a shell, with a key `a` at the root, so that the streams can be redirected.
class Shell {
public:
  Shell() { REQUIRE(test::omnistore({"-c", place.config(), "set", "a", "value"}).code == 0); }
  Result operator()(const std::string &arguments, const std::string &input = {}) const {
    return test::run_command(
        {"bash", "-c",
         "O=" + test::program() + "; o() { timeout 30 $O -c " + place.config() + " \"$@\"; }; " + arguments},
        {.input = input, .folder = place.folder.path().string()});
  }
  test::Place place;
};

const std::string full = "cannot write to standard output: No space left on device";

/// Commands that print something.
const Strings printing{"--help",
                       "--version",
                       "get --help",
                       "get a",
                       "get a --json",
                       "get a b",
                       "get --from keys",
                       "ls",
                       "ls --json",
                       "meta a",
                       "has a --json",
                       "inspect",
                       "inspect --json",
                       "mounts",
                       "drivers",
                       "drivers fs",
                       "check",
                       "check --json",
                       "check --schema",
                       "explain a",
                       "completion bash",
                       "dump",
                       "set a value --json",
                       "rm a --json",
                       "clear mem --yes --json",
                       "copy a mem:b --json"};

} // namespace

TEST_CASE("a command whose results cannot be written fails and says why") {
  const Shell shell;
  test::write_file(shell.place.folder / "keys", "a\n");
  for (const std::string &command : printing) {
    const Result failed = shell("o " + command + " >/dev/full");
    INFO(command << ": " << failed.err);
    CHECK(failed.code == 7);
    CHECK(says(failed.err, full));
  }
}

TEST_CASE("a command whose standard output is closed fails and says so, and none of its files gets the results") {
  const Shell shell;
  for (const std::string command : {"--version", "get a", "ls", "check", "dump"}) {
    const Result failed = shell("o " + command + " >&-");
    INFO(command << ": " << failed.err);
    CHECK(failed.code == 7);
    CHECK(says(failed.err, "cannot write to standard output: it is closed"));
  }
  CHECK(shell("o set b 1 >&-").code == 0); // which prints nothing
  CHECK(test::omnistore({"-c", shell.place.config(), "get", "b"}).out == "1");
}

TEST_CASE("a command whose reader has gone ends without a word") {
  const Shell shell;
  for (const std::string command : {"ls", "--help", "get a", "dump"}) {
    const Result ended = shell("exec 3> >(exec true); wait $!; o " + command + " >&3; echo $?");
    INFO(command << ended.err);
    CHECK(ended.out == "141\n");
    CHECK(ended.err.empty());
  }
}

TEST_CASE("a command that reads from a closed standard input says so, and changes nothing") {
  const Shell shell;
  for (const std::string command :
       {"set a -f -", "set a", "restore -", "rm --from -", "get --from -", "set --from -"}) {
    const Result failed = shell("o " + command + " <&-");
    INFO(command << ": " << failed.err);
    CHECK(failed.code == 2);
    CHECK(says(failed.err, "standard input: it is closed"));
  }
  const Result config = shell(test::program() + " -c - check <&-");
  CHECK(config.code == 2);
  CHECK(says(config.err, "standard input: it is closed"));
  CHECK(shell("o get a").out == "value");
}

TEST_CASE("a command with all its streams closed does its work") {
  const Shell shell;
  CHECK(shell("o set c 3 <&- >&- 2>&-").code == 0);
  CHECK(shell("o get c").out == "3");
}

TEST_CASE("a stream that another program made non-blocking is waited for") {
  const Shell shell;
  const std::string program = "import os,subprocess,sys,time\n"
                              "r,w=os.pipe(); os.set_blocking(r,False)\n"
                              "p=subprocess.Popen(sys.argv[1:],stdin=r)\n"
                              "time.sleep(0.1); os.write(w,b'late'); os.close(w); os.close(r); sys.exit(p.wait())\n";
  test::write_file(shell.place.folder / "late.py", program);
  const Result set = shell("python3 late.py " + test::program() + " -c " + shell.place.config() + " set late -f -");
  INFO(set.err);
  CHECK(set.code == 0);
  CHECK(shell("o get late").out == "late");
}

TEST_CASE("a host serves although nobody reads its output or its log") {
  const Shell shell;
  const std::string streams =
      GENERATE(as<std::string>(), ">&-", ">/dev/full", "2>&-", "2>/dev/full", "| head -0", "<&-", "<&- >&- 2>&-");
  // Its address comes through a port that is chosen here, and waited for.
  test::write_file(shell.place.config(), R"({ "mounts": { "": { "driver": "memory" } }, "admin": { "listen": "" },
      "server": { "http": { "listen": "127.0.0.1:${PORT}" } } })");
  const Result result = shell(R"(
    export PORT=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
    set -m # the host and what reads it are a process group
    ()" + test::program() + " -c " +
                              shell.place.config() + " serve " + streams + R"() >/dev/null 2>&1 &
    trap 'kill -- -$!' EXIT
    until $O --url http://127.0.0.1:$PORT set k v 2>/dev/null; do kill -0 $! || break; done
    $O --url http://127.0.0.1:$PORT get k)");
  INFO(streams << ": " << result.err);
  CHECK(result.out == "v");
}
