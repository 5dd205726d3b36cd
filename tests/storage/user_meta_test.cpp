// SPDX-License-Identifier: Apache-2.0
// The user's own meta of a value, under `k$`: it is bytes, and lives and dies with the value. Each property holds over
// drivers that keep it themselves and over drivers that leave it to the host.
#include <catch2/catch.hpp>

#include <future>
#include <map>

#include "base/clock.hpp"
#include "fixture.hpp"
#include "puppet.hpp"
#include "support/temporary.hpp"

using omnistore::Condition;
using omnistore::GetOptions;
using omnistore::SetItem;
using omnistore::SetOptions;
using omnistore::Status;
using omnistore::Storage;
using namespace std::chrono_literals;

namespace {

const std::string bytes("\0{\"n\":36893488147419103233,\"p\":1.10}\xff\n", 38);

SetOptions with_user(std::string user, std::optional<std::chrono::milliseconds> ttl = {}) {
  SetOptions options;
  options.user = std::move(user);
  options.ttl = ttl;
  return options;
}
std::string user_of(const Storage &storage, const std::string &key) { return storage.meta(key).value().user; }

/// Runs a property over every kind of store.
template <typename Run>
void over_all(Run run) {
  const test::Folder folder;
  const std::pair<const char *, std::string> mounts[] = {
      {"memory", R"({ "": { "driver": "memory" } })"},
      {"fs", R"({ "": { "driver": "fs", "options": { "base": ")" + folder.path().string() + R"(" } } })"},
      {"bare with etags", R"({ "": { "driver": "bare", "options": { "etags": true } } })"},
      {"bare", R"({ "": { "driver": "bare" } })"},
      {"bare that keeps", R"({ "": { "driver": "bare", "options": { "keeps": true } } })"},
  };
  for (const auto &[name, mount] : mounts) {
    INFO(name);
    Storage storage = test::open(mount);
    run(storage);
  }
}

/// A driver that keeps values and no user meta; others may change them too. It counts its calls.
struct Plain : test::Puppet {
  struct Value {
    std::string bytes;
    std::uint64_t version;
  };
  std::map<std::string, Value, std::less<>> values;
  std::uint64_t version = 0;
  std::size_t asked = 0;

  Plain() {
    traits.capabilities |= OMNISTORE_CAN_ETAG | OMNISTORE_NEVER_BLOCKS;
    traits.keeps = OMNISTORE_KEEPS_PROCESS;
    const auto give = [this](std::string_view key, omnistore_sink *sink, bool whole) -> omnistore_status {
      ++asked;
      const auto found = values.find(key);
      if (found == values.end()) return OMNISTORE_NOT_FOUND;
      omnistore_meta meta = test::meta_of_size(found->second.bytes.size());
      const std::string etag = "v" + std::to_string(found->second.version);
      meta.etag = test::bytes(etag);
      const omnistore_status status = sink->begin(sink, &meta, nullptr);
      if (status != OMNISTORE_OK || !whole) return status;
      return sink->write(sink, found->second.bytes.data(), found->second.bytes.size());
    };
    get = [give](omnistore_call *, std::string_view key, const omnistore_get_request &request, omnistore_sink *sink) {
      CHECK((request.flags & OMNISTORE_GET_USER) == 0);
      return give(key, sink, true);
    };
    stat = [give](omnistore_call *, std::string_view key, const omnistore_get_request &, omnistore_sink *sink) {
      return give(key, sink, false);
    };
    set = [this, give](omnistore_call *, std::string_view key, const omnistore_set_request &request,
                       omnistore_sink *result) {
      CHECK(request.user.size == 0);
      put(std::string(key), std::string(static_cast<const char *>(request.value.data), request.value.size));
      const omnistore_status status = result ? give(key, result, false) : OMNISTORE_OK;
      asked += result ? 0 : 1;
      return status;
    };
    remove = [this](omnistore_call *, std::string_view key, const omnistore_remove_request &) {
      ++asked;
      return values.erase(std::string(key)) != 0 ? OMNISTORE_OK : OMNISTORE_NOT_FOUND;
    };
  }
  void put(std::string key, std::string text) { values[std::move(key)] = {std::move(text), ++version}; }
  std::size_t asked_since(std::size_t &mark) const { return asked - std::exchange(mark, asked); }
};

std::string at_root(const test::Puppet &puppet, const char *driver = "puppet") {
  return R"({ "": )" + puppet.mount(driver) + "}";
}

} // namespace

