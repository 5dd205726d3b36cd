// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <boost/json/parse.hpp>
#include <unistd.h>

#include "server/host.hpp"

using namespace omnistore;
using Catch::Matchers::Contains;
using Catch::Matchers::Matches;
using test::Client;

namespace json = boost::json;

namespace {

constexpr const char *a_trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A host with logs.
struct LogSetting {
  LogSetting() {
    config.log.access = folder / "access.log";
    config.log.audit = folder / "audit.log";
    config.http.tokens = {{.value = "first", .write = true}, {.value = "second"}};
  }
  /// The lines of a log once the host has stopped, so that all are there.
  std::vector<std::string> lines(const std::string &name) const {
    std::istringstream text(test::read_file(folder / name));
    std::vector<std::string> all;
    for (std::string line; std::getline(text, line);) all.push_back(line);
    return all;
  }
  std::vector<json::value> objects(const std::string &name) const {
    std::vector<json::value> all;
    for (const std::string &line : lines(name)) all.push_back(json::parse(line));
    return all;
  }

  const test::Folder folder;
  Config config = test::memory_config();
};

const std::string by_first = test::bearer("first");

} // namespace

TEST_CASE("the access log has a line in the Common Log Format for each response") {
  const LogSetting setting;
  {
    const test::Host host(setting.config);
    Client client(host.http());
    client.ask("PUT", "/a/k", "value", by_first);
    client.ask("GET", "/a/k?x", {}, by_first);
    client.ask("GET", "/a/k");
    Client broken(host.http());
    broken.send("nonsense\r\n\r\n");
    broken.rest();
  }
  const auto lines = setting.lines("access.log");
  REQUIRE(lines.size() == 4);
  const std::string date = R"( \[\d\d/[A-Z][a-z][a-z]/\d{4}:\d\d:\d\d:\d\d \+0000\] )";
  CHECK_THAT(lines[0], Matches("127.0.0.1 - token 1" + date + "\"PUT /a/k HTTP/1.1\" 200 [1-9]\\d*"));
  CHECK_THAT(lines[1], Matches("127.0.0.1 - token 1" + date + "\"GET /a/k\\?x HTTP/1.1\" 200 \\d+"));
  CHECK_THAT(lines[2], Matches("127.0.0.1 - -" + date + "\"GET /a/k HTTP/1.1\" 401 \\d+"));
  CHECK_THAT(lines[3], Matches("127.0.0.1 - -" + date + "\"-\" 400 \\d+"));
}

TEST_CASE("the access log as JSON has the token, the trace and the time that a response took") {
  LogSetting setting;
  setting.config.log.access_json = true;
  {
    const test::Host host(setting.config);
    Client client(host.http());
    client.ask("PUT", "/k", "value", by_first + "traceparent: " + a_trace + "\r\n");
    Client(host.admin()).ask("GET", "/health");
  }
  const auto lines = setting.objects("access.log");
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].at("listener") == "http");
  CHECK(lines[0].at("client") == "127.0.0.1");
  CHECK(lines[0].at("identity") == "token 1");
  CHECK(lines[0].at("method") == "PUT");
  CHECK(lines[0].at("target") == "/k");
  CHECK(lines[0].at("status") == 200);
  CHECK(lines[0].at("trace") == a_trace);
  CHECK(lines[0].at("bytes").as_int64() > 0);
  CHECK(lines[0].at("milliseconds").as_double() > 0);
  CHECK(lines[1].at("listener") == "admin");
}

TEST_CASE("a request that came too slowly is in the access log with its 408") {
  LogSetting setting;
  setting.config.http.idle_timeout = 200;
  {
    const test::Host host(setting.config);
    Client client(host.http());
    client.send("GET /k HT");
    client.rest();
  }
  const auto lines = setting.lines("access.log");
  REQUIRE(lines.size() == 1);
  CHECK_THAT(lines[0], Contains("\"-\" 408 "));
}

TEST_CASE("a request whose client has gone before its end is in the access log with 499") {
  const LogSetting setting;
  {
    const test::Host host(setting.config);
    Client(host.http()).send("PUT /k HTTP/1.1\r\nHost: localhost\r\n" + by_first + "Content-Length: 9\r\n\r\nhalf");
    while (setting.lines("access.log").empty()) std::this_thread::yield();
  }
  CHECK_THAT(setting.lines("access.log").at(0), Contains("\"PUT /k HTTP/1.1\" 499 0"));
}

TEST_CASE("no client can forge a line of the audit log or act on a terminal by it") {
  const LogSetting setting;
  {
    const test::Host host(setting.config);
    Client client(host.http());
    for (const char *key : {"/k%22", "/%e2%80%ae", "/%1b%5b31m"}) client.ask("PUT", key, "v", by_first);
  }
  const auto lines = setting.lines("audit.log");
  REQUIRE(lines.size() == 3);
  for (const std::string &line : lines) {
    for (const char bad : {'\x1b', '\xe2'}) CHECK(line.find(bad) == std::string::npos);
    CHECK(json::parse(line).at("operation") == "set");
  }
  CHECK(json::parse(lines[0]).at("key") == "k\"");
}

