// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <sstream>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>

#include "host.hpp"

using test::Answer;
using test::Client;
using test::Host;
namespace json = boost::json;

namespace {

json::object object(const Answer &answer) {
  CHECK(answer.header("content-type") == "application/json");
  return json::parse(answer.body).as_object();
}

} // namespace

TEST_CASE("the admin says that it is well and ready") {
  Host host;
  Client client(host.admin());
  CHECK(object(client.ask("GET", "/health"))["status"] == "ok");
  CHECK(object(client.ask("GET", "/ready"))["status"] == "ready");
  CHECK(client.ask("HEAD", "/health").status == 200);
}

TEST_CASE("an optional mount that could not be opened does not make the host unready") {
  omnistore::Config config = test::memory_config();
  config.mounts["extra"].store.driver = "not-there";
  config.mounts["extra"].optional = true;
  Host host(config);
  Client client(host.admin());
  CHECK(client.ask("GET", "/ready").status == 200);
  const json::object answer = object(client.ask("GET", "/mounts"));
  const json::object &extra = answer.at("mounts").as_array().at(1).as_object();
  CHECK(extra.at("mountpoint") == "extra");
  CHECK(extra.at("available") == false);
  CHECK(extra.at("reason").as_string().find("not-there") != std::string::npos);
}

TEST_CASE("the admin lists mounts with the capabilities of their stores") {
  Host host;
  Client client(host.admin());
  const json::object answer = object(client.ask("GET", "/mounts"));
  const json::object &store = answer.at("mounts").as_array().at(0).at("store").as_object();
  CHECK(store.at("driver") == "memory");
  CHECK(store.at("file").as_string().find("memory.so") != std::string::npos);
  for (const auto &[name, how] : store.at("capabilities").as_object()) {
    INFO(std::string(name));
    CHECK((how == "native" || how == "emulated" || how == "no"));
  }
  CHECK_FALSE(store.at("capabilities").as_object().empty());
}

TEST_CASE("the admin lists drivers, and plugin files that cannot be used with their reason") {
  omnistore::Config config = test::memory_config();
  config.plugin_paths.push_back(OMNISTORE_BUILD "/CMakeCache.txt");
  Host host(config);
  Client client(host.admin());
  const json::object answer = object(client.ask("GET", "/drivers"));
  bool found = false;
  for (const json::value &driver : answer.at("drivers").as_array()) {
    if (driver.at("name") != "memory") continue;
    found = true;
    CHECK(driver.at("version").as_string().size() > 0);
    CHECK(driver.at("schema").is_object());
    CHECK(driver.at("capabilities").as_object().size() > 0);
  }
  CHECK(found);
  const json::array &rejects = answer.at("rejects").as_array();
  REQUIRE(rejects.size() == 1);
  CHECK(rejects.at(0).at("file") == OMNISTORE_BUILD "/CMakeCache.txt");
  CHECK(rejects.at(0).at("reason").as_string().size() > 0);
}

TEST_CASE("the admin counts operations") {
  Host host;
  Client data(host.http());
  data.ask("PUT", "/a", "12345");
  data.ask("GET", "/a");
  data.ask("GET", "/absent");
  Client client(host.admin());
  const json::object answer = object(client.ask("GET", "/stats"));
  const json::object &root = answer.at("mounts").as_array().at(0).as_object();
  CHECK(root.at("hits").to_number<int>() == 1);
  CHECK(root.at("misses").to_number<int>() == 1);
  CHECK(root.at("writes").to_number<int>() == 1);
  CHECK(root.at("bytes_read").to_number<int>() == 5);
  CHECK(root.at("bytes_written").to_number<int>() == 5);
  const json::object &http = answer.at("listeners").as_array().at(0).as_object();
  CHECK(http.at("name") == "http");
  CHECK(http.at("connections").to_number<int>() == 1);
  CHECK(http.at("responses").at("2xx").to_number<int>() == 2);
  CHECK(http.at("responses").at("4xx").to_number<int>() == 1);
}

