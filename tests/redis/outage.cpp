// SPDX-License-Identifier: Apache-2.0
// The server is killed, stopped and started again while many threads use the store.
#include <fstream>
#include <sstream>

#include "driven.hpp"

using test::eventually;
using test::Got;
using test::milliseconds;
using test::RedisClient;
using test::RedisServer;
using test::Steady;
using test::Store;

namespace {

constexpr milliseconds TIMEOUT{500};

std::string options_of(const RedisServer &server, const std::string &more = "") {
  return "{" + test::option("url", server.url()) + ",\"connectTimeout\":500,\"commandTimeout\":500" + more + "}";
}

/// How long a get takes, and how it ends.
struct Timed {
  omnistore_status status;
  milliseconds took;
};
Timed timed_get(Store &store) {
  Got got;
  const auto start = Steady::now();
  const omnistore_status status = store.get("k", got);
  return {status, std::chrono::duration_cast<milliseconds>(Steady::now() - start)};
}

/// Returns true if a client has sent the server something that it has not read: the kernel's table of sockets shows it.
bool has_unread(const RedisServer &server) {
  std::ifstream table("/proc/net/tcp");
  std::string line;
  std::getline(table, line); // the names of the columns
  while (std::getline(table, line)) {
    std::istringstream columns(line);
    std::string number, local, remote, state, queues;
    columns >> number >> local >> remote >> state >> queues; // local is ADDRESS:PORT, queues is SENT:UNREAD, both hex
    if (state != "01" || local.find(':') == local.npos || queues.find(':') == queues.npos) continue; // 01: established
    const auto port = std::stoul(local.substr(local.find(':') + 1), nullptr, 16);
    if (port == server.port() && std::stoul(queues.substr(queues.find(':') + 1), nullptr, 16) > 0) return true;
  }
  return false;
}

/// Threads that get and set until they are stopped, and keep how it went.
class Load {
public:
  Load(Store &store, int threads) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this, &store, i] { run(store, i); });
  }
  ~Load() { stop(); }
  void stop() {
    stop_ = true;
    for (std::thread &thread : threads_) thread.join();
    threads_.clear();
  }
  std::atomic<uint64_t> good = 0, failed = 0, wrong = 0;
  std::atomic<int64_t> slowest = 0; // milliseconds

private:
  void run(Store &store, int number) {
    const std::string key = "load" + std::to_string(number);
    for (uint64_t i = 0; !stop_; ++i) {
      const std::string value = key + ":" + std::to_string(i);
      const auto start = Steady::now();
      const omnistore_status set = store.set(key, value);
      Got got;
      const omnistore_status get = store.get(key, got);
      const auto took = std::chrono::duration_cast<milliseconds>(Steady::now() - start).count();
      if (took > slowest) slowest = took;
      if (set == OMNISTORE_OK && get == OMNISTORE_OK) {
        ++good;
        wrong += got.bytes != value;
      } else {
        ++failed;
        const auto right = [](omnistore_status s) {
          return s == OMNISTORE_OK || s == OMNISTORE_NOT_FOUND || s == OMNISTORE_UNAVAILABLE || s == OMNISTORE_TIMEOUT;
        };
        wrong += !right(set) || !right(get);
        std::this_thread::yield();
      }
    }
  }
  std::atomic<bool> stop_ = false;
  std::vector<std::thread> threads_;
};

/// Waits until the load has done so much more.
bool goes_on(Load &load, uint64_t more = 100) {
  const uint64_t before = load.good;
  return eventually([&] { return load.good >= before + more; });
}

} // namespace