TEST_CASE("user meta comes back as the bytes that were set, by key$ and with the value") {
  over_all([](Storage &storage) {
    storage.set("a", "1");
    storage.set("a$", bytes);
    CHECK(storage.get("a$") == bytes);
    CHECK(user_of(storage, "a") == bytes);
    CHECK(storage.meta("a$")->size == bytes.size());
    CHECK(storage.has("a$"));
    storage.set("b:c", "2", with_user(bytes));
    CHECK(storage.get("b:c$") == bytes);
    CHECK(storage.get("b:c") == "2");
    GetOptions options;
    options.user = true;
    CHECK(storage.entry("b:c", options)->meta.user == bytes);
    GetOptions part;
    part.offset = 2;
    part.length = 3;
    CHECK(storage.get("a$", part) == bytes.substr(2, 3));
    CHECK(storage.keys().all() == std::vector<std::string>{"a", "b:c"});
  });
}

TEST_CASE("user meta is not shown for a later value of its key, and the set takes it away") {
  over_all([](Storage &storage) {
    for (const char *how : {"by itself", "in a batch", "expired", "removed", "removed in a batch", "cleared"}) {
      INFO(how);
      const std::string_view way = how;
      storage.set("k", "old", with_user("old's", way == "expired" ? 3600s : 0s));
      if (way == "expired") omnistore::advance_clock(3'600'001);
      if (way == "removed") CHECK(storage.remove("k"));
      if (way == "removed in a batch") storage.remove_many(std::vector<std::string>{"k"});
      if (way == "cleared") storage.clear();
      if (way != "by itself" && way != "in a batch") CHECK_FALSE(storage.get("k$"));
      if (way == "in a batch")
        CHECK(storage.set_many(std::vector<SetItem>{{"k", "new", {}}})[0].status == Status::ok);
      else
        storage.set("k", "new");
      CHECK_FALSE(storage.has("k$"));
      CHECK(user_of(storage, "k").empty());
    }
  });
}

TEST_CASE("a set of many values stores the user meta of each") {
  over_all([](Storage &storage) {
    std::vector<SetItem> items{{"a", "1", with_user("a's")}, {"b", "2", {}}, {"b$", "b's", {}}, {"c$", "nobody's", {}}};
    const auto outcomes = storage.set_many(items);
    CHECK(outcomes[2].status == Status::ok);
    CHECK(outcomes[3].status == Status::not_found);
    GetOptions options;
    options.user = true;
    const std::vector<std::string> keys{"a", "b", "a$", "c$", "c"};
    const auto found = storage.get_many(keys, options);
    CHECK(found[0].entry.meta.user == "a's");
    CHECK(found[1].entry.meta.user == "b's");
    CHECK(found[1].entry.value == "2");
    CHECK(found[2].entry.value == "a's");
    CHECK(found[3].status == Status::not_found);
    CHECK(found[4].status == Status::not_found);
    CHECK(storage.remove_many(std::vector<std::string>{"a$", "b"})[0].status == Status::ok);
    CHECK_FALSE(storage.has("a$"));
    CHECK(storage.has("a"));
    CHECK_FALSE(storage.has("b$"));
  });
}

