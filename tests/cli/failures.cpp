// SPDX-License-Identifier: Apache-2.0
// Exit codes, and what stands on standard error.
#include <catch2/catch.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "program.hpp"

using test::Front;
using test::Result;
using test::says;

namespace {

/// A port that nobody listens on, and that nobody else gets while the object lives.
class DeadPort {
public:
  DeadPort() : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    REQUIRE(::bind(socket_, reinterpret_cast<sockaddr *>(&address), size) == 0);
    REQUIRE(::getsockname(socket_, reinterpret_cast<sockaddr *>(&address), &size) == 0);
    url = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  ~DeadPort() { ::close(socket_); }
  DeadPort(const DeadPort &) = delete;
  DeadPort &operator=(const DeadPort &) = delete;

  std::string url;

private:
  int socket_;
};

} // namespace

TEST_CASE("A missing key ends with 1 and says so") {
  const Front omnistore(GENERATE(false, true));
  const Result missed = omnistore({"get", "a:b"});
  CHECK(missed.code == 1);
  CHECK(missed.out.empty());
  CHECK(says(missed.err, "omnistore: get a:b: no such key\n"));
  CHECK(omnistore({"meta", "a:b"}).code == 1);
}

TEST_CASE("With --json a failure is one object on standard error") {
  const Front omnistore(GENERATE(false, true));
  const Result missed = omnistore({"--json", "get", "a:b"});
  CHECK(missed.out.empty());
  CHECK(std::count(missed.err.begin(), missed.err.end(), '\n') == 1);
  CHECK(missed.error().at("status") == "not_found");
  CHECK(missed.error().at("message") == "get a:b: no such key");
}

TEST_CASE("A bad key ends with 2") {
  const Front omnistore(GENERATE(false, true));
  CHECK(omnistore({"get", "a:..:b"}).code == 2);
  CHECK(omnistore({"set", "", "x"}).code == 2);
}

TEST_CASE("A write to a read-only store ends with 3 and names the mount") {
  const Front omnistore(GENERATE(false, true));
  const Result refused = omnistore({"set", "fixed:k", "x"});
  CHECK(refused.code == 3);
  CHECK(says(refused.err, "fixed"));
  CHECK(omnistore({"set", "fixed:k", "x", "--json"}).error().at("status") == "read_only");
}

TEST_CASE("A host that is not there ends with 6, and the message has the remedy") {
  const DeadPort port;
  const Result failed = test::omnistore({"--url", port.url, "get", "k"});
  CHECK(failed.code == 6);
  CHECK(says(failed.err, "Connection refused"));
  CHECK(says(failed.err, "omnistore serve"));
  CHECK(test::omnistore({"--url", port.url, "mounts"}).code == 6);
}

TEST_CASE("A text that is no URL ends with 2") {
  for (const char *url : {"ftp://x", "host:7700", "http://", "http://h:0", "http://h:x", "http://user@h"}) {
    const Result failed = test::omnistore({"--url", url, "get", "k"});
    INFO(url);
    CHECK(failed.code == 2);
    CHECK(says(failed.err, url));
  }
}

TEST_CASE("The environment applies if the command line has no such option") {
  const test::Place place;
  test::Host host(place.config());
  const test::Setting setting{.variables = {{"OMNISTORE_URL", host.url}, {"OMNISTORE_ADMIN_URL", host.admin}}};
  CHECK(test::omnistore({"set", "mem:k", "x"}, setting).code == 0);
  CHECK(test::omnistore({"get", "mem:k"}, setting).out == "x");
  CHECK(test::omnistore({"mounts"}, setting).code == 0);
  // A config that is named is opened: its memory is another one.
  CHECK(test::omnistore({"-c", place.config(), "get", "mem:k"}, setting).code == 1);
}

TEST_CASE("A config and a URL together end with 2") {
  CHECK(test::omnistore({"-c", "x.jsonc", "--url", "http://127.0.0.1:1", "ls"}).code == 2);
}

TEST_CASE("A token goes with each request") {
  const test::Place place;
  std::string config = test::read_file(place.config());
  const std::string listen = "\"listen\": \"127.0.0.1:0\"";
  config.replace(config.find(listen), listen.size(),
                 listen + R"(, "tokens": [ { "value": "secret-word", "write": true } ])");
  test::write_file(place.config(), config);
  test::Host host(place.config());
  const Result refused = test::omnistore({"--url", host.url, "set", "mem:k", "x"});
  CHECK(refused.code == 3);
  CHECK(says(refused.err, "OMNISTORE_TOKEN"));
  CHECK(test::omnistore({"--url", host.url, "--token", "secret-word", "set", "mem:k", "x"}).code == 0);
  CHECK(test::omnistore({"--url", host.url, "get", "mem:k"}, {.variables = {{"OMNISTORE_TOKEN", "secret-word"}}}).out ==
        "x");
}

