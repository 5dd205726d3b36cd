// SPDX-License-Identifier: Apache-2.0
// A master that sentinels know: it is found, and another one after a failover.
#include "watched.hpp"

#include "support/certificates.hpp"
#include "support/redis_sentinels.hpp"

using test::Events;
using test::eventually;
using test::Got;
using test::RedisClient;
using test::RedisSentinels;
using test::RedisServer;
using test::refusal;
using test::Store;
using test::StoreWatch;

namespace {

std::string options_for(const RedisSentinels &servers, const std::string &more = Store::patient()) {
  return "{" + servers.options() + more + "}";
}

/// Returns the options for one master that these sentinels call `m`.
std::string options_with(const std::vector<std::string> &sentinels, const std::string &more = "") {
  std::string list;
  for (const std::string &each : sentinels) list += (list.empty() ? "\"" : ",\"") + each + "\"";
  return "{\"url\":\"redis://" + std::string(std::getenv("OMNISTORE_TEST_REDIS_ACL") ? "omnistore:password@" : "") +
         "127.0.0.1:1\",\"sentinels\":[" + list + "],\"master\":\"m\"" + more + "}";
}

std::string address_of(const RedisServer &server) { return "127.0.0.1:" + std::to_string(server.port()); }

/// Starts a sentinel that believes in this master for long, whatever happens.
std::vector<std::string> stubborn(const RedisServer &master) {
  return {"sentinel monitor m 127.0.0.1 " + std::to_string(master.port()) + " 1",
          "sentinel down-after-milliseconds m 600000"};
}

/// A server that is being turned into a replica closes its connections.
bool is_replica(const RedisServer &server) {
  try {
    return RedisClient(server)({"ROLE"}).starts_with("slave");
  } catch (const std::runtime_error &) {
    return false;
  }
}

/// Threads that set keys of their own, each once, and remember which were acknowledged.
class Writers {
public:
  Writers(Store &store, int threads) {
    for (int i = 0; i < threads; ++i)
      threads_.emplace_back([this, &store, i] {
        for (int n = 0; !stop_; ++n) {
          const std::string key = "w" + std::to_string(i) + ":" + std::to_string(n);
          const unsigned takes = takes_;
          const omnistore_status status = store.set(key, key);
          if (status == OMNISTORE_OK) {
            const std::lock_guard guard(lock_);
            if (takes == takes_) done_.push_back(key);
          } else {
            wrong += status != OMNISTORE_UNAVAILABLE && status != OMNISTORE_TIMEOUT;
            std::this_thread::yield();
          }
        }
      });
  }
  ~Writers() { stop(); }
  void stop() {
    stop_ = true;
    for (std::thread &thread : threads_) thread.join();
    threads_.clear();
  }
  /// Returns the keys whose writes began after the last take and were acknowledged.
  std::vector<std::string> take() {
    const std::lock_guard guard(lock_);
    ++takes_;
    return std::exchange(done_, {});
  }
  bool goes_on(std::size_t more = 100) {
    return eventually([&] {
      const std::lock_guard guard(lock_);
      return done_.size() >= more;
    });
  }
  std::atomic<int> wrong = 0;

private:
  std::atomic<bool> stop_ = false;
  std::atomic<unsigned> takes_ = 0;
  std::mutex lock_;
  std::vector<std::string> done_;
  std::vector<std::thread> threads_;
};

std::size_t missing(Store &store, const std::vector<std::string> &keys) {
  std::size_t count = 0;
  for (const std::string &key : keys) count += store.get(key) != key;
  return count;
}

} // namespace

TEST_CASE("a store finds its master by the first sentinel that responds") {
  const RedisServer master, sentinel(stubborn(master), RedisServer::On::sentinel);
  Store store(options_with({"127.0.0.1:1", address_of(sentinel)}, Store::patient()));
  CHECK(store.set("k", "v") == OMNISTORE_OK);
  CHECK(RedisClient(master)({"GET", "k"}) == "v");
}