TEST_CASE("no client can forge a line of the access log or act on a terminal by it") {
  LogSetting setting;
  setting.config.log.access_json = GENERATE(false, true);
  {
    const test::Host host(setting.config);
    for (const std::string target : {"/k\"", "/\xe2\x80\xae", "/\x1b[31m"}) {
      Client client(host.http());
      client.ask("GET", target, {}, by_first);
    }
  }
  const auto lines = setting.lines("access.log");
  REQUIRE(lines.size() == 3);
  for (const std::string &line : lines) {
    for (const char bad : {'\x1b', '\xe2'}) CHECK(line.find(bad) == std::string::npos);
    if (setting.config.log.access_json)
      CHECK_NOTHROW(json::parse(line));
    else
      CHECK(std::count(line.begin(), line.end(), '"') == 2);
  }
}

TEST_CASE("the audit log has a line for each write: who wrote what, when and with which outcome") {
  const LogSetting setting;
  {
    const test::Host host(setting.config);
    Client client(host.http());
    client.ask("PUT", "/a/k", "value", by_first + "traceparent: " + a_trace + "\r\n");
    client.ask("GET", "/a/k", {}, by_first);                           // no write
    client.ask("PUT", "/a/k", "value", test::bearer("second"));        // not allowed
    client.ask("PUT", "/a/k", "v", by_first + "If-None-Match: *\r\n"); // does not hold
    client.ask("DELETE", "/a/none", {}, by_first);
    client.ask("DELETE", "/a/", {}, by_first);
    client.ask("PATCH", "/a/none", {}, by_first + "X-Ttl: 5\r\n");
  }
  const auto lines = setting.objects("audit.log");
  REQUIRE(lines.size() == 5);
  CHECK(lines[0].at("client") == "127.0.0.1");
  CHECK(lines[0].at("identity") == "token 1");
  CHECK(lines[0].at("operation") == "set");
  CHECK(lines[0].at("key") == "a:k");
  CHECK(lines[0].at("status") == 200);
  CHECK(lines[0].at("trace") == a_trace);
  CHECK_THAT(std::string(lines[0].at("time").as_string()), Matches(R"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)"));
  CHECK(lines[1].at("status") == 412);
  CHECK(lines[2].at("operation") == "remove");
  CHECK(lines[3].at("operation") == "clear");
  CHECK(lines[3].at("key") == "a:");
  CHECK(lines[4].at("operation") == "touch");
  CHECK(lines[4].at("status") == 404);
}

TEST_CASE("the audit log has the writes of the page") {
  const LogSetting setting;
  {
    const test::Host host(setting.config);
    REQUIRE(Client(host.admin()).ask("PUT", "/data/a/k", "v", by_first).status == 200);
  }
  const auto lines = setting.objects("audit.log");
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].at("operation") == "set");
  CHECK(lines[0].at("key") == "a:k");
  CHECK(lines[0].at("identity") == json::value("uid " + std::to_string(::geteuid())));
}

TEST_CASE("the audit log names each item of a batch") {
  const LogSetting setting;
  {
    const test::Host host(setting.config);
    Client client(host.http());
    client.ask("POST", "/a/", R"({"get":["x"],"set":[{"key":"b","value":"1"}],"remove":["c"]})", by_first);
  }
  const auto lines = setting.objects("audit.log");
  REQUIRE(lines.size() == 2);
  CHECK(lines[0].at("operation") == "set");
  CHECK(lines[0].at("key") == "a:b");
  CHECK(lines[1].at("operation") == "remove");
  CHECK(lines[1].at("key") == "a:c");
}

TEST_CASE("the audit log has the changes of mounts, and the user who made them") {
  const LogSetting setting;
  {
    const test::Host host(setting.config);
    Client client(host.admin());
    REQUIRE(client.ask("PUT", "/mounts/m", R"({"driver": "memory"})").status == 200);
  }
  const auto lines = setting.objects("audit.log");
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].at("operation") == "PUT");
  CHECK(lines[0].at("key") == "/mounts/m");
  CHECK(lines[0].at("identity") == json::value("uid " + std::to_string(::geteuid())));
}

TEST_CASE("a log that was renamed is opened again by a reload") {
  const LogSetting setting;
  {
    test::Host host(setting.config);
    Client client(host.http());
    client.ask("GET", "/before", {}, by_first);
    std::filesystem::rename(setting.folder / "access.log", setting.folder / "old.log");
    host.server.reload_files(setting.config);
    client.ask("GET", "/after", {}, by_first);
  }
  CHECK_THAT(setting.lines("old.log").at(0), Contains("/before"));
  CHECK_THAT(setting.lines("access.log").at(0), Contains("/after"));
}

TEST_CASE("the list of slow operations names the trace of the request") {
  LogSetting setting;
  setting.config.log.slow = 1;
  setting.config.mounts["slow"].store.driver = "patient";
  setting.config.http.request_timeout = 200;
  const test::Host host(setting.config);
  Client client(host.http());
  client.ask("GET", "/slow/k", {}, by_first + "traceparent: " + a_trace + "\r\n");
  const auto slow = host.storage.slow();
  REQUIRE(!slow.empty());
  CHECK(slow[0].trace == a_trace);
}

TEST_CASE("the list of slow operations names the trace for each mount of a batch") {
  LogSetting setting;
  setting.config.log.slow = 1;
  for (const char *mount : {"one", "two"}) setting.config.mounts[mount].store.driver = "patient";
  setting.config.http.request_timeout = 200;
  const test::Host host(setting.config);
  Client client(host.http());
  client.ask("POST", "/", R"({"get": ["one:k", "two:k"]})", by_first + "traceparent: " + a_trace + "\r\n");
  const auto slow = host.storage.slow();
  REQUIRE(slow.size() == 2);
  for (const auto &each : slow) CHECK(each.trace == a_trace);
}
