// SPDX-License-Identifier: Apache-2.0
// A GET of a value that goes out in pieces. A value of more than 1 MiB was once requested twice, the first time only to
// find out that it is long, and counted as an internal error.
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <catch2/catch.hpp>

#include "gate.hpp"
#include "support/origin.hpp"
#include "support/redis_server.hpp"

using test::Answer;
using test::Client;
using test::Host;

namespace {

constexpr std::size_t mib = 1 << 20;

omnistore::MountStats stats_of(const Host &host, const std::string &mountpoint) {
  for (const omnistore::MountStats &stats : host.storage.stats())
    if (stats.mountpoint == mountpoint) return stats;
  throw std::runtime_error("no mount " + mountpoint);
}

std::uint64_t failures(const omnistore::MountStats &stats) { return stats.errors; }

/// Waits until the mount has nothing under way.
omnistore::MountStats settled(const Host &host, const std::string &mountpoint) {
  for (;;) {
    const omnistore::MountStats stats = stats_of(host, mountpoint);
    if (stats.in_flight == 0) return stats;
    std::this_thread::yield();
  }
}

/// Reads values of these sizes once each, and sees that each read is one call of the driver and no failure.
void check_calls(Host &host, const std::string &mountpoint, const std::vector<std::size_t> &sizes,
                 const std::string &path) {
  Client client(host.http());
  for (const std::size_t size : sizes) {
    INFO(mountpoint << ", " << size << " bytes");
    const omnistore::MountStats before = stats_of(host, mountpoint);
    const Answer answer = client.ask("GET", path + std::to_string(size));
    CHECK(answer.status == 200);
    CHECK((answer.body == std::string(size, 'v')));
    const omnistore::MountStats after = settled(host, mountpoint); // the client has the last byte before it is counted
    CHECK(after.hits + after.misses - before.hits - before.misses == 1);
    CHECK(failures(after) == 0);
  }
}

const std::vector<std::size_t> sizes = {mib - 1, mib, mib + 1, 20 * mib};

} // namespace

TEST_CASE("A GET is one call of the driver, however long the value is", "[long]") {
  const test::Folder folder;
  omnistore::Config config = test::memory_config();
  config.mounts["files"].store.driver = "fs";
  config.mounts["files"].store.options = R"({"base": ")" + folder.path().string() + "\"}";
  Host host(config);
  for (const std::size_t size : sizes) {
    host.storage.set("m:" + std::to_string(size), std::string(size, 'v'));
    host.storage.set("files:" + std::to_string(size), std::string(size, 'v'));
  }
  check_calls(host, "", sizes, "/m/");
  check_calls(host, "files", sizes, "/files/");
}

TEST_CASE("A GET of a long value sends one request to an HTTP origin", "[long]") {
  test::Origin origin;
  omnistore::Config config = test::memory_config();
  config.mounts["web"].store.driver = "http";
  config.mounts["web"].store.options = R"({"base": ")" + origin.url() + "\"}";
  Host host(config);
  for (const std::size_t size : sizes) origin.serve("/" + std::to_string(size), std::string(size, 'v'), "\"e\"");
  check_calls(host, "web", sizes, "/web/");
  CHECK(origin.count("GET") == sizes.size());
}

TEST_CASE("A GET of a long value takes it from Redis once", "[long]") {
  test::RedisServer redis;
  omnistore::Config config = test::memory_config();
  config.mounts["shared"].store.driver = "redis";
  config.mounts["shared"].store.options = R"({"url": ")" + redis.url() + "\"}";
  Host host(config);
  for (const std::size_t size : sizes) host.storage.set("shared:" + std::to_string(size), std::string(size, 'v'));
  check_calls(host, "shared", sizes, "/shared/");
}

TEST_CASE("More clients than there are threads for long values all get theirs, and no failure is counted", "[long]") {
  const test::Folder folder;
  omnistore::Config config = test::memory_config();
  config.mounts["files"].store.driver = "fs";
  config.mounts["files"].store.options = R"({"base": ")" + folder.path().string() + "\"}";
  Host host(config);
  host.storage.set("files:big", std::string(8 * mib, 'v'));
  host.storage.set("files:small", "v");
  constexpr int count = 24; // there are 16 threads
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < count; ++i) {
    clients.push_back(std::make_unique<Client>(host.http()));
    clients.back()->hold_back(256 * 1024);
    clients.back()->send(test::request("GET", "/files/big"));
  }
  // They do not read yet. The store's other values are there all the same.
  CHECK(Client(host.http()).ask("GET", "/files/small").body == "v");
  std::atomic<int> whole{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < count; ++i)
    readers.emplace_back([&, i] { whole += clients[i]->receive().body.size() == 8 * mib; });
  for (std::thread &reader : readers) reader.join();
  CHECK(whole == count);
  CHECK(failures(settled(host, "files")) == 0);
}