TEST_CASE("a touch of the expiry leaves the user meta, and new user meta leaves the expiry and the etag") {
  over_all([](Storage &storage) {
    storage.set("k", "1", with_user("mine"));
    const std::string etag = storage.meta("k")->etag;
    CHECK(storage.touch("k", 1h));
    CHECK(user_of(storage, "k") == "mine");
    const std::int64_t expiry = storage.meta("k")->expiry;
    CHECK(expiry != 0);
    storage.set("k$", "other");
    CHECK(storage.meta("k")->expiry == expiry);
    CHECK(storage.meta("k")->etag == etag);
    CHECK(user_of(storage, "k") == "other");
    CHECK(storage.touch("k", 0ms));
    CHECK(user_of(storage, "k") == "other");
    CHECK(storage.get("k") == "1");
  });
}

TEST_CASE("an empty text and a remove of key$ take the user meta away, and nothing else") {
  over_all([](Storage &storage) {
    storage.set("k", "1", with_user("mine"));
    storage.set("k$", "");
    CHECK_FALSE(storage.has("k$"));
    storage.set("k$", "mine");
    CHECK(storage.remove("k$"));
    CHECK_FALSE(storage.remove("k$"));
    CHECK_FALSE(storage.get("k$"));
    CHECK(storage.get("k") == "1");
    CHECK_FALSE(storage.remove("none$"));
  });
}

TEST_CASE("a set of key$ with an option that user meta cannot have is refused") {
  over_all([](Storage &storage) {
    const auto status_of_set = [&](const char *key, const SetOptions &options) {
      return test::status_of([&] { storage.set(key, "x", options); });
    };
    CHECK(status_of_set("none$", {}) == Status::not_found);
    CHECK_FALSE(storage.has("none$"));
    storage.set("k", "1");
    SetOptions ttl, condition;
    ttl.ttl = 1h;
    condition.condition.kind = Condition::Kind::if_absent;
    CHECK(status_of_set("k$", ttl) == Status::invalid);
    CHECK(status_of_set("k$", with_user("x")) == Status::invalid);
    CHECK(status_of_set("k$", condition) == Status::unsupported);
    CHECK(test::status_of([&] { storage.touch("k$", 1h); }) == Status::invalid);
    CHECK(test::status_of([&] {
            storage.remove("k$", {{Condition::Kind::if_match, "x"}, {}});
          }) == Status::unsupported);
    for (const char *key : {"$", "a:$", "k$$"}) CHECK(test::status_of([&] { storage.get(key); }) == Status::invalid);
    CHECK_FALSE(storage.has("k$"));
  });
}

TEST_CASE("user meta of more than a MiB is too large, and leaves the old meta") {
  over_all([](Storage &storage) {
    const std::string most(OMNISTORE_MAX_USER_SIZE, 'x');
    storage.set("k", "1", with_user(most));
    CHECK(user_of(storage, "k") == most);
    CHECK(test::status_of([&] { storage.set("k", "2", with_user(most + "x")); }) == Status::too_large);
    CHECK(test::status_of([&] { storage.set("k$", most + "x"); }) == Status::too_large);
    CHECK(storage.get("k") == "1");
    CHECK(user_of(storage, "k") == most);
  });
}

TEST_CASE("a driver's limit counts a value and the user meta that the driver stores with it") {
  test::Puppet puppet;
  puppet.traits.max_value_size = 10;
  puppet.set = [](auto...) { return OMNISTORE_OK; };
  const auto status_of_set = [&](const std::string &value, const std::string &user) {
    Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
    return test::status_of([&] { storage.set("k", value, with_user(user)); });
  };
  SECTION("with the value") {
    puppet.traits.capabilities |= OMNISTORE_CAN_META;
    CHECK(status_of_set("12345", "12345") == Status::ok);
    CHECK(status_of_set("12345", "123456") == Status::too_large);
    CHECK(status_of_set("", "12345678901") == Status::too_large);
  }
  SECTION("not the meta that the host stores as a value of its own") {
    CHECK(status_of_set("123456", "12345") == Status::ok);
  }
}

TEST_CASE("a failed set leaves the old value with its user meta") {
  over_all([](Storage &storage) {
    storage.set("k", "1", with_user("mine"));
    SetOptions options = with_user("other");
    options.condition.kind = Condition::Kind::if_absent;
    CHECK_FALSE(storage.set("k", "2", options).stored);
    CHECK(storage.get("k") == "1");
    CHECK(user_of(storage, "k") == "mine");
  });
}

