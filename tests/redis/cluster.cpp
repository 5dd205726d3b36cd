// SPDX-License-Identifier: Apache-2.0
// A cluster of three masters: slots, redirects, slots that move, and masters that die.
#include <numeric>
#include <set>

#include "many.hpp"
#include "servers/slots.hpp"
#include "support/redis_cluster.hpp"
#include "watched.hpp"

using test::BatchKeys;
using test::Events;
using test::eventually;
using test::Got;
using test::How;
using test::Many;
using test::RedisClient;
using test::RedisCluster;
using test::RedisServer;
using test::refusal;
using test::Store;
using test::StoreWatch;

namespace {

std::string store_options(const RedisCluster &cluster, const std::string &more = "") {
  return "{" + cluster.options() + "," + test::option("base", "app") + Store::patient() + more + "}";
}
/// Timeouts that end while a master is away.
std::string hurried_options(const RedisCluster &cluster) {
  return "{" + cluster.options() + R"(,"base":"app","connectTimeout":1000,"commandTimeout":1000})";
}

std::uint16_t slot_of(const std::string &key) { return redis::slot_of("app:" + key); }

/// Names whose hash tags differ in every way.
const std::vector<std::string> odd_names = {"plain", "a:b", "{t}x",  "x{t}y", "{t}",     "a}b",  "a{b",   "{",
                                            "}",     "{}",  "a{}b",  "{}{t}", "{{t}}",   "}{t}", "t",     "{t}{t}",
                                            "x:{t",  "y}z", "é{ü}ö", "{a}:b", "a:{b}:c", "{{",   "a{b}c}"};

std::vector<std::string> names(std::size_t count, const std::string &front = "k") {
  std::vector<std::string> result;
  for (std::size_t i = 0; i < count; ++i) result.push_back(front + std::to_string(i));
  return result;
}

omnistore_status set_all(Store &store, const std::vector<std::string> &keys, Many &into) {
  std::deque<test::Item> items;
  for (const std::string &key : keys) items.push_back({"value of " + key, {}});
  return set_many(store, BatchKeys(keys), items, into);
}

/// Returns how often a server has replied with an error that begins with this word.
long long errors(RedisCluster &cluster, std::size_t server, const std::string &word) {
  const std::string stats = cluster.text(server, {"INFO", "errorstats"}), name = "errorstat_" + word + ":count=";
  const std::size_t at = stats.find(name);
  return at == stats.npos ? 0 : std::stoll(stats.substr(at + name.size()));
}

std::size_t good(const Many &many) {
  return static_cast<std::size_t>(std::count(many.statuses.begin(), many.statuses.end(), OMNISTORE_OK));
}

} // namespace

TEST_CASE("keys with any braces keep value, user meta, expiry and conditions in a cluster") {
  RedisCluster cluster;
  Store store(store_options(cluster));
  const std::int64_t expiry = test::now_ms() + 3'600'000;
  for (const std::string &key : odd_names) {
    INFO(key);
    CHECK(store.set(key, "v", {.condition = OMNISTORE_IF_ABSENT, .user = "meta of " + key}) == OMNISTORE_OK);
    CHECK(store.set(key, "w", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_CONFLICT);
    CHECK(store.touch(key, expiry) == OMNISTORE_OK);
    Got got;
    CHECK(store.get(key, got, 0, UINT64_MAX, OMNISTORE_GET_META | OMNISTORE_GET_USER) == OMNISTORE_OK);
    CHECK(got.bytes == "v");
    CHECK(got.user == "meta of " + key);
    CHECK(got.expiry == expiry);
    CHECK(store.set(key, "x", {.condition = OMNISTORE_IF_MATCH, .etag = store.etag(key)}) == OMNISTORE_OK);
    CHECK(store.user(key).empty());
  }
  std::set<std::string> listed;
  for (const std::string &key : store.list()) listed.insert(key);
  CHECK(listed == std::set<std::string>(odd_names.begin(), odd_names.end()));
  // The values lie at their own names, as unstorage has them.
  for (const std::string &key : odd_names)
    CHECK(cluster.text(cluster.owner(slot_of(key)), {"GET", "app:" + key}) == "x");
  for (const std::string &key : odd_names) {
    CHECK(store.remove(key) == OMNISTORE_OK);
    CHECK(store.remove(key) == OMNISTORE_NOT_FOUND);
  }
}

TEST_CASE("a batch goes to all masters of a cluster, and each item has its outcome") {
  RedisCluster cluster;
  Store store(store_options(cluster));
  const auto keys = names(2000);
  Many set, got, removed;
  REQUIRE(set_all(store, keys, set) == OMNISTORE_OK);
  CHECK(good(set) == keys.size());
  std::size_t sum = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    const long long held = std::stoll(cluster.text(i, {"DBSIZE"}));
    CHECK(held > 400);
    sum += static_cast<std::size_t>(held);
  }
  CHECK(sum == keys.size());
  auto more = keys;
  more.push_back("none");
  const std::uint32_t flags = GENERATE(std::uint32_t(0), std::uint32_t(OMNISTORE_GET_META));
  REQUIRE(get_many(store, BatchKeys(more), got, flags) == OMNISTORE_OK);
  for (std::size_t i = 0; i < keys.size(); ++i) REQUIRE(got.got[i].bytes == "value of " + keys[i]);
  CHECK(got.statuses.back() == OMNISTORE_NOT_FOUND);
  REQUIRE(remove_many(store, BatchKeys(more), removed) == OMNISTORE_OK);
  CHECK(good(removed) == keys.size());
  CHECK(store.list().empty());
}

