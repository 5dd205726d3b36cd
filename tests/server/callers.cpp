// SPDX-License-Identifier: Apache-2.0
// The driver's knowledge of a request's client, and the client's knowledge of the driver's failure.
#include <catch2/catch.hpp>

#include "host.hpp"

using test::Answer;
using test::Client;
using test::Host;

namespace {

constexpr const char *trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

omnistore::Config config_with_gate() {
  omnistore::Config config = test::memory_config();
  config.mounts["slow"].store.driver = "gate";
  return config;
}

} // namespace

TEST_CASE("the driver sees the client's trace, and none if the header is malformed") {
  Host host(config_with_gate());
  Client client(host.http());
  CHECK(client.ask("GET", "/slow/who", {}, std::string("Traceparent: ") + trace + "\r\n").body ==
        std::string(trace) + "|");
  CHECK(client.ask("GET", "/slow/who", {}, "traceparent: 00-nothing\r\n").body == "|");
  CHECK(client.ask("GET", "/slow/who").body == "|");
}

TEST_CASE("the driver sees whose token a request came with") {
  omnistore::Config config = config_with_gate();
  config.http.tokens = {{"reader", false, {}}, {"writer", true, {}}};
  Host host(config);
  Client client(host.http());
  CHECK(client.ask("GET", "/slow/who", {}, "Authorization: Bearer reader\r\n").body == "|token 1");
  CHECK(client.ask("GET", "/slow/who", {}, "Authorization: Bearer writer\r\n").body == "|token 2");
}

TEST_CASE("a client gets the driver's number of seconds after which a retry may work") {
  Host host(config_with_gate());
  Client client(host.http());
  const Answer answer = client.ask("GET", "/slow/busy");
  CHECK(answer.status == 503);
  CHECK(answer.header("retry-after") == "3"); // rounded up
}

TEST_CASE("a host whose store is not healthy is not ready, and says which and why") {
  Host host(config_with_gate());
  Client client(host.admin()), user(host.http());
  CHECK(client.ask("GET", "/ready").status == 200);
  CHECK(user.ask("PUT", "/slow/sick", "x").status < 300);
  Answer answer;
  do { // a health report counts for a second
    answer = client.ask("GET", "/ready");
  } while (answer.status == 200);
  CHECK(answer.status == 503);
  CHECK(answer.body.find("mount slow: gate: the backend is ill") != std::string::npos);
}

TEST_CASE("a batch of sets returns the etags of the values") {
  Host host(test::memory_config());
  Client client(host.http());
  const Answer answer = client.ask("POST", "/", R"({"set": [{"key": "a", "value": "1"}]})");
  const std::string etag = client.ask("GET", "/a").header("etag");
  REQUIRE(etag.size() > 2);
  CHECK(answer.body.find("\"etag\":" + etag) != std::string::npos);
}
