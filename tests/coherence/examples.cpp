// SPDX-License-Identifier: Apache-2.0
// The examples of config/distributed, each run by two hosts over a real server.
#include <chrono>
#include <map>
#include <memory>
#include <string>

#include <catch2/catch.hpp>

#include "cli/program.hpp"
#include "support/etcd_server.hpp"
#include "support/postgres_server.hpp"
#include "support/rados_gateway.hpp"
#include "support/redis_cluster.hpp"

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
  bool set(const std::string &value) const { return run({"set", "greeting", value}).code == 0; }
  bool remove() const { return run({"rm", "greeting"}).code == 0; }
  /// Returns the value, or "" if there is none.
  std::string get() const { return run({"get", "greeting"}).out; }
  /// Reads until the host gives the value. Returns false after a minute.
  bool comes_to_give(const std::string &value) const {
    const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (get() != value)
      if (std::chrono::steady_clock::now() > end) return false;
    return true;
  }

private:
  Result run(Strings arguments) const {
    arguments.insert(arguments.begin(), {"--url", host_->url});
    return omnistore(arguments);
  }

  const Folder folder_;
  std::unique_ptr<Host> host_;
};

void check_example(const std::string &name, const Variables &variables) {
  const ExampleHost one(name, variables), other(name, variables);
  CHECK(one.set("hello"));
  CHECK(other.get() == "hello");
  CHECK(other.set("good day"));
  CHECK(one.comes_to_give("good day"));
  CHECK(one.remove());
  CHECK(other.comes_to_give(""));
}

} // namespace

TEST_CASE("two hosts share the example's store over redis") {
  const RedisServer server;
  check_example("redis", {{"REDIS_URL", server.url()}});
}

TEST_CASE("two hosts share the example's store over a Redis Cluster") {
  const RedisCluster cluster;
  check_example("redis-cluster", {{"REDIS_URL", cluster.servers.front().url()}});
}

TEST_CASE("two hosts share the example's store over S3, each with a near cache that ages") {
  const RadosGateway gateway;
  check_example("s3", {{"S3_ENDPOINT", gateway.url()},
                       {"S3_BUCKET", "bucket"},
                       {"AWS_ACCESS_KEY_ID", "KEYID"},
                       {"AWS_SECRET_ACCESS_KEY", "VERYSECRET"},
                       {"NEAR_AGE", "1s"}});
}

TEST_CASE("two hosts share the example's store over PostgreSQL") {
  const PostgresServer server;
  check_example("postgres", {{"POSTGRES_URL", "postgresql:///postgres?user=test&host=" + server.folder()}});
}

TEST_CASE("two hosts share the example's store over etcd") {
  const EtcdCluster cluster;
  check_example("etcd", {{"ETCD_URL", cluster.url()}});
}
