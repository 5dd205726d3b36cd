// SPDX-License-Identifier: Apache-2.0
// Drivers that break their contract, one way each: what the host makes of it.
#include <catch2/catch.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstring>

#include <omnistore/child.hpp>

#include "fixture.hpp"
#include "puppet.hpp"

using omnistore::Condition;
using omnistore::Status;
using omnistore::Storage;
using test::Puppet;

namespace {

/// Returns the message of a failing operation.
template <typename Function>
std::string error_of(Function function, Status &status) {
  std::string message;
  status = test::status_of(function, &message);
  return message;
}

class Text : public omnistore::Reader {
public:
  char *begin(const omnistore::Meta &) override { return nullptr; }
  void write(std::string_view bytes) override { text += bytes; }
  std::string text;
};

/// One way to read a value, by name.
struct Way {
  const char *name;
  std::function<void(Storage &)> run;
};

/// A batch's only outcome, thrown like a single operation's.
void raise(const omnistore::Outcome &outcome) {
  if (outcome.status != Status::ok) throw omnistore::Error(outcome.status, outcome.message);
}

const Way reads[] = {
    {"get", [](Storage &storage) { storage.get("k"); }},
    {"entry", [](Storage &storage) { storage.entry("k"); }},
    {"read",
     [](Storage &storage) {
       Text text;
       storage.read("k", text);
     }},
    {"get_many", [](Storage &storage) { raise(storage.get_many(std::vector<std::string>{"k"})[0]); }},
};
const Way looks[] = {
    {"has", [](Storage &storage) { storage.has("k"); }},
    {"meta", [](Storage &storage) { storage.meta("k"); }},
};

/// Runs each way over a plain mount and over a layer that hands everything to its child.
void each_way(Puppet &puppet, std::span<const Way> ways, const std::function<void(const Way &, Storage &)> &check) {
  Storage plain = test::open(R"({ "": )" + puppet.mount(GENERATE("puppet", "puppet-bare")) + " }");
  for (const Way &way : ways) {
    INFO(way.name);
    check(way, plain);
  }
}

std::uint64_t faults(const Storage &storage) { return storage.stats()[0].driver_faults; }

} // namespace

// -------------------------------------------------------------------------------------------------------------- values

TEST_CASE("ok without a value is an internal failure on every path that reads") {
  Puppet puppet;
  puppet.get = puppet.stat = [](auto...) { return OMNISTORE_OK; };
  const auto fails = [](const Way &way, Storage &storage) {
    Status status;
    CHECK_THAT(error_of([&] { way.run(storage); }, status), Catch::Contains("returned ok and gave no value"));
    CHECK(status == Status::internal);
  };
  each_way(puppet, reads, fails);
  each_way(puppet, looks, fails);
}

TEST_CASE("ok without a value in a layer's child is a failure that the layer sees") {
  Puppet child;
  child.get = child.stat = [](auto...) { return OMNISTORE_OK; };
  Storage storage = test::open(R"({ "": { "driver": "overlay", "layers": [ )" + child.mount() + " ] } }");
  for (const Way &way : reads) {
    INFO(way.name);
    CHECK(test::status_of([&] { way.run(storage); }) == Status::internal);
  }
}

TEST_CASE("a set that promises an etag and gives none is an internal failure") {
  Puppet puppet;
  puppet.traits.capabilities |= OMNISTORE_CAN_ETAG;
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  CHECK(test::status_of([&] { storage.set("k", "v", {}, true); }) == Status::internal);
  CHECK(test::status_of([&] { storage.set("k", "v", {}, false); }) == Status::ok);
}

