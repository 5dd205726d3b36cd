// SPDX-License-Identifier: Apache-2.0
// The program as a host: what it prints, how it ends.
#include <catch2/catch.hpp>

#include <sstream>

#include <poll.h>

#include "program.hpp"

using test::Result;
using test::says;

namespace {

/// The words of a line, without the quotes of a shell.
test::Strings words(const std::string &line) {
  test::Strings result;
  std::string word;
  bool quoted = false;
  for (const char c : line + " ") {
    if (c == '\'')
      quoted = !quoted;
    else if (!quoted && (c == ' ' || c == '\n'))
      word.empty() ? void() : (result.push_back(word), word.clear());
    else
      word += c;
  }
  return result;
}

/// Returns how often the watchdog of a process has begun to wait, as the kernel counts it.
std::string waits_of_watchdog(pid_t process) {
  for (const auto &thread : std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/task")) {
    const std::string status = test::read_file(thread.path() / "status");
    if (says(status, "Name:\twatchdog\n")) return status.substr(status.find("\nvoluntary_ctxt_switches"));
  }
  return "";
}

} // namespace

TEST_CASE("serve prints its addresses, and three commands that work") {
  const test::Place place;
  test::Process process({test::program(), "-c", place.config(), "serve"}, {});
  CHECK(says(process.line(), place.config()));
  CHECK(says(process.line(), "data   http://127.0.0.1:"));
  CHECK(says(process.line(), "admin  http://127.0.0.1:"));
  CHECK(says(process.line(), "page   http://127.0.0.1:"));
  CHECK(process.line() == "Try\n");
  const Result set = test::run_command(words(process.line()));
  CHECK(set.code == 0);
  CHECK(test::run_command(words(process.line())).out == "greeting\n");
  const Result curl = test::run_command(words(process.line()));
  CHECK(curl.out == "Hello, world");
  ::kill(process.pid(), SIGTERM);
  CHECK(process.finish().code == 0);
}

TEST_CASE("A host stops with 0 when it gets SIGTERM") {
  const test::Place place;
  test::Host host(place.config());
  REQUIRE(test::omnistore({"--url", host.url, "set", "k", "x"}).code == 0);
  const Result stopped = host.stop(GENERATE(SIGTERM, SIGINT));
  CHECK(stopped.code == 0);
  CHECK(stopped.signal == 0);
  CHECK(test::omnistore({"--url", host.url, "get", "k"}).code == 6);
  CHECK(test::read_file(place.folder.path() / "root" / "k") == "x");
}

TEST_CASE("A host whose address is taken says so and ends") {
  const test::Place place;
  test::Host host(place.config());
  std::string config = test::read_file(place.config());
  const std::string free = "127.0.0.1:0";
  config.replace(config.find(free), free.size(), host.url.substr(std::string("http://").size()));
  test::write_file(place.config(), config);
  const Result failed = test::omnistore({"-c", place.config(), "serve"});
  CHECK(failed.code != 0);
  CHECK(says(failed.err, "Address already in use"));
}

TEST_CASE("serve logs JSON lines with --json, and nothing secret") {
  const test::Place place;
  std::string config = test::read_file(place.config());
  const std::string listen = "\"listen\": \"127.0.0.1:0\"";
  config.replace(config.find(listen), listen.size(),
                 listen + R"(, "tokens": [ { "value": "secret-word", "write": true } ])");
  test::write_file(place.config(), config);
  test::Host host(place.config(), {}, {"-vv"});
  CHECK(test::omnistore({"--url", host.url, "--token", "secret-word", "set", "mem:k", "x"}).code == 0);
  const Result stopped = host.stop();
  CHECK_FALSE(says(stopped.err, "secret-word"));
  std::istringstream lines(stopped.err);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto entry = boost::json::parse(line);
    CHECK(entry.at("time").as_string().size() == 24);
    CHECK(entry.at("level").is_string());
    CHECK(entry.at("message").is_string());
  }
  CHECK(count > 0);
}

TEST_CASE("A host continues when nobody reads its output") {
  const test::Place place;
  test::Process process({test::program(), "-v", "-c", place.config(), "serve"}, {.closed_output = true});
  std::string line;
  while (!says(line, "nobody reads standard output")) line = process.error_line();
  ::kill(process.pid(), SIGTERM);
  CHECK(process.finish().code == 0);
}

TEST_CASE("the watchdog of a host that gets no requests sleeps") {
  const test::Place place;
  test::Host host(place.config());
  REQUIRE(test::omnistore({"--url", host.url, "set", "k", "v"}).code == 0);
  const pid_t process = host.process().pid();
  REQUIRE(says(waits_of_watchdog(process), "voluntary_ctxt_switches"));
  // It looks once more after the request, so that one second of many has to be quiet.
  bool is_asleep = false;
  for (int second = 0; second < 20 && !is_asleep; ++second) {
    const std::string before = waits_of_watchdog(process);
    ::poll(nullptr, 0, 1000);
    is_asleep = waits_of_watchdog(process) == before;
  }
  CHECK(is_asleep);
  CHECK(host.stop().code == 0);
}
