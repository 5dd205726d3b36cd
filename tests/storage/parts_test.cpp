// SPDX-License-Identifier: Apache-2.0
// Ranges, folders and the descending order, over drivers that have them and drivers that do not, and over mounts.
#include <catch2/catch.hpp>

#include <algorithm>
#include <set>

#include <omnistore/view.hpp>

#include "fixture.hpp"
#include "puppet.hpp"

using omnistore::ListOptions;
using omnistore::Status;
using omnistore::Storage;
using Keys = std::vector<std::string>;

namespace {

ListOptions folders(std::uint32_t depth = 0) {
  ListOptions options;
  options.depth = depth;
  options.folders = true;
  return options;
}
ListOptions range(std::string start, std::string end) {
  ListOptions options;
  options.start = std::move(start);
  options.end = std::move(end);
  return options;
}
ListOptions descending(ListOptions options = {}) {
  options.reverse = true;
  return options;
}

template <class Place>
Keys names(const Place &place, const std::string &base, ListOptions options, std::uint32_t limit = 1000) {
  Keys found;
  options.limit = limit;
  options.cursor.clear();
  do {
    const omnistore::Page page = place.list(base, options);
    CHECK(page.items.size() <= limit);
    for (const auto &item : page.items) found.push_back(item.key);
    options.cursor = page.cursor;
  } while (!options.cursor.empty());
  return found;
}

const Keys &some_keys() {
  static const Keys keys = {"a",          "a!",  "a:b", "a:b:c", "a:b:d:e", "a;",
                            "deep:x:y:z", "f:1", "f:2", "f:3",   "f:sub:1", "z"};
  return keys;
}

/// A store over `keys` that lists as its traits say, and counts the keys that it emits.
struct Listed : test::Puppet {
  std::set<std::string> keys;
  std::size_t emitted = 0;

  explicit Listed(std::uint64_t capabilities, std::uint32_t order = OMNISTORE_ORDER_KEYS) {
    traits.capabilities = (traits.capabilities & ~(OMNISTORE_CAN_DEPTH | OMNISTORE_CAN_LIST_META)) | capabilities;
    traits.order = order;
    list = [this](omnistore_call *, const omnistore_list_request &request, omnistore_page *page) {
      const auto text = [](omnistore_bytes view) {
        return std::string(static_cast<const char *>(view.data), static_cast<std::size_t>(view.size));
      };
      const std::string base = text(request.base), start = text(request.start), end = text(request.end);
      std::string cursor = text(request.cursor);
      std::uint32_t left = request.limit;
      std::string last;
      for (const std::string &key : keys) {
        if (!key.starts_with(base) || key <= cursor || key < start || (!end.empty() && key >= end)) continue;
        if (left-- == 0) {
          page->next(page, test::bytes(last));
          break;
        }
        ++emitted;
        last = key;
        if (const auto status = page->emit(page, test::bytes(key), nullptr); status != OMNISTORE_OK) return status;
      }
      return OMNISTORE_OK;
    };
  }
};

} // namespace

TEST_CASE("folders and ranges are the same whether the driver has them or the host finds them") {
  Listed ordered(0), seeking(OMNISTORE_CAN_LIST_RANGE), unordered(0, OMNISTORE_ORDER_NONE);
  for (Listed *each : {&ordered, &seeking, &unordered}) each->keys = {some_keys().begin(), some_keys().end()};
  const std::string mount = GENERATE_REF(
      values<std::string>({R"({ "driver": "memory" })", R"({ "driver": "bare" })",
                           R"({ "driver": "overlay", "layers": [{ "driver": "memory" }, { "driver": "bare" }] })",
                           ordered.mount(), seeking.mount(), unordered.mount()}));
  CAPTURE(mount);
  Storage storage = test::open("{ \"\": " + mount + " }");
  if (mount.find("puppet") == std::string::npos)
    for (const std::string &key : some_keys()) storage.set(key, "value");
  for (const std::uint32_t limit : {1u, 2u, 3u, 100u}) {
    CHECK(names(storage, "", folders(), limit) == Keys{"a", "a!", "a:", "a;", "deep:", "f:", "z"});
    CHECK(names(storage, "", folders(1), limit) ==
          Keys{"a", "a!", "a:b", "a:b:", "a;", "deep:x:", "f:1", "f:2", "f:3", "f:sub:", "z"});
    CHECK(names(storage, "a:b", folders(), limit) == Keys{"a:b:c", "a:b:d:"});
    CHECK(names(storage, "none", folders(), limit).empty());
    ListOptions part = folders();
    part.start = "a:b"; // the folder a: comes before it
    part.end = "f:1";   // the folder f: comes before it
    CHECK(names(storage, "", part, limit) == Keys{"a;", "deep:", "f:"});
    Keys found = names(storage, "", range("a:b", "f:2"), limit);
    std::sort(found.begin(), found.end());
    CHECK(found == Keys{"a:b", "a:b:c", "a:b:d:e", "a;", "deep:x:y:z", "f:1"});
    CHECK(names(storage, "f", range("f:2", "f:3"), limit) == Keys{"f:2"});
    CHECK(names(storage, "f", range("g", ""), limit).empty());
    CHECK(names(storage, "", range("f", "a"), limit).empty());
    const omnistore::View view = storage.prefixed("f");
    CHECK(names(view, "", folders(), limit) == Keys{"1", "2", "3", "sub:"});
    CHECK(names(view, "", range("2", "sub:1"), limit) == Keys{"2", "3"});
  }
}