TEST_CASE("more bytes than announced are refused with both numbers") {
  Puppet puppet;
  puppet.get = [](omnistore_call *, std::string_view, const omnistore_get_request &, omnistore_sink *sink) {
    const omnistore_meta meta = test::meta_of_size(3);
    sink->begin(sink, &meta, nullptr);
    sink->write(sink, "ab", 2);
    return sink->write(sink, "cd", 2);
  };
  each_way(puppet, reads, [](const Way &way, Storage &storage) {
    Status status;
    CHECK_THAT(error_of([&] { way.run(storage); }, status), Catch::Contains("announced 3 bytes and gave more"));
    CHECK(status == Status::corrupt);
  });
}

TEST_CASE("fewer bytes than announced are a failure with both numbers") {
  Puppet puppet;
  puppet.get = [](omnistore_call *, std::string_view, const omnistore_get_request &, omnistore_sink *sink) {
    const omnistore_meta meta = test::meta_of_size(3);
    sink->begin(sink, &meta, nullptr);
    return sink->write(sink, "ab", 2);
  };
  each_way(puppet, reads, [](const Way &way, Storage &storage) {
    Status status;
    CHECK_THAT(error_of([&] { way.run(storage); }, status), Catch::Contains("announced 3 bytes and gave 2"));
    CHECK(status == Status::corrupt);
  });
}

TEST_CASE("a value announced twice is an internal failure") {
  Puppet puppet;
  puppet.get =
      puppet.stat = [](omnistore_call *, std::string_view, const omnistore_get_request &, omnistore_sink *sink) {
        const omnistore_meta meta = test::meta_of_size(0);
        sink->begin(sink, &meta, nullptr);
        sink->begin(sink, &meta, nullptr);
        return OMNISTORE_OK;
      };
  const auto fails = [](const Way &way, Storage &storage) {
    CHECK(test::status_of([&] { way.run(storage); }) == Status::internal);
  };
  each_way(puppet, reads, fails);
  each_way(puppet, looks, fails);
}

TEST_CASE("bytes before the announcement are an internal failure") {
  Puppet puppet;
  puppet.get = [](omnistore_call *, std::string_view, const omnistore_get_request &, omnistore_sink *sink) {
    sink->write(sink, "ab", 2);
    return test::give(sink, "ab");
  };
  each_way(puppet, reads, [](const Way &way, Storage &storage) {
    CHECK(test::status_of([&] { way.run(storage); }) == Status::internal);
  });
}

TEST_CASE("no such key after a value was announced is an internal failure") {
  Puppet puppet;
  puppet.get = [](omnistore_call *, std::string_view, const omnistore_get_request &, omnistore_sink *sink) {
    test::give(sink, "ab");
    return OMNISTORE_NOT_FOUND;
  };
  each_way(puppet, reads, [](const Way &way, Storage &storage) {
    CHECK(test::status_of([&] { way.run(storage); }) == Status::internal);
  });
}