TEST_CASE("a sentinel that hangs leaves time for the next one") {
  const RedisServer master;
  RedisServer hung(stubborn(master), RedisServer::On::sentinel);
  const RedisServer sentinel(stubborn(master), RedisServer::On::sentinel);
  hung.freeze();
  Store store(options_with({address_of(hung), address_of(sentinel)}, ",\"connectTimeout\":3000"));
  CHECK(store.set("k", "v") == OMNISTORE_OK);
  hung.thaw();
}

TEST_CASE("a sentinel that names a replica is not believed, and the next one is") {
  RedisServer old, fresh;
  const RedisServer stale(stubborn(old), RedisServer::On::sentinel), right(stubborn(fresh), RedisServer::On::sentinel);
  REQUIRE(RedisClient(old)({"REPLICAOF", "127.0.0.1", std::to_string(fresh.port())}) == "OK");
  Store store(options_with({address_of(stale), address_of(right)}, Store::patient()));
  CHECK(store.set("k", "v") == OMNISTORE_OK);
  CHECK(RedisClient(fresh)({"GET", "k"}) == "v");
}

TEST_CASE("no write is acknowledged while the server that the sentinels name is a replica") {
  RedisServer master, other;
  const RedisServer sentinel(stubborn(master), RedisServer::On::sentinel);
  // A replica that takes writes would acknowledge them.
  RedisClient client(master);
  REQUIRE(client({"CONFIG", "SET", "replica-read-only", "no"}) == "OK");
  REQUIRE(client({"REPLICAOF", "127.0.0.1", std::to_string(other.port())}) == "OK");
  Store store(options_with({address_of(sentinel)}));
  CHECK(store.set("k", "v") == OMNISTORE_UNAVAILABLE);
  CHECK(store.message().find("is not a master now") != std::string::npos);
  REQUIRE(client({"REPLICAOF", "NO", "ONE"}) == "OK");
  CHECK(eventually([&] { return store.set("k", "v") == OMNISTORE_OK; }));
}

TEST_CASE("a master that becomes a replica while its connections stay is left for the new one") {
  RedisServer old, fresh;
  const RedisServer sentinel(stubborn(old), RedisServer::On::sentinel),
      next(stubborn(fresh), RedisServer::On::sentinel);
  Store store(options_with({address_of(sentinel), address_of(next)}, Store::patient()));
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  REQUIRE(RedisClient(old)({"GET", "k"}) == "v");
  REQUIRE(RedisClient(old)({"REPLICAOF", "127.0.0.1", std::to_string(fresh.port())}) == "OK");
  CHECK(store.set("k", "w") == OMNISTORE_OK); // READONLY, then the other sentinel
  CHECK(RedisClient(fresh)({"GET", "k"}) == "w");
}

TEST_CASE("after the kill of a master under load, another takes the writes and the watch gets a resync") {
  RedisSentinels servers;
  Store store(options_for(servers, ",\"connectTimeout\":2000,\"commandTimeout\":2000"));
  Events watcher;
  const StoreWatch watching(store, watcher);
  Writers writers(store, 4);
  REQUIRE(writers.goes_on());
  std::vector<std::string> before = writers.take();
  // The writes that the replicas have acknowledged cannot be lost; the driver itself does not wait for that.
  REQUIRE(RedisClient(servers.master()).number({"WAIT", "2", "0"}) == 2);
  RedisServer &old = servers.master();
  old.kill();
  REQUIRE(eventually([&] { return &servers.master() != &old; }));
  writers.take(); // acknowledged by the old master or by the new one, which is not known: the window of the loss
  REQUIRE(writers.goes_on());
  writers.stop();
  std::vector<std::string> after = writers.take();
  CHECK(missing(store, before) == 0);
  CHECK(missing(store, after) == 0);
  CHECK(writers.wrong == 0);
  CHECK(eventually([&] { return watcher.resyncs > 0; }));
  CHECK(eventually(
      [&] { return store.set("again", "v") == OMNISTORE_OK && watcher.count(OMNISTORE_EVENT_UPDATE, "again") > 0; }));
  // The old master comes back as one, until a sentinel turns it into a replica.
  old.start();
  for (int i = 0; i < 100; ++i) CHECK(store.set("back" + std::to_string(i), "v") == OMNISTORE_OK);
  RedisClient fresh(servers.master());
  CHECK(fresh({"GET", "back99"}) == "v");
}