TEST_CASE("A client that goes away in the middle of a long value is no failure of the store") {
  const test::Folder folder;
  omnistore::Config config = test::memory_config();
  config.mounts["files"].store.driver = "fs";
  config.mounts["files"].store.options = R"({"base": ")" + folder.path().string() + "\"}";
  config.mounts["layered"].store.driver = "overlay";
  omnistore::StoreConfig layer;
  layer.driver = "fs";
  layer.options = config.mounts["files"].store.options;
  config.mounts["layered"].store.children = {layer};
  Host host(config);
  host.storage.set("files:big", std::string(20 * mib, 'v'));
  for (const std::string mount : {"files", "layered"}) {
    INFO(mount);
    {
      Client client(host.http());
      client.hold_back(256 * 1024);
      client.send(test::request("GET", "/" + mount + "/big"));
      CHECK(client.head().status == 200);
    }
    const omnistore::MountStats stats = settled(host, mount);
    CHECK(failures(stats) == 0);
    CHECK(stats.hits == 1);
  }
}

TEST_CASE("A body that is cut off, malformed or too long is no failure of the store") {
  const test::Folder folder;
  omnistore::Config config = test::memory_config();
  config.mounts["files"].store.driver = "fs";
  config.mounts["files"].store.options = R"({"base": ")" + folder.path().string() + "\"}";
  config.http.max_stream = 4 * mib;
  Host host(config);
  const std::string head = "PUT /files/a HTTP/1.1\r\nHost: localhost\r\n";
  const std::string part(2 * mib, 'v');
  {
    Client cut(host.http());
    cut.send(head + "Content-Length: 3000000\r\n\r\n" + part);
  }
  Client malformed(host.http());
  malformed.send(head + "Transfer-Encoding: chunked\r\n\r\n200000\r\n" + part + "\r\nzz\r\n");
  CHECK(malformed.receive().status == 400);
  Client endless(host.http());
  endless.send(head + "Transfer-Encoding: chunked\r\n\r\n200000\r\n" + part + "\r\n200000\r\n" + part +
               "\r\n1\r\nx\r\n");
  CHECK(endless.receive().status == 413);
  CHECK(failures(settled(host, "files")) == 0);
  CHECK_FALSE(host.storage.has("files:a"));
}

TEST_CASE("Conditions, HEAD and a batch's bound are no failures of the store") {
  const test::Folder folder;
  omnistore::Config config = test::memory_config();
  config.mounts["files"].store.driver = "fs";
  config.mounts["files"].store.options = R"({"base": ")" + folder.path().string() + "\"}";
  config.http.max_body = 4 * mib;
  Host host(config);
  host.storage.set("files:big", std::string(5 * mib, 'v'));
  Client client(host.http());
  const std::string etag = client.ask("HEAD", "/files/big").header("etag");
  CHECK(client.ask("GET", "/files/big", {}, "If-None-Match: " + etag + "\r\n").status == 304);
  CHECK(client.ask("GET", "/files/big", {}, "If-Match: \"x\"\r\n").status == 412);
  CHECK(client.ask("GET", "/files/big", {}, "Range: bytes=99999999-\r\n").status == 416);
  CHECK(client.ask("POST", "/files/", R"({"get": ["big"]})").body.find("413") != std::string::npos);
  CHECK(failures(settled(host, "files")) == 0);
}

TEST_CASE("A failure of the store itself is counted once") {
  test::Gate gate;
  Host host(gate.config());
  Client client(host.http());
  CHECK(client.ask("GET", "/slow/breaks").status == 500);
  CHECK(failures(settled(host, "slow")) == 1);
}

TEST_CASE("A long body that is refused before it has come gets a response and ends its connection") {
  const test::Folder folder;
  omnistore::Config config = test::memory_config();
  config.mounts["files"].store.driver = "fs";
  config.mounts["files"].store.options = R"({"base": ")" + folder.path().string() + "\"}";
  config.mounts["files"].read_only = true;
  Host host(config);
  Client client(host.http());
  client.send("PUT /files/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3000000\r\n\r\n" +
              std::string(2 * mib, 'v'));
  const Answer answer = client.receive();
  CHECK(answer.status == 405);
  CHECK(answer.header("connection") == "close");
}