TEST_CASE("a driver that continues after the host refused does not make the read succeed") {
  struct Refuses : omnistore::Reader {
    char *begin(const omnistore::Meta &) override { throw std::runtime_error("the client went away"); }
    void write(std::string_view) override {}
  } reader;
  Puppet puppet;
  puppet.get = [](omnistore_call *, std::string_view, const omnistore_get_request &, omnistore_sink *sink) {
    test::give(sink, "ab");
    return OMNISTORE_OK;
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  CHECK_THROWS_WITH(storage.read("k", reader), "the client went away");
}

TEST_CASE("a size that no value has is too large and allocates nothing") {
  Puppet puppet;
  puppet.get = [](omnistore_call *, std::string_view, const omnistore_get_request &, omnistore_sink *sink) {
    const omnistore_meta meta = test::meta_of_size(std::uint64_t{1} << 62);
    void *buffer = nullptr;
    const omnistore_status status = sink->begin(sink, &meta, &buffer);
    return status == OMNISTORE_OK ? sink->write(sink, "ab", 2) : status;
  };
  each_way(puppet, reads, [](const Way &way, Storage &storage) {
    Status status;
    CHECK_THAT(error_of([&] { way.run(storage); }, status), Catch::Contains("announced 4611686018427387904 bytes"));
    CHECK(status == Status::too_large);
  });
}

TEST_CASE("a large size is not made room for before its bytes come") {
  Puppet puppet;
  puppet.get = [](omnistore_call *, std::string_view, const omnistore_get_request &, omnistore_sink *sink) {
    const omnistore_meta meta = test::meta_of_size(std::uint64_t{1} << 45);
    void *buffer = nullptr;
    sink->begin(sink, &meta, &buffer);
    return buffer ? OMNISTORE_IO : sink->write(sink, "ab", 2);
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  Status status;
  CHECK_THAT(error_of([&] { storage.get("k"); }, status), Catch::Contains("announced 35184372088832 bytes and gave 2"));
}

TEST_CASE("an etag that would break a header is left out") {
  Puppet puppet;
  const std::string etag = GENERATE(std::string("a\r\nX-Evil: 1"), std::string("a\"b"), std::string(65, 'e'));
  puppet.stat = [&](omnistore_call *, std::string_view, const omnistore_get_request &, omnistore_sink *sink) {
    omnistore_meta meta = test::meta_of_size(1);
    meta.etag = test::bytes(etag);
    return sink->begin(sink, &meta, nullptr);
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  CHECK(storage.meta("k")->etag.empty());
  CHECK(faults(storage) == 1);
}

// ------------------------------------------------------------------------------------------------------------ statuses

TEST_CASE("a status that the host does not know is counted as internal") {
  Puppet puppet;
  const omnistore_status odd = GENERATE(77, 5, -10, 2000000000);
  puppet.get = puppet.stat = [odd](auto...) { return odd; };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  for (const Way &way : reads) CHECK(test::status_of([&] { way.run(storage); }) == Status::internal);
  const auto kinds = storage.stats()[0].errors_by_kind;
  REQUIRE(kinds.size() == 1);
  CHECK(kinds[0].first == Status::internal);
  CHECK(kinds[0].second == std::size(reads));
}

TEST_CASE("items that a batch leaves without a status are internal failures") {
  Puppet puppet;
  puppet.get_many = [](auto...) { return OMNISTORE_OK; };
  puppet.set_many = puppet.remove_many = [](auto...) { return OMNISTORE_OK; };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  CHECK(storage.get_many(std::vector<std::string>{"k"})[0].status == Status::internal);
  CHECK(storage.set_many(std::vector<omnistore::SetItem>{{"k", "v", {}}})[0].status == Status::internal);
  CHECK(storage.remove_many(std::vector<std::string>{"k"})[0].status == Status::internal);
}

// ---------------------------------------------------------------------------------------------------------------- keys

namespace {

/// Lists these keys whatever the request is.
auto lists(std::vector<std::string> keys) {
  return [keys = std::move(keys)](omnistore_call *, const omnistore_list_request &, omnistore_page *page) {
    for (const std::string &key : keys) page->emit(page, test::bytes(key), nullptr);
    return OMNISTORE_OK;
  };
}

} // namespace

TEST_CASE("keys outside the requested base are dropped and counted") {
  Puppet puppet;
  puppet.traits.order = GENERATE(OMNISTORE_ORDER_NONE, OMNISTORE_ORDER_KEYS);
  puppet.list = lists({"secret:password", "team", "team:a", "teams:x", "tenant"});
  Storage storage = test::open(R"({ "": )" + puppet.mount(GENERATE("puppet", "puppet-bare")) + " }");
  CHECK(storage.keys("team").all() == std::vector<std::string>{"team:a"});
  CHECK(faults(storage) >= 4);
}

TEST_CASE("keys outside a mount's prefix or a view are dropped") {
  Puppet puppet;
  puppet.list = lists({"app:a", "other:b"});
  std::string mount = puppet.mount();
  mount.insert(1, R"( "prefix": "app", )");
  Storage storage = test::open(R"({ "m": )" + mount + " }");
  CHECK(storage.keys("").all() == std::vector<std::string>{"m:a"});
}

TEST_CASE("keys below the requested depth are dropped") {
  Puppet puppet;
  puppet.list = lists({"a", "a:b", "a:b:c"});
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  CHECK(storage.keys("", 1).all() == std::vector<std::string>{"a", "a:b"});
}

TEST_CASE("keys and folders outside the range or the base of a listing are dropped, in either order") {
  Puppet puppet;
  puppet.traits.capabilities |= OMNISTORE_CAN_LIST_RANGE | OMNISTORE_CAN_LIST_REVERSE | OMNISTORE_CAN_LIST_FOLDERS;
  puppet.traits.order = OMNISTORE_ORDER_KEYS;
  const bool reverse = GENERATE(false, true);
  std::vector<std::string> given = {"secret:", "team:", "team:a", "team:b", "team:c:", "team:c:d:", "team:e", "teams:"};
  if (reverse) std::reverse(given.begin(), given.end());
  puppet.list = lists(given);
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  omnistore::ListOptions options;
  options.start = "team:b";
  options.end = "team:e";
  options.depth = 0;
  options.folders = true;
  options.reverse = reverse;
  std::vector<std::string> listed;
  for (const auto &item : storage.list("team", options).items) listed.push_back(item.key);
  std::sort(listed.begin(), listed.end());
  CHECK(listed == std::vector<std::string>{"team:b", "team:c:"});
  CHECK(faults(storage) >= 6);
}

TEST_CASE("keys beyond the limit are dropped") {
  Puppet puppet;
  puppet.list = lists({"a", "b", "c"});
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  omnistore::ListOptions options;
  options.limit = 2;
  CHECK(storage.list("", options).items.size() == 2);
}

TEST_CASE("a key that a page repeats is listed once") {
  Puppet puppet;
  puppet.traits.order = GENERATE(OMNISTORE_ORDER_NONE, OMNISTORE_ORDER_KEYS);
  puppet.list = lists({"a", "b", "b", "a", "c"});
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  auto keys = storage.keys("").all();
  std::sort(keys.begin(), keys.end());
  if (puppet.traits.order == OMNISTORE_ORDER_NONE) CHECK(keys == std::vector<std::string>{"a", "b", "c"});
  CHECK(std::count(keys.begin(), keys.end(), "b") == 1);
  CHECK(faults(storage) >= 2);
}

TEST_CASE("a name that cannot be a key is not listed") {
  Puppet puppet;
  puppet.list =
      lists({"ok", "", ":a", "a:", "a::b", "a/b", "..:x", std::string("n\0l", 3), "\xff\xfe", std::string(4097, 'l')});
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  CHECK(storage.keys("").all() == std::vector<std::string>{"ok"});
  CHECK(faults(storage) == 9);
}

TEST_CASE("a listing whose cursor does not advance is an internal failure") {
  Puppet puppet;
  const std::string kind = GENERATE("the same", "an empty one", "a long one", "two in turn");
  puppet.list = [&, turn = 0](omnistore_call *, const omnistore_list_request &, omnistore_page *page) mutable {
    const std::string cursor = kind == "an empty one" ? ""
                               : kind == "a long one" ? std::string(OMNISTORE_MAX_CURSOR_SIZE + 1, 'c')
                               : kind == "the same"   ? "c"
                                                      : std::string(++turn % 2 ? "c" : "d");
    page->next(page, test::bytes(cursor));
    return OMNISTORE_OK;
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount(GENERATE("puppet", "puppet-bare")) + " }");
  INFO(kind);
  CHECK(test::status_of([&] { storage.keys("").all(); }) == Status::internal);
  CHECK(test::status_of([&] {
          for ([[maybe_unused]] const auto &key : storage.keys("")) {
          }
        }) == Status::internal);
}

TEST_CASE("a clear of a base reports no key outside it") {
  Puppet puppet;
  puppet.clear = [](omnistore_call *, std::string_view, omnistore_page *removed) {
    for (const char *key : {"team:a", "secret:password"}) removed->emit(removed, test::bytes(key), nullptr);
    return OMNISTORE_OK;
  };
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  CHECK(storage.clear("team") == 1);
}

TEST_CASE("a watch gets no key outside its base and no text that is no key") {
  Puppet puppet;
  omnistore_watcher *const &watcher = puppet.accept_watches();
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  test::Events events;
  const auto watch = storage.watch("team", events.callback());
  REQUIRE(watcher);
  for (const char *key : {"secret:password", "team::x", "", "team:\xff", "team:a"}) {
    const omnistore_event event{sizeof event, OMNISTORE_EVENT_UPDATE, 0, 0, test::bytes(key), 0};
    watcher->event(watcher, &event);
  }
  const auto told = events.wait_for(1);
  REQUIRE(told.size() == 1);
  CHECK(told[0].key == "team:a");
  CHECK(faults(storage) >= 3);
}

TEST_CASE("a store announces nothing but its own removals") {
  Puppet puppet;
  Storage storage = test::open(R"({ "": )" + puppet.mount() + " }");
  test::Events events;
  const auto watch = storage.watch("", events.callback());
  const auto announce = [&](std::uint32_t type, std::uint32_t cause, const char *key) {
    const omnistore_event event{sizeof event, type, cause, 0, test::bytes(key), 0};
    puppet.host->event(puppet.host, &event);
  };
  announce(OMNISTORE_EVENT_UPDATE, 0, "a");
  announce(OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_CLEARED, "b");
  announce(OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_EXPIRED, "no::key");
  announce(OMNISTORE_EVENT_REMOVE, OMNISTORE_CAUSE_EXPIRED, "c");
  const auto told = events.wait_for(1);
  REQUIRE(told.size() == 1);
  CHECK(told[0].key == "c");
}

TEST_CASE("a layer sees the stores below its child") {
  Puppet layer, child;
  Storage storage = test::open(R"({ "": { "driver": "puppet", "options": { "puppet": ")" +
                               std::to_string(reinterpret_cast<std::uintptr_t>(&layer)) +
                               R"(" }, "layers": [ { "driver": "overlay", "layers": [ { "driver": "memory" }, )" +
                               child.mount() + " ] } ] } }");
  REQUIRE(layer.children.size() == 1);
  const omnistore::Child overlay(layer.children[0]);
  REQUIRE(overlay.raw()->child_count == 2);
  CHECK(overlay.raw()->children[1]->traits->capabilities & OMNISTORE_CAN_TTL);
  CHECK(overlay.raw()->children[1]->child_count == 0);
  CHECK(overlay.has("overlay"));
  CHECK(overlay.has("memory"));
  CHECK_FALSE(overlay.has("fs"));
}

TEST_CASE("a layer finds every function of its child, and no capability that the host does not know") {
  Puppet layer, child;
  child.traits.capabilities |= std::uint64_t{1} << 50;
  Storage storage = test::open(R"({ "": { "driver": "puppet", "options": { "puppet": ")" +
                               std::to_string(reinterpret_cast<std::uintptr_t>(&layer)) + R"(" }, "layers": [ )" +
                               child.mount(GENERATE("puppet", "puppet-bare")) + " ] } }");
  REQUIRE(layer.children.size() == 1);
  const omnistore_driver &table = *layer.children[0]->driver;
  REQUIRE(table.size == sizeof table);
  for (std::size_t at = offsetof(omnistore_driver, get); at < sizeof table; at += sizeof(void *)) {
    INFO(at);
    void *entry = nullptr;
    std::memcpy(&entry, reinterpret_cast<const char *>(&table) + at, sizeof entry);
    CHECK(entry);
  }
  CHECK_FALSE(table.open);
  CHECK_FALSE(table.close);
  CHECK(layer.children[0]->traits->capabilities <= (OMNISTORE_CANNOT_LIST << 1) - 1);
}
