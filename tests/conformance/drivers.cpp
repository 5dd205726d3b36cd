// SPDX-License-Identifier: Apache-2.0
// Our own drivers and layers keep the contract, each over its real backend.
#include <catch2/catch.hpp>

#include "cli/program.hpp"
#include "support/certificates.hpp"
#include "support/etcd_server.hpp"
#include "support/memcached_server.hpp"
#include "support/postgres_server.hpp"
#include "support/rados_gateway.hpp"
#include "support/redis_cluster.hpp"
#include "support/redis_sentinels.hpp"
#include "support/redis_server.hpp"

namespace {

std::string plugin(const std::string &driver) { return OMNISTORE_BUILD "/plugins/" + driver + ".so"; }

/// Runs the kit on one of the build's plugins; what does not hold is in the failure's message.
void keeps_the_contract(const std::string &driver, const test::Strings &arguments) {
  test::Strings all = {"test-driver", plugin(driver), "--seed", "1"};
  all.insert(all.end(), arguments.begin(), arguments.end());
  // The kit limits each rule itself, and prints nothing before its end. Over a server on a busy machine all rules
  // together take more than a minute; the limit of all is the test's own.
  const test::Result result = test::omnistore(all, {.silence_ms = 600'000});
  INFO(result.out << result.err);
  CHECK(result.code == 0);
}

const std::string in_folder = R"({"base": "{folder}"})", over_fs = "fs " + in_folder;

/// More options of redis: timeouts that no busy machine reaches.
const std::string patient = R"(, "connectTimeout": "30s", "commandTimeout": "30s")";

std::string over_redis(const test::RedisServer &server, const std::string &more = "") {
  return R"(redis {"url": "redis://127.0.0.1:)" + std::to_string(server.port()) + R"(", "base": "{id}")" + patient +
         more + "}";
}

} // namespace

TEST_CASE("memory keeps the contract") { keeps_the_contract("memory", {}); }

TEST_CASE("fs keeps the contract") { keeps_the_contract("fs", {"--options", in_folder}); }

TEST_CASE("sqlite keeps the contract") {
  keeps_the_contract("sqlite", {"--options", R"({"path": "{folder}/data.db"})"});
}
TEST_CASE("sqlite keeps its claims in unstorage's layout") {
  keeps_the_contract("sqlite", {"--options", R"({"path": "{folder}/data.db", "layout": "db0"})"});
}
TEST_CASE("lmdb keeps the contract") {
  keeps_the_contract("lmdb", {"--options", R"({"path": "{folder}/db", "durability": "none"})"});
}

TEST_CASE("etcd keeps the contract over a member of etcd") {
  const test::EtcdCluster etcd(1);
  keeps_the_contract("etcd", {"--options", "{" + etcd.endpoints() + R"(, "prefix": "{id}/"})"});
}

TEST_CASE("redis keeps the contract over a redis-server") {
  const test::RedisServer server;
  keeps_the_contract("redis", {"--options", over_redis(server).substr(6)});
}

TEST_CASE("redis keeps the contract over TLS") {
  const test::Authority authority;
  const test::RedisServer server(authority.redis_arguments(), test::RedisServer::On::tls);
  keeps_the_contract("redis", {"--options", R"({"url": ")" + server.url() + R"(", "ca": ")" + authority.ca() +
                                                R"(", "base": "{id}")" + patient + "}"});
}

TEST_CASE("redis keeps the contract over a master that sentinels know") {
  const test::RedisSentinels servers(1, 1, 600'000); // a busy machine is no reason for a failover
  keeps_the_contract("redis", {"--options", "{" + servers.options() + R"(, "base": "{id}")" + patient + "}"});
}

TEST_CASE("redis keeps the contract over a cluster") {
  const test::RedisCluster cluster;
  keeps_the_contract("redis", {"--options", "{" + cluster.options() + R"(, "base": "{id}")" + patient + "}"});
}

TEST_CASE("memcached keeps the contract over two servers") {
  const test::MemcachedServer one({"-I", "8m"}), two({"-I", "8m"}); // the kit writes values of 3 MB
  keeps_the_contract("memcached", {"--options", R"({"servers": [")" + one.address() + R"(", ")" + two.address() +
                                                    R"("], "base": "{id}", "commandTimeout": "30s"})"});
}