TEST_CASE("SENTINEL FAILOVER under load: no write is lost that the new master has acknowledged") {
  RedisSentinels servers;
  Store store(options_for(servers, ",\"connectTimeout\":2000,\"commandTimeout\":2000"));
  Writers writers(store, 4);
  REQUIRE(writers.goes_on());
  RedisServer &old = servers.master();
  REQUIRE(RedisClient(servers.sentinels.front())({"SENTINEL", "FAILOVER", RedisSentinels::name}) == "OK");
  REQUIRE(eventually([&] { return &servers.master() != &old; }));
  REQUIRE(eventually([&] { return is_replica(old); }));
  writers.take();
  REQUIRE(writers.goes_on(500));
  writers.stop();
  CHECK(writers.wrong == 0);
  RedisClient fresh(servers.master());
  std::size_t lost = 0;
  for (const std::string &key : writers.take()) lost += fresh({"GET", key}) != key;
  CHECK(lost == 0);
}

namespace {

/// Two masters of which the sentinels name the first. Both stay reachable whatever the sentinels say.
struct TwoMasters {
  const RedisServer old{{"--notify-keyspace-events", "KEA"}}, fresh{{"--notify-keyspace-events", "KEA"}};
  std::deque<RedisServer> sentinels;
  TwoMasters() {
    for (int i = 0; i < 3; ++i) sentinels.emplace_back(stubborn(old), RedisServer::On::sentinel);
  }
  std::string options() const {
    return options_with({address_of(sentinels[0]), address_of(sentinels[1]), address_of(sentinels[2])},
                        Store::patient());
  }
  /// The sentinel names the second one from now on.
  void move(RedisServer &sentinel) const {
    RedisClient client(sentinel);
    REQUIRE(client({"SENTINEL", "REMOVE", "m"}) == "OK");
    REQUIRE(client({"SENTINEL", "MONITOR", "m", "127.0.0.1", std::to_string(fresh.port()), "1"}) == "OK");
  }
};

/// Returns when the watch has proven that it was complete at a moment after this call.
bool proves_again(const StoreWatch &watching) {
  const auto begun = test::Steady::now();
  return eventually([&] { return test::milliseconds(watching.lag()) < test::Steady::now() - begun; });
}

} // namespace

TEST_CASE("a watch leaves a master that stays reachable when the sentinels name another one") {
  const bool one_hangs = GENERATE(false, true);
  INFO((one_hangs ? "one sentinel hangs" : "all sentinels respond"));
  TwoMasters servers;
  Store store(servers.options());
  Events watcher;
  const StoreWatch watching(store, watcher);
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  REQUIRE(RedisClient(servers.old)({"GET", "k"}) == "v");
  for (RedisServer &sentinel : servers.sentinels) servers.move(sentinel);
  if (one_hangs) servers.sentinels.front().freeze();
  REQUIRE(eventually([&] { return watcher.resyncs > 0; }));
  CHECK(store.set("k", "w") == OMNISTORE_OK);
  CHECK(RedisClient(servers.fresh)({"GET", "k"}) == "w");
  CHECK(RedisClient(servers.old)({"GET", "k"}) == "v");
  RedisClient(servers.fresh)({"SET", "other", "v"});
  CHECK(eventually([&] { return watcher.count(OMNISTORE_EVENT_UPDATE, "other") > 0; }));
  CHECK(proves_again(watching));
  CHECK(watcher.resyncs == 1);
}

TEST_CASE("a watch stays with its master when one sentinel of three names another one") {
  TwoMasters servers;
  Store store(servers.options());
  Events watcher;
  const StoreWatch watching(store, watcher);
  servers.move(servers.sentinels.front());
  CHECK(proves_again(watching));
  CHECK(watcher.resyncs == 0);
  CHECK(store.set("k", "v") == OMNISTORE_OK);
  CHECK(RedisClient(servers.old)({"GET", "k"}) == "v");
}