TEST_CASE("a change of user meta is an update of its key") {
  Storage storage = test::open(R"({ "": { "driver": "memory" } })");
  storage.set("k", "1");
  test::Events events;
  const omnistore::Watch watch = storage.watch("", events.callback());
  storage.set("k$", "mine");
  storage.set_many(std::vector<SetItem>{{"k$", "other", {}}});
  storage.remove("k$");
  const auto seen = events.wait_for(3);
  CHECK(seen.size() == 3);
  for (const auto &event : seen) {
    CHECK(event.key == "k");
    CHECK(event.type == omnistore::Event::Type::update);
  }
}

TEST_CASE("a get, has or listing calls the driver once, whether or not it keeps user meta") {
  Plain plain;
  Storage storage = test::open(at_root(plain));
  plain.put("k", "1");
  std::size_t mark = plain.asked;
  CHECK(storage.get("k") == "1");
  CHECK(plain.asked_since(mark) == 1);
  CHECK(storage.has("k"));
  CHECK(plain.asked_since(mark) == 1);
  CHECK(storage.meta("k", {.user = false}));
  CHECK(plain.asked_since(mark) == 1);
}

TEST_CASE("user meta that the host keeps is not shown for a value that another program has written or removed") {
  for (const char *driver : {"puppet", "puppet-bare"}) {
    Plain plain;
    Storage storage = test::open(at_root(plain, driver));
    storage.set("k", "mine", with_user("my meta"));
    CHECK(user_of(storage, "k") == "my meta");
    plain.put("k", "theirs");
    CHECK(user_of(storage, "k").empty());
    CHECK_FALSE(storage.get("k$"));
    storage.set("k", "mine", with_user("my meta"));
    plain.values.erase("k");
    CHECK_FALSE(storage.get("k$"));
    plain.put("k", "theirs");
    CHECK_FALSE(storage.get("k$"));
    storage.set("k", "mine");
    CHECK(plain.values.size() == 1);
  }
}

TEST_CASE("user meta that unstorage wrote beside a value is shown") {
  Plain plain;
  plain.put("k", "1");
  plain.put("k$", R"({"n":1.10})");
  Storage storage = test::open(at_root(plain));
  CHECK(storage.get("k$") == R"({"n":1.10})");
  storage.set("k", "2");
  CHECK_FALSE(storage.get("k$"));
}

TEST_CASE("user meta that the host keeps goes with a value that the driver evicts") {
  Plain plain;
  Storage storage = test::open(at_root(plain));
  storage.set("k", "1", with_user("mine"));
  REQUIRE(plain.values.size() == 2);
  plain.values.erase("k");
  std::promise<void> gone;
  plain.remove = [&, remove = plain.remove](omnistore_call *call, std::string_view key, const auto &request) {
    const omnistore_status status = remove(call, key, request);
    if (key == "k$") gone.set_value();
    return status;
  };
  const omnistore_event event{sizeof event, OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_EVICTED, 0, test::bytes("k"), 0};
  plain.host->event(plain.host, &event);
  REQUIRE(gone.get_future().wait_for(20s) == std::future_status::ready);
  CHECK(plain.values.empty());
}

TEST_CASE("user meta that the host keeps outlives a restart, with its value") {
  const test::Folder folder;
  const std::string mounts = R"({ "": { "driver": "bare", "options": { "keeps": true, "file": ")" +
                             (folder.path() / "values").string() + R"(" } } })";
  {
    Storage storage = test::open(mounts);
    storage.set("k", "1", with_user("{\"n\": 1.10}\n", 1h));
  }
  Storage storage = test::open(mounts);
  CHECK(user_of(storage, "k") == "{\"n\": 1.10}\n");
  CHECK(storage.meta("k")->expiry != 0);
  storage.set("k", "2");
  CHECK(user_of(storage, "k").empty());
}