TEST_CASE("postgres keeps the contract over a PostgreSQL server") {
  const test::PostgresServer server;
  const std::string triggers = GENERATE("false}", "true}");
  keeps_the_contract("postgres",
                     {"--options", "{" + server.options() + R"(, "table": "t{id}", "triggers": )" + triggers});
}

TEST_CASE("postgres keeps what it claims in unstorage's layout") {
  const test::PostgresServer server;
  keeps_the_contract("postgres", {"--options", "{" + server.options() + R"(, "table": "t{id}", "layout": "db0"})"});
}

TEST_CASE("s3 keeps the contract over Ceph's radosgw") {
  const test::RadosGateway server;
  keeps_the_contract("s3",
                     {"--options", "{" + server.options() + R"(, "base": "{id}", "conditionalWrites": "create"})"});
}

TEST_CASE("http keeps the contract over a host") {
  const test::Folder folder;
  test::write_file(folder / "host.json", R"({"mounts": {"": {"driver": "memory"}},
    "server": {"http": {"listen": "127.0.0.1:0"}}, "admin": {"listen": "127.0.0.1:0"}})");
  const test::Host host(folder / "host.json");
  const std::string server = GENERATE(R"(, "ttl": true})", R"(, "omnistore": true})");
  keeps_the_contract("http", {"--options", R"({"base": ")" + host.url + "\"" + server});
}

TEST_CASE("null keeps the contract of a store that keeps no value") { keeps_the_contract("null", {}); }

TEST_CASE("overlay keeps the contract over memory") {
  keeps_the_contract("overlay", {"--over", "memory", "--over", "memory"});
}
TEST_CASE("overlay keeps the contract over fs") {
  keeps_the_contract("overlay", {"--over", over_fs, "--over", over_fs});
}
TEST_CASE("overlay keeps the contract over redis") {
  const test::RedisServer server;
  keeps_the_contract("overlay", {"--over", "memory", "--over", over_redis(server)});
}

TEST_CASE("cache keeps the contract over memory") {
  keeps_the_contract("cache", {"--over", "memory", "--over", "memory"});
}
TEST_CASE("cache keeps the contract over fs") { keeps_the_contract("cache", {"--over", over_fs, "--over", over_fs}); }
TEST_CASE("cache keeps the contract over redis") {
  const test::RedisServer server;
  keeps_the_contract("cache", {"--over", "memory", "--over", over_redis(server)});
}

namespace {

/// A layer over one store, with options under which it lets every operation through.
void layer_keeps_the_contract(const std::string &driver, const std::string &options) {
  SECTION("over memory") { keeps_the_contract(driver, {"--options", options, "--over", "memory"}); }
  SECTION("over fs") { keeps_the_contract(driver, {"--options", options, "--over", over_fs}); }
  SECTION("over redis") {
    const test::RedisServer server;
    keeps_the_contract(driver, {"--options", options, "--over", over_redis(server, R"(, "notify": true)")});
  }
}

} // namespace

TEST_CASE("readonly keeps the contract") { layer_keeps_the_contract("readonly", "{}"); }
TEST_CASE("timeout keeps the contract") { layer_keeps_the_contract("timeout", R"({"timeout": "30s"})"); }
TEST_CASE("retry keeps the contract") { layer_keeps_the_contract("retry", "{}"); }
TEST_CASE("fault that strikes nothing keeps the contract") {
  layer_keeps_the_contract("fault", R"({"probability": 0})");
}
TEST_CASE("limit keeps the contract") { layer_keeps_the_contract("limit", R"({"rate": 1000000, "concurrency": 64})"); }
TEST_CASE("compress keeps the contract") { layer_keeps_the_contract("compress", R"({"threshold": 1})"); }
TEST_CASE("encrypt keeps the contract") {
  layer_keeps_the_contract("encrypt", R"({"keys": "one )" + std::string(64, '1') + "\"}");
}
