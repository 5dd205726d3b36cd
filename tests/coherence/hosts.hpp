// SPDX-License-Identifier: Apache-2.0
// Hosts (processes of the program) with coherent copies of one store's values, and the stores.
#pragma once

#include <chrono>
#include <csignal>
#include <memory>
#include <string>

#include "cli/program.hpp"
#include "server/client.hpp"
#include "support/etcd_server.hpp"
#include "support/forwarder.hpp"
#include "support/postgres_server.hpp"
#include "support/redis_server.hpp"

namespace test {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::milliseconds max_lag{4000};

/// A store that hosts share. Each host may have a way of its own to it, which can be cut.
class Shared {
public:
  virtual ~Shared() = default;
  /// Returns the driver and its options as members of a store in a config. `port` is that of a relay; 0: none.
  virtual std::string store(std::uint16_t port = 0) const = 0;
  virtual std::unique_ptr<Forwarder> relay() const = 0;
  virtual void kill() = 0;
  virtual void start() = 0;
};

class SharedRedis : public Shared {
public:
  std::string store(std::uint16_t port) const override {
    const std::string url = "redis://127.0.0.1:" + std::to_string(port ? port : server_.port()) + "/0";
    return R"("driver": "redis", "options": { "url": ")" + url + R"(", "notify": true, "commandTimeout": "1s" })";
  }
  std::unique_ptr<Forwarder> relay() const override {
    return std::make_unique<Forwarder>(Forwarder::to_port(server_.port()));
  }
  void kill() override { server_.kill(); }
  void start() override { server_.start(); }

private:
  RedisServer server_{{"--appendonly", "yes", "--appendfsync", "always"}};
};

class SharedPostgres : public Shared {
public:
  std::string store(std::uint16_t port) const override {
    std::string options = server_.options();
    if (port)
      options = R"("host": "127.0.0.1", "port": )" + std::to_string(port) +
                R"(, "user": "test", "database": "postgres", "sslmode": "disable")";
    return R"("driver": "postgres", "options": { )" + options + R"(, "triggers": true, "connectTimeout": "1s" })";
  }
  std::unique_ptr<Forwarder> relay() const override {
    return std::make_unique<Forwarder>(Forwarder::to_socket(server_.folder() + "/.s.PGSQL.5432"));
  }
  void kill() override { server_.kill(); }
  void start() override { server_.start(); }

private:
  PostgresServer server_;
};

class SharedEtcd : public Shared {
public:
  std::string store(std::uint16_t port) const override {
    const std::string endpoints =
        port ? R"("endpoints":["http://127.0.0.1:)" + std::to_string(port) + R"("])" : cluster_.endpoints();
    return R"("driver": "etcd", "options": { )" + endpoints + R"(, "timeout": "1s", "connectTimeout": "1s" })";
  }
  std::unique_ptr<Forwarder> relay() const override {
    const std::string url = cluster_.url();
    return std::make_unique<Forwarder>(
        Forwarder::to_port(static_cast<std::uint16_t>(std::stoul(url.substr(url.rfind(':') + 1)))));
  }
  void kill() override { cluster_.kill(); }
  void start() override { cluster_.start(); }

private:
  EtcdCluster cluster_;
};

/// A store that has no server.
class SharedFiles : public Shared {
public:
  explicit SharedFiles(const std::string &driver) : driver_(driver) {}
  std::string store(std::uint16_t) const override {
    const std::string option = driver_ == "fs" ? "base" : "path";
    return R"("driver": ")" + driver_ + R"(", "options": { ")" + option + R"(": ")" + (folder_ / "data") + R"(" })";
  }
  std::unique_ptr<Forwarder> relay() const override { return nullptr; }
  void kill() override {}
  void start() override {}

private:
  const Folder folder_;
  const std::string driver_;
};

/// Redis below three layers, which pass on the proof of its watch.
class SharedBelowLayers : public SharedRedis {
public:
  std::string store(std::uint16_t port) const override {
    return R"("driver": "retry", "layers": [{ "driver": "timeout", "options": { "timeout": "30s" }, "layers": [
      { "driver": "compress", "layers": [{ )" +
           SharedRedis::store(port) + " }] }] }]";
  }
};

/// The layer of a host that holds the copies.
enum class Near { cache, overlay };

/// `driver` may have "overlay over " before the name: the hosts then have an overlay in place of a cache.
inline Near near_of(const std::string &driver) { return driver.starts_with("overlay") ? Near::overlay : Near::cache; }
inline std::unique_ptr<Shared> shared(std::string driver) {
  if (near_of(driver) == Near::overlay) driver.erase(0, std::string("overlay over ").size());
  if (driver == "redis below layers") return std::make_unique<SharedBelowLayers>();
  if (driver == "redis") return std::make_unique<SharedRedis>();
  if (driver == "postgres") return std::make_unique<SharedPostgres>();
  if (driver == "etcd") return std::make_unique<SharedEtcd>();
  return std::make_unique<SharedFiles>(driver);
}

/// A host with coherent copies in memory before the store.
class NearHost {
public:
  explicit NearHost(const std::string &store, Near near = Near::cache) : near_(near) {
    const std::string limit = R"("coherent": true, "maxLag": ")" + std::to_string(max_lag.count()) + R"(ms")";
    const std::string mount =
        near == Near::cache
            ? R"("driver": "memory", "invalidation": { )" + limit + R"(, "maxAge": "1h" }, "origin": { )" + store + " }"
            : R"("driver": "overlay", "options": { "writeTo": 1, "promote": true, )" + limit +
                  R"( }, "layers": [{ "driver": "memory" }, { )" + store + " }]";
    write_file(folder_ / "config.jsonc", R"({ "plugins": { "paths": [")" OMNISTORE_BUILD R"(/plugins"] },
  "mounts": { "": { )" + mount + R"( } },
  "server": { "http": { "listen": "127.0.0.1:0" } }, "admin": { "listen": "127.0.0.1:0" } })");
    host_ = std::make_unique<Host>(folder_ / "config.jsonc");
  }

  /// Returns "" if the host gives no value.
  std::string get(const std::string &key) const {
    Client client(address());
    const Answer answer = client.ask("GET", "/" + key);
    return answer.status == 200 ? answer.body : std::string();
  }
  bool set(const std::string &key, const std::string &value) const {
    Client client(address());
    return client.ask("PUT", "/" + key, value).status == 200;
  }
  /// Returns a counter or gauge of the layer, or -1.
  std::int64_t count(const std::string &name) const {
    Client client(host_->admin.substr(host_->admin.find("//") + 2));
    const std::string text = client.ask("GET", "/metrics").body;
    const std::size_t at = text.find("=\"" + name + "\""), line = at == text.npos ? at : text.find("\n", at);
    if (line == text.npos) return -1;
    const std::size_t blank = text.rfind(' ', line);
    return static_cast<std::int64_t>(std::stod(text.substr(blank)));
  }
  /// Returns the number of reads that got a value from the store.
  std::int64_t misses() const { return count(near_ == Near::cache ? "fetches" : "promotions") + count("bypasses"); }
  std::string address() const { return host_->url.substr(host_->url.find("//") + 2); }
  void freeze() { ::kill(host_->process().pid(), SIGSTOP); }
  void thaw() { ::kill(host_->process().pid(), SIGCONT); }

private:
  const Near near_;
  const Folder folder_;
  std::unique_ptr<Host> host_;
};

/// Calls `holds` until it returns true. Returns false after a minute.
template <class Condition>
bool comes_true(const Condition &holds) {
  const Clock::time_point end = Clock::now() + std::chrono::minutes(1);
  while (!holds())
    if (Clock::now() > end) return false;
  return true;
}

} // namespace test