TEST_CASE("each command of a batch goes to the right master at once") {
  RedisCluster cluster;
  Store store(store_options(cluster));
  const auto keys = names(300);
  Many set, got, removed;
  REQUIRE(set_all(store, keys, set) == OMNISTORE_OK);
  REQUIRE(get_many(store, BatchKeys(keys), got) == OMNISTORE_OK);
  REQUIRE(remove_many(store, BatchKeys(keys), removed) == OMNISTORE_OK);
  CHECK(good(set) + good(got) + good(removed) == 3 * keys.size());
  for (std::size_t i = 0; i < 3; ++i) CHECK(errors(cluster, i, "MOVED") == 0);
}

TEST_CASE("all masters get their part of a batch before the first of them has replied") {
  RedisCluster cluster;
  Store store(store_options(cluster));
  const auto keys = names(300);
  Many set;
  REQUIRE(set_all(store, keys, set) == OMNISTORE_OK);
  const std::size_t first = cluster.owner(slot_of(keys[0]));
  cluster.servers[first].freeze();
  std::atomic<bool> done = false;
  Many got;
  std::thread reader([&] {
    get_many(store, BatchKeys(keys), got);
    done = true;
  });
  for (std::size_t i = 0; i < 3; ++i)
    if (i != first)
      CHECK(eventually([&] {
        return cluster.text(i, {"INFO", "commandstats"}).find("cmdstat_get:") != std::string::npos;
      }));
  CHECK(!done);
  cluster.servers[first].thaw();
  reader.join();
  CHECK(good(got) == keys.size());
}

TEST_CASE("after a redirect the new place of a slot is known") {
  RedisCluster cluster;
  Store store(store_options(cluster));
  const std::uint16_t slot = slot_of("k");
  const std::size_t from = cluster.owner(slot), to = (from + 1) % 3;
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  cluster.move(slot, from, to);
  CHECK(eventually([&] {
    const long long before = errors(cluster, from, "MOVED");
    return store.get("k") == "v" && errors(cluster, from, "MOVED") == before;
  }));
  CHECK(errors(cluster, from, "MOVED") > 0);
}

TEST_CASE("a command waits while the cluster is down") {
  RedisCluster cluster;
  Store store(store_options(cluster));
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  const std::uint16_t slot = slot_of("k");
  const std::size_t owner = cluster.owner(slot);
  const int other = cluster.owner(static_cast<std::uint16_t>(slot + 1)) == owner ? slot + 1 : slot - 1;
  REQUIRE(cluster.text(owner, {"CLUSTER", "DELSLOTS", std::to_string(other)}) == "OK");
  REQUIRE(eventually([&] { return cluster.text(owner, {"CLUSTER", "INFO"}).starts_with("cluster_state:fail"); }));
  std::atomic<bool> done = false;
  omnistore_status status = OMNISTORE_INTERNAL;
  std::thread setter([&] {
    status = store.set("k", "w");
    done = true;
  });
  CHECK(eventually([&] { return errors(cluster, owner, "CLUSTERDOWN") > 0; }));
  CHECK(!done);
  REQUIRE(cluster.text(owner, {"CLUSTER", "ADDSLOTS", std::to_string(other)}) == "OK");
  setter.join();
  CHECK(status == OMNISTORE_OK);
  CHECK(store.get("k") == "w");
}