TEST_CASE("with meta a listing with folders gives that of its keys") {
  Storage storage = test::open(R"({ "": { "driver": ")" + GENERATE(std::string("memory"), "bare") + "\" } }");
  for (const std::string &key : some_keys()) storage.set(key, "value");
  ListOptions options = folders();
  options.meta = true;
  for (const auto &item : storage.list("", options).items) CHECK(item.meta.size == (item.key.ends_with(':') ? 0 : 5));
}

TEST_CASE("folders of a driver that seeks are found without reading their keys") {
  Listed puppet(OMNISTORE_CAN_LIST_RANGE);
  for (const char *folder : {"a:", "b:", "c:", "d:"})
    for (int i = 0; i < 5000; ++i) puppet.keys.insert(folder + std::to_string(i));
  const Storage storage = test::open("{ \"\": " + puppet.mount() + " }");
  CHECK(names(storage, "", folders()) == Keys{"a:", "b:", "c:", "d:"});
  CHECK(puppet.emitted <= 100);
}

TEST_CASE("a range of a driver in the order of keys ends the listing") {
  Listed puppet(0);
  for (int i = 10000; i < 20000; ++i) puppet.keys.insert(std::to_string(i));
  const Storage storage = test::open("{ \"\": " + puppet.mount() + " }");
  CHECK(names(storage, "", range("", "10003")) == Keys{"10000", "10001", "10002"});
  CHECK(puppet.emitted <= 1000);
}

TEST_CASE("the descending order is refused if a store of the listing does not have it") {
  Storage storage = test::open(R"({ "": { "driver": "memory" }, "b": { "driver": "bare" } })");
  storage.set("a:1", "value");
  std::string message;
  CHECK(test::status_of([&] { storage.list("", descending()); }, &message) == Status::unsupported);
  CHECK(message.find("mount b, driver bare") != std::string::npos);
  CHECK(message.find("descending order") != std::string::npos);
  CHECK(names(storage, "a", descending()) == Keys{"a:1"});
}

TEST_CASE("names of several mounts come in one order, up and down") {
  Storage storage = test::open(R"({ "": { "driver": "memory" }, "m": { "driver": "memory", "prefix": "p:q" },
                                    "m:deep": { "driver": "memory" }, "x:y:z": { "driver": "memory" } })");
  for (const char *key : {"a", "m!", "m:1", "m:deep:1", "m:deep:2:3", "m:e", "n:1", "x:1", "x:y:1", "x:y:z:1", "x;"})
    storage.set(key, "value");
  const Keys all = {"a", "m!", "m:1", "m:deep:1", "m:deep:2:3", "m:e", "n:1", "x:1", "x:y:1", "x:y:z:1", "x;"};
  const Keys top = {"a", "m!", "m:", "n:", "x:", "x;"},
             second = {"a", "m!", "m:1", "m:deep:", "m:e", "n:1", "x:1", "x:y:", "x;"};
  const auto reversed = [](Keys keys) {
    std::reverse(keys.begin(), keys.end());
    return keys;
  };
  for (const std::uint32_t limit : {1u, 2u, 3u, 100u}) {
    CHECK(names(storage, "", descending(), limit) == reversed(all));
    CHECK(names(storage, "", folders(), limit) == top);
    CHECK(names(storage, "", descending(folders()), limit) == reversed(top));
    CHECK(names(storage, "", folders(1), limit) == second);
    CHECK(names(storage, "", descending(folders(1)), limit) == reversed(second));
    CHECK(names(storage, "m", folders(), limit) == Keys{"m:1", "m:deep:", "m:e"});
    CHECK(names(storage, "x:y", folders(), limit) == Keys{"x:y:1", "x:y:z:"});
    ListOptions part = descending();
    part.start = "m:deep:2";
    part.end = "x:y";
    CHECK(names(storage, "", part, limit) == Keys{"x:1", "n:1", "m:e", "m:deep:2:3"});
    part.reverse = false;
    Keys found = names(storage, "", part, limit);
    std::sort(found.begin(), found.end());
    CHECK(found == Keys{"m:deep:2:3", "m:e", "n:1", "x:1"});
  }
}