TEST_CASE("a watch continues while no sentinel responds, but does not prove that it is complete") {
  TwoMasters servers;
  Store store(servers.options());
  Events watcher;
  const StoreWatch watching(store, watcher);
  for (RedisServer &sentinel : servers.sentinels) sentinel.freeze();
  CHECK(eventually([&] { return watching.lag() > 3000; }));
  RedisClient(servers.old)({"SET", "other", "v"});
  CHECK(eventually([&] { return watcher.count(OMNISTORE_EVENT_UPDATE, "other") > 0; }));
  CHECK(store.set("k", "v") == OMNISTORE_OK);
  for (RedisServer &sentinel : servers.sentinels) sentinel.thaw();
  CHECK(proves_again(watching));
  CHECK(watcher.resyncs == 0);
}

TEST_CASE("a name that no sentinel knows fails the open, and the message names the option master") {
  const RedisServer master, sentinel(stubborn(master), RedisServer::On::sentinel);
  std::string options = options_with({address_of(sentinel)}, Store::patient());
  options.replace(options.find("\"m\""), 3, "\"other\"");
  const auto [status, message] = refusal(options);
  CHECK(status == OMNISTORE_INVALID);
  CHECK(message == "option master: no sentinel knows a master by the name other");
}

TEST_CASE("a store opens without its sentinels, and works when they have come") {
  const RedisServer master;
  RedisServer sentinel(stubborn(master), RedisServer::On::sentinel);
  sentinel.kill();
  Store store(options_with({address_of(sentinel)}));
  CHECK(store.set("k", "v") == OMNISTORE_UNAVAILABLE);
  sentinel.start();
  CHECK(eventually([&] { return store.set("k", "v") == OMNISTORE_OK; }));
}

TEST_CASE("sentinels with a password get it, and a wrong one is denied") {
  const RedisServer master;
  std::vector<std::string> lines = stubborn(master);
  lines.push_back("requirepass pw");
  const RedisServer sentinel(lines, RedisServer::On::sentinel);
  Store store(options_with({address_of(sentinel)}, ",\"sentinelPassword\":\"pw\"" + Store::patient()));
  CHECK(store.set("k", "v") == OMNISTORE_OK);
  CHECK(refusal(options_with({address_of(sentinel)}, ",\"sentinelPassword\":\"wr0ng\"")).first == OMNISTORE_DENIED);
}

TEST_CASE("with rediss:// the sentinels too are reached through TLS") {
  const test::Authority authority;
  const RedisServer master(authority.redis_arguments(), RedisServer::On::tls);
  std::vector<std::string> lines = stubborn(master);
  const auto pair = authority.pair("sentinel", "IP:127.0.0.1");
  lines.insert(lines.begin(), {"tls-cert-file " + pair.cert, "tls-key-file " + pair.key,
                               "tls-ca-cert-file " + authority.ca(), "tls-auth-clients no", "tls-replication yes"});
  const RedisServer sentinel(lines, RedisServer::On::sentinel);
  std::string options =
      options_with({address_of(sentinel)}, "," + test::option("ca", authority.ca()) + Store::patient());
  options.replace(options.find("redis://"), 8, "rediss://");
  Store store(options);
  CHECK(store.set("k", "v") == OMNISTORE_OK);
  CHECK(store.get("k") == "v");
}

TEST_CASE("options of sentinels that do not belong together fail the open as invalid") {
  for (const char *options :
       {R"({"master": "m"})", R"({"sentinels": ["127.0.0.1"]})", R"({"sentinelPassword": "pw"})",
        R"({"sentinels": ["u@127.0.0.1"], "master": "m"})", R"({"sentinels": ["127.0.0.1:x"], "master": "m"})",
        R"({"sentinels": ["127.0.0.1"], "master": "m", "url": "unix:///run/redis.sock"})"}) {
    INFO(options);
    const auto [status, message] = refusal(options);
    CHECK(status == OMNISTORE_INVALID);
    CHECK(message.starts_with("option "));
  }
}
