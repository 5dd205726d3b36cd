// SPDX-License-Identifier: Apache-2.0
// A watch reports what others change, by key, whichever program it is.
#include <mutex>

#include "driven.hpp"

using namespace test;

namespace {

struct Event {
  std::uint32_t type, cause;
  std::string key;
  bool operator==(const Event &) const = default;
};

std::ostream &operator<<(std::ostream &out, const Event &event) {
  return out << event.type << "/" << event.cause << " " << event.key;
}

class Watch : public omnistore_watcher {
public:
  Watch(Store &store, std::string_view base) : omnistore_watcher{sizeof(omnistore_watcher), 0, nullptr}, store_(store) {
    event = [](omnistore_watcher *watcher, const omnistore_event *told) {
      auto &self = *static_cast<Watch *>(watcher);
      const std::lock_guard guard(self.lock_);
      self.events_.push_back({told->type, told->cause, std::string(omnistore::as_view(told->key))});
    };
    const omnistore_watch_request request{sizeof request, 0, omnistore::as_bytes(base)};
    Call call;
    const auto status = store.driver().watch(store.self(), &call, &request, this, &watch_);
    if (status != OMNISTORE_OK) throw StatusError(status, call.message());
  }
  ~Watch() { store_.driver().unwatch(store_.self(), watch_); }

  std::vector<Event> events() {
    const std::lock_guard guard(lock_);
    return events_;
  }
  /// Returns true if that many events come within some time.
  bool has(std::size_t count) {
    return eventually([&] { return events().size() >= count; });
  }

private:
  Store &store_;
  void *watch_ = nullptr;
  std::mutex lock_;
  std::vector<Event> events_;
};

const std::string fast = R"(,"watchInterval":2)";

struct Watched {
  Folder folder;
  Host host;
  std::string path = folder / "data.db";
  Store store{host, path, fast};
  Store other{host, path};
  Sql sql{path};
  ~Watched() { host.drop_tasks(); }
};

} // namespace

TEST_CASE("a watch reports the keys that another store and another program change") {
  Watched f;
  Watch watch(f.store, "w:");
  REQUIRE(f.other.set("w:a", "1") == OMNISTORE_OK);
  REQUIRE(f.other.set("x", "not under the base") == OMNISTORE_OK);
  f.sql("INSERT INTO omnistore (key, value) VALUES ('w:b', '2')");
  f.sql("UPDATE omnistore SET value = '3' WHERE key = 'w:b'");
  REQUIRE(f.other.remove("w:a") == OMNISTORE_OK);
  REQUIRE(watch.has(4));
  CHECK(watch.events() == std::vector<Event>{{OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE, "w:a"},
                                             {OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE, "w:b"},
                                             {OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE, "w:b"},
                                             {OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_REMOVED, "w:a"}});
}

TEST_CASE("a watch leaves the store's own changes to the host") {
  Watched f;
  Watch watch(f.store, "");
  for (int round = 0; round < 20; ++round) {
    REQUIRE(f.store.set("own", std::to_string(round)) == OMNISTORE_OK);
    REQUIRE(f.other.set("other:" + std::to_string(round), "1") == OMNISTORE_OK);
    REQUIRE(f.store.set("own", "x", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_CONFLICT);
    REQUIRE(f.store.remove("own") == OMNISTORE_OK);
  }
  REQUIRE(watch.has(20));
  const std::vector<Event> events = watch.events();
  REQUIRE(events.size() == 20);
  for (int round = 0; round < 20; ++round) CHECK(events[round].key == "other:" + std::to_string(round));
}

TEST_CASE("a value that a sweep of another store removes has expired") {
  Watched f;
  REQUIRE(f.other.set("k", "v", {.expiry = f.host.time + 1000}) == OMNISTORE_OK);
  Watch watch(f.store, "");
  f.sql("DELETE FROM omnistore WHERE key = 'k'"); // its expiry is in the past of the real clock
  REQUIRE(watch.has(1));
  CHECK(watch.events()[0] == Event{OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_EXPIRED, "k"});
}

TEST_CASE("when more changes than the table holds are made at once, a watch says that some were lost") {
  Watched f;
  Watch watch(f.store, "");
  f.sql("INSERT INTO omnistore (key, value) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < "
        "15000) SELECT 'k' || i, 'x' FROM n");
  REQUIRE(watch.has(10'001));
  CHECK(watch.events()[0].type == OMNISTORE_EVENT_RESYNC);
  CHECK(f.sql.one("SELECT count(*) FROM omnistore_changes") == "10000");
}

TEST_CASE("a watch of a store that only reads says that something has changed") {
  Folder folder;
  Host host;
  const std::string path = folder / "data.db";
  Store writer(host, path);
  Store reader(host, path, fast + R"(,"readOnly":true)");
  Watch watch(reader, "");
  REQUIRE(writer.set("k", "v") == OMNISTORE_OK);
  REQUIRE(watch.has(1));
  CHECK(watch.events()[0].type == OMNISTORE_EVENT_RESYNC);
  host.drop_tasks();
}

TEST_CASE("a watch in unstorage's layout reports unstorage's writes") {
  Folder folder;
  Host host;
  const std::string path = folder / "data.db";
  Store store(host, path, fast + R"(,"layout":"db0")");
  Sql sql(path);
  Watch watch(store, "");
  sql("INSERT INTO unstorage (key, value) VALUES ('k', 'v')");
  REQUIRE(watch.has(1));
  CHECK(watch.events()[0] == Event{OMNISTORE_EVENT_UPDATE, OMNISTORE_CAUSE_NONE, "k"});
}