TEST_CASE("when the test cluster has moved a slot, every server knows the new owner") {
  RedisCluster cluster;
  const std::uint16_t slot = slot_of("k");
  for (std::size_t moves = 0, at = cluster.owner(slot); moves < 30; ++moves) {
    const std::size_t to = (at + 1) % 3;
    cluster.move(slot, at, to);
    for (std::size_t i = 0; i < 3; ++i) CHECK(cluster.owner_seen_by(i, slot) == cluster.id(to));
    at = to;
  }
}

TEST_CASE("a slot that has moved is found, by a store that still has the old map") {
  RedisCluster cluster;
  Store store(store_options(cluster));
  const std::uint16_t slot = slot_of("k");
  const std::size_t from = cluster.owner(slot), to = (from + 1) % 3;
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  cluster.move(slot, from, to);
  CHECK(store.get("k") == "v");
  CHECK(store.set("k", "w", {.user = "meta"}) == OMNISTORE_OK);
  CHECK(store.user("k") == "meta");
  CHECK(cluster.text(to, {"GET", "app:k"}) == "w");
}

TEST_CASE("while a slot moves its keys are found, both the moved and the others") {
  RedisCluster cluster;
  Store store(store_options(cluster));
  const std::uint16_t slot = slot_of("{t}k0");
  const std::size_t from = cluster.owner(slot), to = (from + 1) % 3;
  const auto keys = names(20, "{t}k");
  Many set;
  REQUIRE(set_all(store, keys, set) == OMNISTORE_OK);
  cluster.begin_move(slot, from, to);
  REQUIRE(cluster.move_keys(slot, from, to, 10));
  Many got;
  REQUIRE(get_many(store, BatchKeys(keys), got, OMNISTORE_GET_META) == OMNISTORE_OK);
  CHECK(good(got) == keys.size());
  for (const std::string &key : keys) {
    CHECK(store.get(key) == "value of " + key);
    CHECK(store.set(key, "new " + key) == OMNISTORE_OK);
    CHECK(store.get(key) == "new " + key);
  }
  CHECK(store.set("{t}fresh", "v") == OMNISTORE_OK);
  CHECK(cluster.text(to, {"CLUSTER", "COUNTKEYSINSLOT", std::to_string(slot)}) != "0");
  for (const std::string &key : keys) CHECK(store.remove(key) == OMNISTORE_OK);
  CHECK(store.list() == std::vector<std::string>{"{t}fresh"});
}

TEST_CASE("a set with a condition waits until its slot has moved") {
  RedisCluster cluster;
  Store store(store_options(cluster));
  const std::uint16_t slot = slot_of("k");
  const std::size_t from = cluster.owner(slot), to = (from + 1) % 3;
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  cluster.begin_move(slot, from, to);
  while (cluster.move_keys(slot, from, to)) {
  }
  std::atomic<bool> done = false;
  omnistore_status status = OMNISTORE_INTERNAL;
  std::thread setter([&] {
    status = store.set("k", "w", {.condition = OMNISTORE_IF_PRESENT}); // three keys, of which one exists: TRYAGAIN
    done = true;
  });
  CHECK(eventually([&] { return cluster.text(to, {"INFO", "errorstats"}).find("TRYAGAIN") != std::string::npos; }));
  CHECK(!done);
  cluster.end_move(slot, from, to);
  setter.join();
  CHECK(status == OMNISTORE_OK);
  CHECK(store.get("k") == "w");
}