TEST_CASE("threads that share connections each get their own responses") {
  RedisServer server;
  for (const char *pool : {",\"poolSize\":1", ",\"poolSize\":3"}) {
    Store store("{" + test::option("url", server.url()) + Store::patient() + pool + "}");
    Load load(store, 24);
    CHECK(goes_on(load, 20'000));
    load.stop();
    CHECK(load.wrong == 0);
    CHECK(load.failed == 0);
  }
}

TEST_CASE("many threads use no more connections than poolSize") {
  RedisServer server;
  Store store("{" + test::option("url", server.url()) + Store::patient() + ",\"poolSize\":2}");
  Load load(store, 16);
  REQUIRE(goes_on(load, 2000));
  const std::string clients = RedisClient(server)({"CLIENT", "LIST"});
  CHECK(std::count(clients.begin(), clients.end(), '\n') == 2 + 1); // and the one of this command
}

TEST_CASE("a killed server under load: calls fail at once, and succeed when it is back") {
  RedisServer server;
  Store store(options_of(server));
  Load load(store, 8);
  for (int round = 0; round < 3; ++round) {
    REQUIRE(goes_on(load));
    const uint64_t failed = load.failed;
    server.kill();
    REQUIRE(eventually([&] { return load.failed > failed + 1000; })); // quick failures
    server.start();
    REQUIRE(goes_on(load));
  }
  load.stop();
  CHECK(load.wrong == 0);
  CHECK(load.slowest < 4 * TIMEOUT.count());
}

TEST_CASE("a stopped server: a get fails within the timeout, then at once, and works when it continues") {
  RedisServer server;
  Store store(options_of(server));
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  server.freeze();
  const Timed first = timed_get(store);
  CHECK(first.status == OMNISTORE_TIMEOUT);
  CHECK(first.took >= TIMEOUT);
  CHECK(first.took < 2 * TIMEOUT);
  for (int i = 0; i < 100; ++i) {
    const Timed next = timed_get(store);
    REQUIRE(next.status == OMNISTORE_UNAVAILABLE);
    REQUIRE(next.took < milliseconds(100));
  }
  server.thaw();
  CHECK(eventually([&] { return timed_get(store).status == OMNISTORE_OK; }));
  CHECK(store.host.lines().find("the server responds again") != std::string::npos);
}

TEST_CASE("a stopped server under load: nobody waits for longer than the timeouts, and all continue") {
  RedisServer server;
  Store store(options_of(server));
  Load load(store, 16);
  for (int round = 0; round < 2; ++round) {
    REQUIRE(goes_on(load));
    const uint64_t failed = load.failed;
    server.freeze();
    REQUIRE(eventually([&] { return load.failed > failed + 1000; }));
    server.thaw();
    REQUIRE(goes_on(load));
  }
  load.stop();
  CHECK(load.wrong == 0);
  CHECK(load.slowest < 4 * TIMEOUT.count()); // a set and a get, each a command's or a connect's time
}

TEST_CASE("a call's own time is kept, and the connection with it") {
  RedisServer server;
  Store store("{" + test::option("url", server.url()) + ",\"commandTimeout\":60000}");
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  server.freeze();
  std::vector<std::thread> threads;
  std::atomic<int> in_time = 0;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&] {
      test::TimedCall call(milliseconds(150));
      Got got;
      const auto start = Steady::now();
      const auto status = store.get(call, "k", got);
      in_time += status == OMNISTORE_TIMEOUT && Steady::now() - start < milliseconds(1000);
    });
  }
  for (std::thread &thread : threads) thread.join();
  CHECK(in_time == 6);
  server.thaw();
  CHECK(store.get("k") == "v");
  const std::string clients = RedisClient(server)({"CLIENT", "LIST"});
  CHECK(std::count(clients.begin(), clients.end(), '\n') <= 2 + 1);
}

TEST_CASE("a caller that goes away is not waited for") {
  RedisServer server;
  Store store("{" + test::option("url", server.url()) + ",\"commandTimeout\":60000}");
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  server.freeze();
  struct Leaving : test::Call {
    std::atomic<bool> gone = false;
    Leaving() {
      remaining = [](const omnistore_call *call) -> int64_t {
        return static_cast<const Leaving *>(call)->gone ? 0 : INT64_MAX;
      };
    }
  };
  Leaving call;
  omnistore_status status = OMNISTORE_OK;
  std::thread thread([&] {
    Got got;
    status = store.get(call, "k", got);
  });
  call.gone = true;
  thread.join();
  CHECK(status == OMNISTORE_TIMEOUT);
  server.thaw();
}

TEST_CASE("a server that was restarted between two requests is not noticed") {
  RedisServer server;
  Store store(options_of(server));
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  const auto used = Steady::now();
  server.kill();
  server.start();
  // The subject is time itself: the driver checks a connection that has been idle for 50 ms by its own clock.
  std::this_thread::sleep_until(used + milliseconds(60));
  CHECK(store.set("k", "w") == OMNISTORE_OK);
  CHECK(store.get("k") == "w");
}

