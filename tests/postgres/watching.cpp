// SPDX-License-Identifier: Apache-2.0
// A watch reports what others change, by key, whichever program it is.
#include <mutex>
#include <utility>
#include <vector>

#include "driven.hpp"

using namespace test;

namespace {

using Event = std::pair<std::uint32_t, std::string>;

class Watch : public omnistore_watcher {
public:
  Watch(Store &store, std::string_view base) : omnistore_watcher{sizeof(omnistore_watcher), 0, nullptr}, store_(store) {
    event = [](omnistore_watcher *watcher, const omnistore_event *seen) {
      auto &self = *static_cast<Watch *>(watcher);
      const std::lock_guard guard(self.lock_);
      self.events_.emplace_back(seen->type, std::string(omnistore::as_view(seen->key)));
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
  bool has(std::size_t count) {
    return eventually([&] { return events().size() >= count; });
  }

private:
  Store &store_;
  void *watch_ = nullptr;
  std::mutex lock_;
  std::vector<Event> events_;
};

const std::string triggers = R"(,"triggers":true)";

} // namespace

TEST_CASE("a watch reports changes of another store and another program under its base") {
  Fixture f;
  Store watched(f.host, f.options, triggers);
  Watch watch(watched, "a:");
  REQUIRE(f.store.set("a:1", "v") == OMNISTORE_OK);
  REQUIRE(f.store.set("b:1", "v") == OMNISTORE_OK);
  f.sql("UPDATE t SET value = 'w' WHERE key = 'a:1'; DELETE FROM t");
  REQUIRE(watch.has(3));
  CHECK(watch.events() == std::vector<Event>{{OMNISTORE_EVENT_UPDATE, "a:1"},
                                             {OMNISTORE_EVENT_UPDATE, "a:1"},
                                             {OMNISTORE_EVENT_REMOVE, "a:1"}});
}

TEST_CASE("a watch over a table without triggers is refused, and the message names the option") {
  Fixture f;
  CHECK_THROWS_WITH(Watch(f.store, ""), Catch::Contains("triggers"));
}

TEST_CASE("a watch reports a resync when its connection is lost and when it is there again") {
  PostgresServer server;
  Host host;
  Store store(host, server.options(), triggers);
  Watch watch(store, "");
  server.kill();
  REQUIRE(watch.has(1));
  server.start();
  REQUIRE(watch.has(2));
  CHECK(watch.events() == std::vector<Event>{{OMNISTORE_EVENT_RESYNC, ""}, {OMNISTORE_EVENT_RESYNC, ""}});
  CHECK(eventually([&] { return store.set("k", "v") == OMNISTORE_OK; }));
  REQUIRE(watch.has(3));
  CHECK(watch.events()[2] == Event{OMNISTORE_EVENT_UPDATE, "k"});
}
