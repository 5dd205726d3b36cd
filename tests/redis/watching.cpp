// SPDX-License-Identifier: Apache-2.0
#include "driven.hpp"

#include <algorithm>
#include <deque>

using test::eventually;
using test::RedisClient;
using test::RedisServer;
using test::Store;

namespace {

struct Told {
  uint32_t type, cause;
  std::string key;
  bool operator==(const Told &) const = default;
};

std::ostream &operator<<(std::ostream &out, const Told &told) {
  return out << told.type << "/" << told.cause << " " << told.key;
}

Told update(std::string key) { return {OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE, std::move(key)}; }
Told removal(std::string key, uint32_t cause = OMNISTORE_CAUSE_REMOVED) {
  return {OMNISTORE_EVENT_REMOVE, cause, std::move(key)};
}
const Told RESYNC{OMNISTORE_EVENT_RESYNC, OMNISTORE_CAUSE_NONE, ""};

class Watcher : public omnistore_watcher {
public:
  Watcher() : omnistore_watcher{sizeof(omnistore_watcher), 0, nullptr} {
    event = [](omnistore_watcher *watcher, const omnistore_event *told) {
      Watcher &self = *static_cast<Watcher *>(watcher);
      const std::lock_guard guard(self.lock_);
      self.told_.push_back({told->type, told->cause, std::string(omnistore::as_view(told->key))});
      self.changed_.notify_all();
    };
  }
  /// The next event, awaited.
  Told next() {
    std::unique_lock lock(lock_);
    if (!changed_.wait_for(lock, std::chrono::seconds(30), [&] { return !told_.empty(); }))
      throw std::runtime_error("no event came");
    const Told told = told_.front();
    told_.pop_front();
    return told;
  }
  bool empty() {
    const std::lock_guard guard(lock_);
    return told_.empty();
  }

private:
  std::mutex lock_;
  std::condition_variable changed_;
  std::deque<Told> told_;
};

omnistore_status begin(Store &store, std::string_view base, Watcher &watcher, void **watch, test::Call &call) {
  const omnistore_watch_request request{sizeof request, 0, omnistore::as_bytes(base)};
  return store.driver().watch(store.self(), &call, &request, &watcher, watch);
}

/// A watch for the time of the object.
class Watching {
public:
  explicit Watching(Store &store, std::string_view base = "") : store_(store) {
    test::Call call;
    if (begin(store, base, watcher, &watch_, call) != OMNISTORE_OK) throw std::runtime_error(call.message());
  }
  ~Watching() { store_.driver().unwatch(store_.self(), watch_); }
  Told next() { return watcher.next(); }
  Watcher watcher;

private:
  Store &store_;
  void *watch_ = nullptr;
};

std::string watched_options(const RedisServer &server, const std::string &more = "") {
  return "{" + test::option("url", server.url(2)) + "," + test::option("base", "w") + more + "}";
}

const std::vector<std::string> NOTIFIES{"--notify-keyspace-events", "KEA"};

} // namespace

TEST_CASE("writes, removals and renames of another client are reported") {
  RedisServer server(NOTIFIES);
  Store store(watched_options(server));
  Watching watching(store);
  RedisClient other(server);
  other({"SELECT", "2"});
  other({"SET", "w:a:b", "v"});
  CHECK(watching.next() == update("a:b"));
  other({"APPEND", "w:a:b", "v"});
  CHECK(watching.next() == update("a:b"));
  other({"RENAME", "w:a:b", "w:c"});
  CHECK(watching.next() == removal("a:b"));
  CHECK(watching.next() == update("c"));
  other({"DEL", "w:c"});
  CHECK(watching.next() == removal("c"));
}

TEST_CASE("an expired value is reported as expired") {
  RedisServer server(NOTIFIES);
  Store store(watched_options(server));
  Watching watching(store);
  RedisClient other(server);
  other({"SELECT", "2"});
  other({"SET", "w:a", "v", "PX", "20"});
  CHECK(watching.next() == update("a"));
  CHECK(watching.next() == removal("a", OMNISTORE_CAUSE_EXPIRED));
}

TEST_CASE("an evicted value is reported as evicted") {
  RedisServer server({"--notify-keyspace-events", "KEA", "--maxmemory-policy", "allkeys-lru"});
  Store store(watched_options(server));
  RedisClient other(server);
  other({"SELECT", "2"});
  other({"SET", "w:a", "v"});
  Watching watching(store);
  other({"CONFIG", "SET", "maxmemory", "1"});
  other({"SET", "w:b", "v"});
  CHECK(watching.next() == removal("a", OMNISTORE_CAUSE_EVICTED));
}

TEST_CASE("changes through the store are reported, each once, a clear as a clear") {
  RedisServer server(NOTIFIES);
  Store store(watched_options(server));
  Watching watching(store);
  store.set("a", "v", {.expiry = test::now_ms() + 3'600'000});
  CHECK(watching.next() == update("a"));
  store.set("a", "w");
  CHECK(watching.next() == update("a"));
  store.touch("a", test::now_ms() + 3'600'000);
  CHECK(watching.next() == update("a"));
  store.remove("a");
  CHECK(watching.next() == removal("a"));
  store.set("b", "v");
  CHECK(watching.next() == update("b"));
  store.clear();
  CHECK(watching.next() == removal("b", OMNISTORE_CAUSE_CLEARED));
  store.set("b", "v");
  CHECK(watching.next() == update("b"));
  store.remove("b");
  CHECK(watching.next() == removal("b"));
  CHECK(store.traits.capabilities & OMNISTORE_WATCHES_OWN);
}

