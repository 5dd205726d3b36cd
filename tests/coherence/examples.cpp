// SPDX-License-Identifier: Apache-2.0
// The examples of config/distributed, each run by two hosts over a real server.
#include <map>
#include <memory>
#include <string>

#include <catch2/catch.hpp>

#include "hosts.hpp"

using namespace test;

namespace {

using Variables = std::map<std::string, std::string>;

/// A host of the example, as it stands, with the plugins of the build.
class ExampleHost {
public:
  ExampleHost(const std::string &name, Variables variables) {
    std::string text = read_file(OMNISTORE_SOURCE "/config/distributed/" + name + ".jsonc");
    const std::size_t begin = text.find("\n{");
    text.insert(begin + 2, R"( "plugins": { "paths": [")" OMNISTORE_BUILD R"(/plugins"] },)");
    write_file(folder_ / "config.jsonc", text);
    variables["OMNISTORE_HTTP"] = variables["OMNISTORE_ADMIN"] = "127.0.0.1:0";
    host_ = std::make_unique<Host>(folder_ / "config.jsonc", Setting{.variables = variables});
  }
  Answer ask(const std::string &method, const std::string &target, const std::string &body = {}) const {
    Client client(host_->url.substr(host_->url.find("//") + 2));
    return client.ask(method, target, body);
  }

private:
  const Folder folder_;
  std::unique_ptr<Host> host_;
};

void check_example(const std::string &name, const Variables &variables) {
  const ExampleHost one(name, variables), other(name, variables);
  CHECK(one.ask("PUT", "/greeting", "hello").status == 200);
  CHECK(other.ask("GET", "/greeting").body == "hello");
  CHECK(other.ask("PUT", "/greeting", "good day").status == 200);
  CHECK(comes_true([&] { return one.ask("GET", "/greeting").body == "good day"; }));
  CHECK(one.ask("DELETE", "/greeting").status == 200);
  CHECK(comes_true([&] { return other.ask("GET", "/greeting").status == 404; }));
}

} // namespace

TEST_CASE("two hosts share the example's store over redis") {
  const RedisServer server;
  check_example("redis", {{"REDIS_URL", server.url()}});
}

TEST_CASE("two hosts share the example's store over PostgreSQL") {
  const PostgresServer server;
  check_example("postgres", {{"POSTGRES_URL", "postgresql:///postgres?user=test&host=" + server.folder()}});
}

TEST_CASE("two hosts share the example's store over etcd") {
  const EtcdCluster cluster;
  check_example("etcd", {{"ETCD_URL", cluster.url()}});
}
