// SPDX-License-Identifier: Apache-2.0
// The changes that a watch reports, also after its member was gone.
#include <catch2/catch.hpp>

#include "etcd/watched.hpp"

using namespace test;
using Events = std::vector<Heard>;

TEST_CASE("a watch reports changes of others under its base") {
  Fixture f;
  Watched watch(f.store, "a:");
  f.other.put(f.prefix + "b", "1");
  f.other.put(f.prefix + "a:1", "1");
  f.other.remove(f.prefix + "a:1");
  CHECK(watch.next(2) == Events{update("a:1"), removal("a:1")});
}

TEST_CASE("a watch reports the store's own changes") {
  Fixture f;
  Watched watch(f.store);
  f.store.set("a", "1");
  f.store.remove("a");
  CHECK(watch.next(2) == Events{update("a"), removal("a")});
}

TEST_CASE("a watch reports a value that its lease removes as expired") {
  Fixture f;
  Watched watch(f.store);
  f.store.set("a", "1", {.expiry = f.host.time + 1'000});
  f.host.time += 1'000;
  CHECK(watch.next(2) == Events{update("a"), removal("a", OMNISTORE_CAUSE_EXPIRED)});
}

namespace {

/// Three members, and a store and a watch that know only the first. A member that starts takes requests after it has
/// caught up.
struct Watching {
  Host host;
  EtcdCluster etcd{3};
  Store store{host, etcd, "p/", std::size_t{0}};
  Gateway second{etcd.url(1)};

  bool has_leader() {
    return eventually([&] { return second("/v3/kv/put", R"({"key":"eA=="})").find("revision") != std::string::npos; });
  }
};

} // namespace

TEST_CASE("a watch whose member was gone resumes with the changes made meanwhile") {
  Watching w;
  Watched watch(w.store);
  w.second.put("p/a", "1");
  REQUIRE(watch.next() == Events{update("a")});
  w.etcd.kill(0);
  REQUIRE(w.has_leader());
  w.second.put("p/b", "1");
  w.second.remove("p/a");
  w.etcd.start(0);
  CHECK(watch.next(2) == Events{update("b"), removal("a")});
}

TEST_CASE("a watch whose changes were compacted reports a resync and then the next changes") {
  Watching w;
  Watched watch(w.store);
  w.etcd.kill(0);
  REQUIRE(w.has_leader());
  w.second.put("p/a", "1");
  w.second.put("p/a", "2");
  const std::int64_t revision = Gateway::number(w.second.look("p/a"), "mod_revision");
  w.second("/v3/kv/compaction", R"({"revision":")" + std::to_string(revision) + "\"}");
  w.etcd.start(0);
  REQUIRE(watch.next() == Events{resync()});
  w.second.put("p/c", "1");
  CHECK(watch.next() == Events{update("c")});
}