TEST_CASE("a mountpoint below the base is a folder once, also if nothing lies in it") {
  Storage storage = test::open(R"({ "": { "driver": "memory" }, "a:empty": { "driver": "memory" },
                                    "a:other": { "driver": "bare" }, "b": { "driver": "bare" } })");
  for (const std::uint32_t limit : {1u, 100u}) {
    CHECK(names(storage, "", folders(), limit) == Keys{"a:", "b:"});
    CHECK(names(storage, "a", folders(), limit) == Keys{"a:empty:", "a:other:"});
    CHECK(names(storage, "", folders(1), limit) == Keys{"a:empty:", "a:other:"});
  }
}

TEST_CASE("keys that a deeper mount hides make no folder") {
  Storage storage = test::open(R"({ "": { "driver": "memory" } })");
  storage.set("a:b:hidden:1", "value");
  storage.set("c", "value");
  omnistore::MountConfig memory;
  memory.store.driver = "memory";
  storage.mount("a:b", memory);
  CHECK(names(storage, "a:b", folders()).empty());
  CHECK(names(storage, "", folders(1)) == Keys{"a:b:", "c"});
}

TEST_CASE("names outside the request are dropped, whatever the driver claims") {
  test::Puppet puppet;
  puppet.traits.capabilities |= OMNISTORE_CAN_LIST_RANGE | OMNISTORE_CAN_LIST_FOLDERS;
  puppet.traits.order = OMNISTORE_ORDER_KEYS;
  puppet.list = [](omnistore_call *, const omnistore_list_request &, omnistore_page *page) {
    const omnistore_meta meta = test::meta_of_size(9);
    for (const char *name : {"a", "a:", "b", "b:", "b:c:", "b:c:d", "c", ":"})
      page->emit(page, test::bytes(name), &meta);
    return OMNISTORE_OK;
  };
  const Storage storage = test::open("{ \"\": " + puppet.mount() + " }");
  CHECK(names(storage, "", range("b", "b:c")) == Keys{"b"});
  ListOptions part = folders();
  part.start = "a:";
  part.end = "b:c";
  part.meta = true;
  CHECK(names(storage, "", part) == Keys{"a:", "b", "b:"});
  CHECK(storage.list("", part).items.front().meta.size == 0);
}

TEST_CASE("a cursor of a listing of names is refused by other listings and for other bases") {
  Storage storage = test::open(R"({ "": { "driver": "memory" } })");
  for (const char *key : {"a:1", "a:2", "b:1", "c"}) storage.set(key, "value");
  ListOptions options = folders();
  options.limit = 1;
  options.cursor = storage.list("", options).cursor;
  REQUIRE(!options.cursor.empty());
  CHECK(test::status_of([&] { storage.list("b", options); }) == Status::invalid);
  options.folders = false;
  CHECK(test::status_of([&] { storage.list("", options); }) == Status::invalid);
}

TEST_CASE("a bound of more than 4096 bytes is refused") {
  const Storage storage = test::open(R"({ "": { "driver": "memory" } })");
  CHECK(test::status_of([&] { storage.list("", range(std::string(4097, 'a'), "")); }) == Status::invalid);
  CHECK(storage.list("", range(std::string(4096, 'a'), "")).items.empty());
}
