// SPDX-License-Identifier: Apache-2.0
// Many keys in one request, and a value's ttl alone.
#include <filesystem>

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>

#include <catch2/catch.hpp>

#include "host.hpp"
#include "support/temporary.hpp"

namespace json = boost::json;
using test::Answer;
using test::Client;
using test::Host;

namespace {

json::value post(Client &client, const std::string &target, const std::string &body, const std::string &headers = {}) {
  const Answer answer = client.ask("POST", target, body, headers);
  INFO(answer.body);
  REQUIRE(answer.status == 200);
  CHECK(answer.header("content-type") == "application/json");
  return json::parse(answer.body);
}

} // namespace

TEST_CASE("a batch sets, gets and removes in the order in which its lists stand, each item with its status") {
  Host host;
  Client client(host.http());
  const json::value said = post(client, "/", R"({"set": [{"key": "a:b", "value": "é"}, {"key": "c", "base64": "/wAB"}],
    "get": ["a/b", "c", "absent"], "remove": ["a:b", "absent"]})");
  const json::array &set = said.at("set").as_array();
  REQUIRE(set.size() == 2);
  CHECK((set[0].at("key") == "a:b" && set[1].at("key") == "c"));
  for (const json::value &item : set) CHECK((item.at("status") == 200 && !item.at("etag").as_string().empty()));
  CHECK(said.at("get").at(0).at("key") == "a/b");
  CHECK(said.at("get").at(0).at("value") == "é");
  CHECK(said.at("get").at(0).at("meta").at("size") == 2);
  CHECK(said.at("get").at(0).at("meta").at("etag").is_string());
  CHECK(said.at("get").at(1).at("base64") == "/wAB");
  CHECK_FALSE(said.at("get").at(1).as_object().contains("value"));
  CHECK(said.at("get").at(2).at("status") == 404);
  CHECK(json::serialize(said.at("remove")) ==
        R"([{"key":"a:b","status":200},{"key":"absent","status":200,"found":false}])");
  CHECK(host.storage.get("c") == std::string("\xff\0\x01", 3));
  CHECK_FALSE(host.storage.has("a:b"));
}

TEST_CASE("a batch's stat gives the meta of each value, without the value") {
  Host host;
  host.storage.set("k", "value");
  Client client(host.http());
  const json::value said = post(client, "/", R"({"stat": ["k", "absent", "a:.."], "get": ["k"]})");
  CHECK(said.at("stat").at(0).at("status") == 200);
  CHECK(said.at("stat").at(0).at("meta") == said.at("get").at(0).at("meta"));
  CHECK_FALSE(said.at("stat").at(0).as_object().contains("value"));
  CHECK(said.at("stat").at(1).at("status") == 404);
  CHECK(said.at("stat").at(2).at("status") == 400);
}

TEST_CASE("a batch's keys are relative to its base") {
  Host host;
  host.storage.set("k", "outside");
  Client client(host.http());
  const json::value said = post(client, "/users/1/", R"({"set": [{"key": "k", "value": "in"}], "get": ["k"]})");
  CHECK(said.at("get").at(0).at("value") == "in");
  CHECK(host.storage.get("users:1:k") == "in");
  CHECK(host.storage.get("k") == "outside");
}

TEST_CASE("a batch's ttl is in milliseconds, or a text") {
  Host host;
  Client client(host.http());
  post(client, "/", R"({"set": [{"key": "a", "value": "", "ttl": 60000}, {"key": "b", "value": "", "ttl": "1h"},
    {"key": "c", "value": ""}]})");
  const auto expiry = [&](const char *key) { return host.storage.meta(key)->expiry; };
  CHECK(expiry("a") > 0);
  CHECK(expiry("b") - expiry("a") > 50 * 60'000);
  CHECK(expiry("c") == 0);
}

TEST_CASE("an item that fails has its own status and message, and the others are done") {
  omnistore::Config config = test::memory_config();
  config.mounts["fixed"].store.driver = "memory";
  config.mounts["fixed"].read_only = true;
  Host host(config);
  Client client(host.http());
  const json::value said = post(client, "/", R"({"set": [{"key": "fixed:a", "value": "x"}, {"key": "", "value": "x"},
    {"key": "ok", "value": "x"}], "get": ["a/../b"]})");
  CHECK(said.at("set").at(0).at("status") == 405);
  CHECK(json::serialize(said.at("set").at(0).at("message")).find("fixed:a") != std::string::npos);
  CHECK(said.at("set").at(1).at("status") == 400);
  CHECK(said.at("set").at(2).at("status") == 200);
  CHECK(said.at("get").at(0).at("status") == 400);
}

