// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <vector>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include "gate.hpp"

using test::Answer;
using test::Client;
using test::Host;
namespace json = boost::json;

TEST_CASE("/explain shows a key's mount, the stores on its way, and nothing of the value") {
  omnistore::Config config = test::memory_config();
  config.mounts["a"].store.driver = "memory";
  config.mounts["a"].ttl = 60'000;
  Host host(config);
  host.storage.set("a:b c", "the secret");
  Client client(host.admin());
  const Answer answer = client.ask("GET", "/explain?key=a%2Fb%20c");
  REQUIRE(answer.status == 200);
  const json::object found = json::parse(answer.body).as_object();
  CHECK(found.at("key") == "a:b c");
  CHECK(found.at("mount") == "a");
  CHECK(found.at("inside") == "b c");
  CHECK(found.at("ttl") == 60'000);
  CHECK(found.at("status") == "ok");
  CHECK(found.at("message").is_null());
  CHECK(found.at("meta").at("size") == 10);
  CHECK(found.at("meta").at("expiry").is_int64());
  CHECK(found.at("layer").at("driver") == "memory");
  CHECK(found.at("layer").at("place").as_array().empty());
  CHECK(found.at("store").at("outcome") == "hit");
  CHECK(found.at("store").at("time").to_number<double>() > 0);
  CHECK(answer.body.find("the secret") == std::string::npos);
}

TEST_CASE("/explain of an absent key is a report, and one without a key is 400") {
  Host host;
  Client client(host.admin());
  const Answer absent = client.ask("GET", "/explain?key=k");
  CHECK(absent.status == 200);
  const json::object found = json::parse(absent.body).as_object();
  CHECK(found.at("status") == "not_found");
  CHECK(found.at("meta").is_null());
  CHECK(found.at("layer").is_null());
  CHECK(found.at("store").at("outcome") == "miss");
  CHECK(client.ask("GET", "/explain").status == 400);
  CHECK(client.ask("GET", "/explain?key=").status == 400);
  CHECK(client.ask("GET", "/explain?key=a:..:b").status == 400);
}

TEST_CASE("/explain needs a token if the admin has any") {
  omnistore::Config config = test::memory_config();
  config.admin.tokens = {{"secret", false, {}}};
  Host host(config);
  Client client(host.admin());
  CHECK(client.ask("GET", "/explain?key=k").status == 401);
  CHECK(client.ask("GET", "/explain?key=k", {}, "Authorization: Bearer secret\r\n").status == 200);
}

TEST_CASE("/explain of a key whose store waits delays no other page of the admin") {
  test::Gate gate;
  Host host(gate.config());
  std::vector<std::unique_ptr<Client>> waiting;
  for (int i = 0; i < 40; ++i) {
    waiting.push_back(std::make_unique<Client>(host.admin()));
    waiting.back()->send(test::request("GET", "/explain?key=slow:hang"));
  }
  gate.await(16); // as many as a lane has threads
  Client client(host.admin());
  for (const char *path : {"/metrics", "/stats", "/drivers"}) CHECK(client.ask("GET", path).status == 200);
  gate.open();
  for (const auto &each : waiting) CHECK(each->receive().status == 200);
}