TEST_CASE("a listing has each key while slots move") {
  RedisCluster cluster;
  Store store(store_options(cluster, ",\"scanCount\":10"));
  const std::uint16_t slot = slot_of("{t}k0");
  const auto keys = names(300, "{t}k"), others = names(3000, "other");
  for (const auto &some : {keys, others}) {
    Many set;
    REQUIRE(set_all(store, some, set) == OMNISTORE_OK);
  }
  std::atomic<bool> stop = false;
  std::thread mover([&] {
    for (std::size_t at = cluster.owner(slot); !stop;) {
      const std::size_t to = (at + 1) % 3;
      cluster.begin_move(slot, at, to);
      while (cluster.move_keys(slot, at, to, 50)) {
      }
      cluster.end_move(slot, at, to);
      at = to;
    }
  });
  for (int i = 0; i < 20; ++i) {
    const auto listed = store.list("", OMNISTORE_ANY_DEPTH, 10'000);
    CHECK(listed.size() == keys.size() + others.size());
  }
  stop = true;
  mover.join();
}

TEST_CASE("a clear removes what all masters have, and user meta whose value is gone") {
  RedisCluster cluster;
  Store store(store_options(cluster));
  for (const std::string &key : odd_names) REQUIRE(store.set(key, "v", {.user = "meta"}) == OMNISTORE_OK);
  for (const std::string &key : odd_names) // another program removes the values
    REQUIRE(cluster.text(cluster.owner(slot_of(key)), {"DEL", "app:" + key}) == "1");
  for (const std::string &key : names(500)) REQUIRE(store.set(key, "v") == OMNISTORE_OK);
  test::Page removed;
  CHECK(store.clear("", &removed) == OMNISTORE_OK);
  CHECK(removed.items.size() == 500);
  for (std::size_t i = 0; i < 3; ++i) CHECK(cluster.text(i, {"DBSIZE"}) == "0");
}

TEST_CASE("a watch hears all masters, and user meta under any name") {
  RedisCluster cluster;
  Store store(store_options(cluster));
  Events events;
  const StoreWatch watching(store, events);
  auto keys = names(30);
  keys.insert(keys.end(), odd_names.begin(), odd_names.end());
  for (const std::string &key : keys) {
    INFO(key);
    REQUIRE(store.set(key, "v") == OMNISTORE_OK);
    CHECK(eventually([&] { return events.count(OMNISTORE_EVENT_UPDATE, key) > 0; }));
    REQUIRE(store.touch_user(key, "meta") == OMNISTORE_OK);
    CHECK(eventually([&] { return events.count(OMNISTORE_EVENT_UPDATE, key + "$") > 0; }));
    REQUIRE(store.remove(key) == OMNISTORE_OK);
    CHECK(eventually([&] { return events.count(OMNISTORE_EVENT_REMOVE, key) == 1; }));
  }
  CHECK(events.resyncs == 0);
}

TEST_CASE("a key that moves to another master is no removed key to a watch") {
  RedisCluster cluster;
  Store store(store_options(cluster));
  const std::uint16_t slot = slot_of("k");
  const std::size_t from = cluster.owner(slot), to = (from + 1) % 3;
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  Events events;
  const StoreWatch watching(store, events);
  cluster.move(slot, from, to);
  CHECK(eventually([&] { return events.count(OMNISTORE_EVENT_UPDATE, "k") >= 2; })); // restored, and deleted
  CHECK(events.count(OMNISTORE_EVENT_REMOVE, "k") == 0);
  REQUIRE(store.remove("k") == OMNISTORE_OK);
  CHECK(eventually([&] { return events.count(OMNISTORE_EVENT_REMOVE, "k") == 1; }));
}

TEST_CASE("a master that joins is heard by a watch, which reports a resync") {
  RedisCluster cluster;
  Store store(store_options(cluster));
  Events events;
  const StoreWatch watching(store, events);
  const std::uint16_t slot = slot_of("k");
  const std::size_t added = cluster.add_master();
  cluster.move(slot, cluster.owner(slot), added);
  CHECK(eventually([&] { return events.resyncs > 0; }));
  CHECK(store.set("k", "v") == OMNISTORE_OK);
  CHECK(eventually([&] { return events.count(OMNISTORE_EVENT_UPDATE, "k") > 0; }));
}

TEST_CASE("a master that hangs fails only its own items of a batch, within the timeout") {
  RedisCluster cluster;
  Store store(hurried_options(cluster));
  const auto keys = names(300);
  Many set;
  REQUIRE(set_all(store, keys, set) == OMNISTORE_OK);
  cluster.servers[1].freeze();
  for (int round = 0; round < 2; ++round) {
    Many got;
    const auto start = test::Steady::now();
    get_many(store, BatchKeys(keys), got);
    CHECK(test::Steady::now() - start < std::chrono::seconds(4));
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (cluster.owner(slot_of(keys[i])) != 1)
        CHECK(got.statuses[i] == OMNISTORE_OK);
      else
        CHECK((got.statuses[i] == OMNISTORE_TIMEOUT || got.statuses[i] == OMNISTORE_UNAVAILABLE));
    }
  }
  cluster.servers[1].thaw();
  CHECK(eventually([&] {
    Many got;
    get_many(store, BatchKeys(keys), got);
    return good(got) == keys.size();
  }));
}