TEST_CASE("A value that is longer than the host takes ends with 2") {
  const test::Place place;
  std::string config = test::read_file(place.config());
  const std::string listen = "\"listen\": \"127.0.0.1:0\"";
  config.replace(config.find(listen), listen.size(), listen + R"(, "maxBody": "64KiB")");
  test::write_file(place.config(), config);
  test::Host host(place.config());
  const Result refused =
      test::omnistore({"--url", host.url, "--json", "set", "mem:k"}, {.input = std::string(9'000'000, 'x')});
  CHECK(refused.code == 2);
  CHECK(refused.error().at("status") == "too_large");
}

TEST_CASE("A command line that cannot be read ends with 2, and the message names the error") {
  CHECK(says(test::omnistore({"gte", "k"}).err, "there is no command gte; is get meant?"));
  CHECK(says(test::omnistore({"get", "k", "--jsn"}).err, "get: unexpected --jsn"));
  CHECK(says(test::omnistore({"has", "a", "b"}).err, "has: unexpected b"));
  CHECK(says(test::omnistore({"has"}).err, "KEY is required"));
  CHECK(says(test::omnistore({"set", "k", "x", "--ttl", "soon"}).err, "expected a duration"));
  CHECK(test::omnistore({"set", "k", "x", "--if-absent", "--if-present"}).code == 2);
  CHECK(test::omnistore({"set", "k", "x", "-f", "y"}).code == 2);
  CHECK(test::omnistore({"--json", "gte"}).error().at("status") == "invalid");
  for (const test::Strings &line : {test::Strings{}, {"gte"}, {"get"}, {"ls", "--depth", "x"}})
    CHECK(test::omnistore(line).code == 2);
}

TEST_CASE("A file that cannot be read or written ends with a message that names it") {
  const Front omnistore(false);
  const Result unread = omnistore({"set", "k", "-f", "/nonexistent/file"});
  CHECK(unread.code == 2);
  CHECK(says(unread.err, "/nonexistent/file: No such file or directory"));
  REQUIRE(omnistore({"set", "k", "x"}).code == 0);
  CHECK(says(omnistore({"get", "k", "-o", "/nonexistent/file"}).err, "/nonexistent/file: No such file or directory"));
}

TEST_CASE("Help and version go to standard output, and every command's help has an example") {
  CHECK(says(test::omnistore({"--help"}).out, "Exit codes"));
  CHECK(says(test::omnistore({"--version"}).out, "."));
  for (const char *command :
       {"serve", "check", "get", "set", "rm", "has", "meta", "ls", "clear", "mounts", "drivers"}) {
    const Result help = test::omnistore({command, "--help"});
    INFO(command);
    CHECK(help.code == 0);
    CHECK(says(help.out, std::string("omnistore ") + command));
    CHECK(says(help.out, "Examples"));
  }
}

TEST_CASE("Output that goes to no terminal has no colours") {
  CHECK_FALSE(says(test::omnistore({"gte"}).err, "\033"));
  const Front omnistore(false);
  CHECK_FALSE(says(omnistore({"mounts"}).out, "\033"));
}

TEST_CASE("the last line of a refused command's message is ended") {
  const test::Place place;
  const test::Folder folder;
  test::write_file(folder / "wrong.jsonc", R"({ "ttl": "x" })");
  test::write_file(folder / "open.jsonc",
                   R"({ "mounts": { "": { "driver": "fs", "options": { "base": "open.jsonc" } } } })");
  test::write_file(folder / "taken.jsonc", R"({ "mounts": { "": { "driver": "memory" } }, "admin": { "listen": "" },
      "server": { "http": { "listen": "192.0.2.1:1" } } })");
  for (const test::Strings &command : std::vector<test::Strings>{{"-c", folder / "wrong.jsonc", "serve"},
                                                                 {"-c", folder / "wrong.jsonc", "--json", "serve"},
                                                                 {"-c", folder / "open.jsonc", "serve"},
                                                                 {"-c", folder / "taken.jsonc", "serve"},
                                                                 {"-c", folder / "none.jsonc", "serve"},
                                                                 {"-c", folder / "wrong.jsonc", "check"},
                                                                 {"-c", place.config(), "get", "none"},
                                                                 {"--url", "http://127.0.0.1:1", "get", "a"},
                                                                 {"get", "--wrong"},
                                                                 {}}) {
    const test::Result refused = test::omnistore(command);
    INFO(refused.err);
    CHECK(refused.code != 0);
    CHECK(refused.err.ends_with('\n'));
  }
}