TEST_CASE("the metrics are in Prometheus' text format") {
  omnistore::Config config = test::memory_config();
  config.mounts["b"].store.driver = "memory";
  Host host(config);
  Client(host.http()).ask("PUT", "/b/a", "12345");
  Client client(host.admin());
  const Answer answer = client.ask("GET", "/metrics");
  CHECK(answer.header("content-type") == "text/plain; version=0.0.4; charset=utf-8");
  for (const char *line : {"omnistore_operations_total{mount=\"b\",driver=\"memory\",operation=\"write\"} 1\n",
                           "omnistore_written_bytes_total{mount=\"b\",driver=\"memory\"} 5\n",
                           "omnistore_written_bytes_total{mount=\"\",driver=\"memory\"} 0\n",
                           "# TYPE omnistore_operation_duration_seconds histogram\n",
                           "omnistore_http_responses_total{listener=\"http\",class=\"2xx\"} 1\n",
                           "omnistore_build_info{version=\"", "process_start_time_seconds 1"}) {
    INFO(line);
    CHECK(answer.body.find(line) != std::string::npos);
  }
}

TEST_CASE("the parser of Prometheus' own client takes the metrics") {
  omnistore::Config config = test::memory_config();
  omnistore::MountConfig &layered = config.mounts["a\"b\\c\n"];
  layered.store.driver = "overlay";
  layered.store.children = {{.driver = "memory"}, {.driver = "fs", .options = R"({"base": "/dev/shm"})"}};
  Host host(config);
  Client data(host.http());
  data.ask("PUT", "/x", "12345");
  data.ask("GET", "/x");
  data.ask("GET", "/y");
  const std::string command = "/usr/bin/python3 " OMNISTORE_SOURCE "/tests/server/metrics_parse.py http://" +
                              host.admin() +
                              R"( 'omnistore_layer_misses_total{mount=' 'operation="read",le="+Inf"' 2>&1)";
  std::string said;
  std::FILE *const pipe = ::popen(command.c_str(), "r");
  REQUIRE(pipe);
  for (char room[4096]; const std::size_t got = std::fread(room, 1, sizeof room, pipe);) said.append(room, got);
  INFO(said);
  CHECK(::pclose(pipe) == 0);
}

TEST_CASE("the admin's index names its pages, and other pages are 404") {
  Host host;
  Client client(host.admin());
  const json::object index = object(client.ask("GET", "/"));
  for (const auto &[path, summary] : index.at("paths").as_object()) {
    INFO(std::string(path));
    CHECK(client.ask("GET", std::string(path)).status == 200);
  }
  CHECK(client.ask("GET", "/nowhere").status == 404);
  const Answer put = client.ask("PUT", "/health", "x");
  CHECK(put.status == 405);
  CHECK(put.header("allow") == "GET, HEAD, OPTIONS");
}

TEST_CASE("with tokens the admin's pages need one, but health and readiness") {
  omnistore::Config config = test::memory_config();
  config.admin.tokens = {{"secret", false, {}}};
  Host host(config);
  Client client(host.admin());
  for (const char *path : {"/", "/metrics", "/stats", "/mounts", "/drivers"}) {
    INFO(path);
    CHECK(client.ask("GET", path).status == 401);
    CHECK(client.ask("GET", path, {}, "Authorization: Bearer secret\r\n").status == 200);
  }
  CHECK(client.ask("GET", "/health").status == 200);
  CHECK(client.ask("GET", "/ready").status == 200);
}

TEST_CASE("the admin grants origins only if its own config does") {
  omnistore::Config config = test::memory_config();
  config.http.origins = {"https://data.example"};
  config.admin.origins = {"https://panel.example"};
  Host host(config);
  Client client(host.admin());
  const std::string panel = "Origin: https://panel.example\r\n", data = "Origin: https://data.example\r\n";
  CHECK(client.ask("GET", "/health", {}, panel).header("access-control-allow-origin") == "https://panel.example");
  CHECK(client.ask("GET", "/health", {}, data).header("access-control-allow-origin") == "");
  const std::string preflight = "Access-Control-Request-Method: GET\r\n";
  CHECK(client.ask("OPTIONS", "/stats", {}, panel + preflight).status == 204);
  const Answer refused = client.ask("OPTIONS", "/stats", {}, data + preflight);
  CHECK(refused.status == 403);
  CHECK(refused.body.find("admin.origins") != std::string::npos);
}

TEST_CASE("a mount that is described at length is refused before it is read") {
  Host host;
  const std::string options = R"({"driver": "memory", "options": {"none": [1)";
  std::string body = options;
  while (body.size() < 2'000'000) body += ",1";
  const Answer refused = Client(host.admin()).ask("PUT", "/mounts/m", body + "]}}");
  CHECK(refused.status == 413);
  CHECK(refused.body.find("262144") != std::string::npos);
  CHECK(Client(host.admin()).ask("PUT", "/mounts/m", options + "]}}").status == 400); // it is read
}