TEST_CASE("user meta is reported once, with its value or as its own key, and its binding is not") {
  RedisServer server(NOTIFIES);
  Store store(watched_options(server));
  Watching watching(store);
  RedisClient other(server);
  other({"SELECT", "2"});
  const auto end = [&](const char *mark) { other({"SET", std::string("w:") + mark, "v"}); };
  store.set("a", "v", {.expiry = test::now_ms() + 3'600'000, .user = "mine"});
  store.touch("a", test::now_ms() + 7'200'000);
  end("1");
  // Notifications that arrive apart may be reported apart.
  std::vector<Told> told;
  for (Told each = watching.next(); each != update("1"); each = watching.next()) told.push_back(each);
  for (const Told &each : told) CHECK((each == update("a") || each == update("a$")));
  CHECK(told.front() == update("a"));
  other({"SET", "w:a$", "theirs"});
  CHECK(watching.next() == update("a$"));
  store.clear();
  told.clear();
  end("2");
  for (Told each = watching.next(); each != update("2"); each = watching.next()) told.push_back(each);
  CHECK(std::count(told.begin(), told.end(), removal("a", OMNISTORE_CAUSE_CLEARED)) == 1);
  CHECK(std::count(told.begin(), told.end(), removal("a$", OMNISTORE_CAUSE_CLEARED)) == 1);
}

TEST_CASE("a watch of a base reports keys of the store in that base and database alone") {
  RedisServer server(NOTIFIES);
  Store store(watched_options(server));
  Watching watching(store, "a[*]:");
  RedisClient other(server);
  other({"SET", "w:a[*]:other-database", "v"});
  other({"SELECT", "2"});
  for (const char *name : {"w:b", "w:a", "w:ax:k", "x:a[*]:k", "w:a[*]::", "w:a[*]:k"}) other({"SET", name, "v"});
  other({"LPUSH", "w:a[*]:list", "v"});
  other({"SET", "w:a[*]:last", "v"});
  CHECK(watching.next() == update("a[*]:k"));
  CHECK(watching.next() == update("a[*]:last"));
  CHECK(watching.watcher.empty());
}

TEST_CASE("if notifications are off a watch is unsupported, with a remedy") {
  RedisServer server;
  Store store(watched_options(server));
  Watcher watcher;
  void *watch = nullptr;
  test::Call call;
  CHECK(begin(store, "", watcher, &watch, call) == OMNISTORE_UNSUPPORTED);
  CHECK(call.message().find("CONFIG SET notify-keyspace-events KEA") != std::string::npos);
}

TEST_CASE("with the option notify a watch switches notifications on, and keeps those that were on") {
  RedisServer server({"--notify-keyspace-events", "Elh"});
  Store store(watched_options(server, ",\"notify\":true"));
  Watching watching(store);
  store.set("a", "v");
  CHECK(watching.next() == update("a"));
  RedisClient other(server);
  const std::string flags = other({"CONFIG", "GET", "notify-keyspace-events"});
  for (const char flag : std::string("Elh")) CHECK(flags.substr(flags.rfind(' ')).find(flag) != std::string::npos);
}

TEST_CASE("a flushed database is a resync") {
  RedisServer server(NOTIFIES);
  Store store(watched_options(server));
  store.set("a", "v");
  Watching watching(store);
  RedisClient other(server);
  other({"FLUSHALL"});
  CHECK(watching.next() == RESYNC);
}

TEST_CASE("a lost connection is a resync, and later changes are reported") {
  RedisServer server(NOTIFIES);
  Store store(watched_options(server));
  Watching watching(store);
  RedisClient other(server);
  REQUIRE(other.number({"CLIENT", "KILL", "TYPE", "pubsub"}) == 1);
  CHECK(watching.next() == RESYNC);
  store.set("a", "v");
  CHECK(watching.next() == update("a"));
  CHECK(store.host.lines().find("watch: ") != std::string::npos);
}

TEST_CASE("a watch outlives a restart of the server, and a server that no longer responds") {
  RedisServer server(NOTIFIES);
  Store store(watched_options(server, ",\"commandTimeout\":200,\"connectTimeout\":200"));
  Watching watching(store);
  server.kill();
  server.start();
  CHECK(watching.next() == RESYNC);
  server.freeze();
  REQUIRE(eventually([&] { return store.host.lines().find("no reply within 200 ms") != std::string::npos; }));
  server.thaw();
  CHECK(watching.next() == RESYNC);
  REQUIRE(eventually([&] { return store.set("a", "v") == OMNISTORE_OK; }));
  CHECK(watching.next() == update("a"));
}

TEST_CASE("no event comes after unwatch has returned, while others continue") {
  RedisServer server(NOTIFIES);
  Store store(watched_options(server));
  Watching stays(store);
  std::atomic<bool> stop = false;
  std::thread writer([&] {
    for (int i = 0; !stop; ++i) store.set("k" + std::to_string(i % 10), "v");
  });
  for (int i = 0; i < 10; ++i) {
    auto watcher = std::make_unique<Watcher>();
    void *watch = nullptr;
    test::Call call;
    REQUIRE(begin(store, "", *watcher, &watch, call) == OMNISTORE_OK);
    watcher->next();
    store.driver().unwatch(store.self(), watch);
    watcher.reset(); // a later event would go into freed memory
  }
  stop = true;
  writer.join();
  CHECK(stays.next().type == OMNISTORE_EVENT_UPDATE);
}

TEST_CASE("a watch of a server that is away is unavailable") {
  RedisServer server(NOTIFIES);
  Store store(watched_options(server));
  server.kill();
  Watcher watcher;
  void *watch = nullptr;
  test::Call call;
  CHECK(begin(store, "", watcher, &watch, call) == OMNISTORE_UNAVAILABLE);
  CHECK(call.message().find("Connection refused") != std::string::npos);
}