TEST_CASE("a malformed batch is 400, names the place, and does nothing") {
  Host host;
  Client client(host.http());
  const std::pair<const char *, const char *> cases[] = {
      {R"({"set": [{"key": "a", "value": "x"}], "drop": []})", "drop"},
      {R"({"set": [{"key": "a", "value": "x"}, {"key": "b"}]})", "set[1]"},
      {R"({"set": [{"key": "a", "value": 1}]})", "set[0].value"},
      {R"({"set": [{"key": "a", "value": "x", "base64": ""}]})", "set[0]"},
      {R"({"set": [{"key": "a", "base64": "?"}]})", "set[0].base64"},
      {R"({"set": [{"key": "a", "value": "x", "ttl": -1}]})", "set[0].ttl"},
      {R"({"get": ["a", 1]})", "get[1]"},
      {R"({"get": "a"})", "get"},
      {"[]", "body"},
      {"{", "body"},
  };
  for (const auto &[body, place] : cases) {
    INFO(body);
    const Answer answer = client.ask("POST", "/", body);
    CHECK(answer.status == 400);
    CHECK(answer.body.find(place) != std::string::npos);
  }
  CHECK_FALSE(host.storage.has("a"));
}

TEST_CASE("a batch has a bound of items, and one of bytes that it returns") {
  omnistore::Config config = test::memory_config();
  config.http.max_body = 100'000;
  Host host(config);
  Client client(host.http());
  std::string keys;
  for (int i = 0; i < 10'001; ++i) keys += keys.empty() ? "\"k\"" : ",\"k\"";
  CHECK(client.ask("POST", "/", "{\"get\": [" + keys + "]}").status == 400);
  host.storage.set("long", std::string(60'000, 'x'));
  host.storage.set("short", "x");
  const json::value said = post(client, "/", R"({"get": ["long", "long", "short"]})");
  CHECK(said.at("get").at(0).at("status") == 200);
  CHECK(said.at("get").at(1).at("status") == 413);
  CHECK(said.at("get").at(2).at("status") == 200);
}

TEST_CASE("a batch reads no file that is longer than its response may be") {
  const test::Folder folder;
  omnistore::Config config = test::memory_config();
  config.http.max_body = 100'000;
  config.mounts[""].store.driver = "fs";
  config.mounts[""].store.options = R"({"base": ")" + (folder / "data") + "\"}";
  Host host(config);
  host.storage.set("short", "x");
  host.storage.set("long", "");
  std::filesystem::resize_file(folder / "data/long", std::uintmax_t{1} << 40); // a hole
  Client client(host.http());
  const json::value said = post(client, "/", R"({"get": ["long", "short", "absent"]})");
  CHECK(said.at("get").at(0).at("status") == 413);
  CHECK(said.at("get").at(1).at("value") == "x");
  CHECK(said.at("get").at(2).at("status") == 404);
}

TEST_CASE("a token's scope holds for each item of a batch") {
  omnistore::Config config = test::memory_config();
  config.http.tokens = {{"reader", false, {"mine"}}, {"writer", true, {"mine"}}};
  Host host(config);
  host.storage.set("mine:a", "1");
  host.storage.set("other:a", "2");
  Client client(host.http());
  const std::string all =
      R"({"get": ["mine:a", "other:a"], "set": [{"key": "mine:b", "value": "x"}, {"key": "other:b", "value": "x"}],
          "remove": ["other:a"]})";
  CHECK(client.ask("POST", "/", all).status == 401);
  json::value said = post(client, "/", all, "Authorization: Bearer reader\r\n");
  CHECK(said.at("get").at(0).at("value") == "1");
  CHECK(said.at("get").at(1).at("status") == 403);
  CHECK(said.at("set").at(0).at("status") == 403);
  said = post(client, "/", all, "Authorization: Bearer writer\r\n");
  CHECK(said.at("set").at(0).at("status") == 200);
  CHECK(said.at("set").at(1).at("status") == 403);
  CHECK(said.at("remove").at(0).at("status") == 403);
  CHECK(host.storage.get("other:a") == "2");
  CHECK_FALSE(host.storage.has("other:b"));
}

TEST_CASE("a batch of a page of another origin is refused") {
  Host host;
  Client client(host.http());
  const Answer answer =
      client.ask("POST", "/", R"({"remove": ["a"]})", "Origin: https://x.example\r\nContent-Type: text/plain\r\n");
  CHECK(answer.status == 403);
}

TEST_CASE("POST to a key is 405") {
  Host host;
  Client client(host.http());
  CHECK(client.ask("POST", "/a", "{}").status == 405);
}

TEST_CASE("PATCH gives a value another ttl and leaves the rest") {
  Host host;
  host.storage.set("a", "x");
  Client client(host.http());
  CHECK(client.ask("PATCH", "/a", {}, "X-Ttl: 60\r\n").status == 200);
  CHECK(client.ask("HEAD", "/a").header("x-ttl") == "60");
  CHECK(client.ask("PATCH", "/a", {}, "X-Ttl: 0\r\n").status == 200);
  CHECK(host.storage.meta("a")->expiry == 0);
  CHECK(host.storage.get("a") == "x");
  CHECK(client.ask("PATCH", "/absent", {}, "X-Ttl: 60\r\n").status == 404);
  CHECK(client.ask("PATCH", "/a").status == 400);
  CHECK(client.ask("PATCH", "/a", {}, "X-Ttl: soon\r\n").status == 400);
  CHECK(client.ask("PATCH", "/a/", {}, "X-Ttl: 60\r\n").status == 400);
}