TEST_CASE("a get whose connection is cut is sent again, a set has an unknown outcome") {
  RedisServer server;
  Store store(options_of(server, ",\"poolSize\":1"));
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  const auto cut_while = [&](auto run) {
    server.freeze();
    std::thread thread(run);
    const bool sent = eventually([&] { return has_unread(server); });
    server.kill(); // closes its connections
    server.start();
    thread.join();
    CHECK(sent);
  };
  omnistore_status got = OMNISTORE_INTERNAL, set = OMNISTORE_INTERNAL;
  cut_while([&] { set = store.set("k", "w"); });
  CHECK(set == OMNISTORE_UNAVAILABLE);
  CHECK(store.message().find("the outcome is not known") != std::string::npos);
  cut_while([&] {
    Got sink;
    got = store.get("k", sink);
  });
  CHECK((got == OMNISTORE_NOT_FOUND || got == OMNISTORE_UNAVAILABLE)); // sent again, to the new server or to none
}

TEST_CASE("a host that runs no tasks: the next caller after the pause tries again") {
  RedisServer server;
  Store store(options_of(server), false);
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  server.kill();
  Got got;
  CHECK(store.get("k", got) == OMNISTORE_UNAVAILABLE);
  CHECK(timed_get(store).took < milliseconds(100));
  server.start();
  CHECK(eventually([&] { return store.set("k", "v") == OMNISTORE_OK; }));
}

TEST_CASE("a password that is changed while the store is open is denied, and taken again when it is right") {
  RedisServer server({"--requirepass", "pw"});
  Store store("{" + test::option("url", server.url(0, ":pw@")) + "}");
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  RedisClient other(server);
  REQUIRE(other({"AUTH", "pw"}) == "OK");
  REQUIRE(other({"CONFIG", "SET", "requirepass", "new"}) == "OK");
  REQUIRE(other.number({"CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"}) == 1);
  Got got;
  CHECK(store.get("k", got) == OMNISTORE_DENIED);
  REQUIRE(other({"CONFIG", "SET", "requirepass", "pw"}) == "OK");
  CHECK(eventually([&] { return store.get("k", got) == OMNISTORE_OK; }));
}

TEST_CASE("a server that loads its data is unavailable, says so, and works when it has them") {
  RedisServer server({"--enable-debug-command", "yes", "--loading-process-events-interval-bytes", "1024"});
  Store store("{" + test::option("url", server.url()) + Store::patient() + "}");
  for (int i = 0; i < 200; ++i) REQUIRE(store.set("k" + std::to_string(i), std::string(1000, 'v')) == OMNISTORE_OK);
  RedisClient other(server);
  REQUIRE(other({"CONFIG", "SET", "key-load-delay", "100000"}) == "OK"); // 20 seconds, which the test cuts short
  RedisClient loader(server);
  std::thread reload([&] { loader({"DEBUG", "RELOAD"}); });
  Got got;
  CHECK(eventually([&] { return store.get("k0", got) == OMNISTORE_UNAVAILABLE; }));
  CHECK(store.message().starts_with("LOADING"));
  CHECK(store.set("k0", "w") == OMNISTORE_UNAVAILABLE);
  REQUIRE(other({"CONFIG", "SET", "key-load-delay", "0"}) == "OK");
  reload.join();
  CHECK(store.get("k0") == std::string(1000, 'v'));
  CHECK(store.set("k0", "w") == OMNISTORE_OK);
}

TEST_CASE("a listing while the server is restarted is whole or a failure") {
  RedisServer server({"--appendonly", "yes", "--appendfsync", "no"});
  Store store(options_of(server, ",\"scanCount\":20"));
  RedisClient other(server);
  other({"EVAL", "for i = 1, 20000 do redis.call('SET', 'k' .. i, 'v') end", "0"});
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0, whole = 0;
  std::thread lister([&] {
    while (!stop) {
      try {
        wrong += store.list("", OMNISTORE_ANY_DEPTH, 1000).size() != 20'000;
        ++whole;
      } catch (const omnistore::testing::StatusError &refused) {
        wrong += refused.status != OMNISTORE_UNAVAILABLE && refused.status != OMNISTORE_TIMEOUT;
      }
    }
  });
  for (int round = 0; round < 3; ++round) {
    const int before = whole;
    CHECK(eventually([&] { return whole > before; }));
    server.kill();
    server.start();
  }
  const int before = whole;
  CHECK(eventually([&] { return whole > before; }));
  stop = true;
  lister.join();
  CHECK(wrong == 0);
}