TEST_CASE(
    "a master of a cluster is killed under load: all goes on at its replica, and the watch resumes with a resync") {
  RedisCluster cluster(3, 1, {"--cluster-node-timeout", "2000"});
  Store store(hurried_options(cluster));
  Events events;
  const StoreWatch watching(store, events);
  const auto keys = names(300, "before");
  Many set;
  REQUIRE(set_all(store, keys, set) == OMNISTORE_OK);
  for (std::size_t i = 0; i < 3; ++i) { // what the replicas have is not lost
    RedisClient client(cluster.servers[i]);
    REQUIRE(client({"SET", std::string(redis::prefix_for(static_cast<std::uint16_t>(16384 * i / 3))), "v"}) == "OK");
    REQUIRE(client({"WAIT", "1", "0"}) == "1");
  }
  std::atomic<bool> stop = false;
  std::atomic<std::uint64_t> done = 0, wrong = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      for (std::uint64_t n = 0; !stop; ++n) {
        const std::string key = "load" + std::to_string(i) + ":" + std::to_string(n % 1000), value = std::to_string(n);
        const omnistore_status status = store.set(key, value);
        if (status == OMNISTORE_OK) {
          ++done;
          Got got;
          // Nobody else writes the key. Only the failover itself may lose the value.
          if (store.get(key, got) == OMNISTORE_OK && got.bytes != value && cluster.owner(slot_of(key)) != 0) ++wrong;
        } else if (status != OMNISTORE_UNAVAILABLE && status != OMNISTORE_TIMEOUT) {
          ++wrong;
        }
      }
    });
  REQUIRE(eventually([&] { return done > 500; }));
  cluster.servers[0].kill();
  // The whole batch works again as soon as the replica is the master.
  CHECK(eventually([&] {
    Many again;
    set_all(store, names(300, "after"), again);
    return good(again) == 300;
  }));
  const std::uint64_t before = done;
  CHECK(eventually([&] { return done > before + 500; }));
  stop = true;
  for (std::thread &thread : threads) thread.join();
  CHECK(wrong == 0);
  Many got;
  REQUIRE(get_many(store, BatchKeys(keys), got) == OMNISTORE_OK);
  CHECK(good(got) == keys.size());
  CHECK(eventually([&] { return events.resyncs > 0; }));
  CHECK(eventually([&] {
    return store.set("before0", "w") == OMNISTORE_OK && events.count(OMNISTORE_EVENT_UPDATE, "before0") > 0;
  }));
}

TEST_CASE("a store opens by any member of a cluster that responds, or by none") {
  RedisCluster cluster(3);
  std::string options = store_options(cluster);
  options.replace(options.find("127.0.0.1:"), std::string("127.0.0.1:").size() + 5, "127.0.0.1:1");
  Store store(options);
  CHECK(store.set("k", "v") == OMNISTORE_OK);
  for (RedisServer &server : cluster.servers) server.kill();
  Store closed(hurried_options(cluster));
  CHECK(closed.set("k", "v") == OMNISTORE_UNAVAILABLE);
  for (RedisServer &server : cluster.servers) server.start();
  CHECK(eventually([&] { return closed.set("k", "v") == OMNISTORE_OK; }));
}

TEST_CASE("a server that is no member of a cluster, or is one unexpectedly, is named as such") {
  const RedisServer single;
  const auto [status, message] = refusal("{" + test::option("url", single.url()) + ",\"cluster\":true}");
  CHECK(status == OMNISTORE_INVALID);
  CHECK(message.find("is not a member of a cluster") != std::string::npos);
  RedisCluster cluster;
  Store store("{" + test::option("url", cluster.servers[0].url()) + "}");
  std::size_t redirected = 0;
  for (const std::string &key : names(30))
    if (store.set(key, "v") == OMNISTORE_UNSUPPORTED) ++redirected;
  CHECK(redirected > 0);
  CHECK(store.message().find("set the option cluster to true") != std::string::npos);
}

TEST_CASE("options of a cluster that do not belong together fail the open as invalid") {
  for (const char *options :
       {R"({"nodes": ["127.0.0.1"]})", R"({"cluster": true, "url": "redis://127.0.0.1/1"})",
        R"({"cluster": true, "url": "unix:///run/redis.sock"})", R"({"cluster": true, "nodes": ["127.0.0.1:x"]})",
        R"({"cluster": true, "sentinels": ["127.0.0.1"], "master": "m"})"}) {
    INFO(options);
    const auto [status, message] = refusal(options);
    CHECK(status == OMNISTORE_INVALID);
    CHECK(message.starts_with("option "));
  }
}
