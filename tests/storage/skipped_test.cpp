// SPDX-License-Identifier: Apache-2.0
// A driver that says that a listing lacks something (omnistore_page.skip): the caller learns it, through every layer.
#include <catch2/catch.hpp>

#include <omnistore/ranges.hpp>

#include "fixture.hpp"
#include "puppet.hpp"
#include "report/skipped.hpp"

using omnistore::Skipped;
using omnistore::Status;
using omnistore::Storage;
using test::Puppet;

namespace {

/// Lists `a` and `z`, and leaves out `locked:`.
struct Locked : Puppet {
  std::string prefix;

  Locked() {
    list = [this](omnistore_call *, const omnistore_list_request &, omnistore_page *page) {
      page->emit(page, test::bytes(prefix + "a"), nullptr);
      const omnistore_status status =
          page->skip(page, test::bytes(prefix + "locked:"), OMNISTORE_DENIED, test::bytes("no key fits"));
      page->emit(page, test::bytes(prefix + "z"), nullptr);
      return status;
    };
  }
};

void check_skipped(const Storage &storage, const std::string &listed, const std::string &base) {
  const omnistore::Page page = storage.list(listed);
  CHECK(page.items.size() == 2);
  REQUIRE(page.skipped.size() == 1);
  CHECK(page.skipped[0].base == base);
  CHECK(page.skipped[0].status == Status::denied);
  CHECK_THAT(page.skipped[0].message, Catch::Contains("list " + base) && Catch::Contains("no key fits"));
}

} // namespace

TEST_CASE("a listing names the places that its driver left out") {
  Locked puppet;
  Storage storage = test::open(R"({ "m": )" + puppet.mount() + " }");
  check_skipped(storage, "m:", "m:locked:");
  check_skipped(storage, "", "m:locked:");
}

TEST_CASE("an emulated listing names the places that its driver left out") {
  Locked puppet;
  puppet.traits.capabilities = OMNISTORE_SHARED;
  puppet.get = [](omnistore_call *, std::string_view key, const omnistore_get_request &, omnistore_sink *sink) {
    return key.ends_with('$') ? OMNISTORE_NOT_FOUND : test::give(sink, "v");
  };
  Storage storage = test::open(R"({ "m": )" + puppet.mount() + " }");
  check_skipped(storage, "m:", "m:locked:");
}

TEST_CASE("a mount with a prefix names the places that were left out by the keys of its users") {
  Locked puppet;
  puppet.prefix = "team:";
  std::string mount = puppet.mount();
  mount.insert(1, R"( "prefix": "team:",)");
  Storage storage = test::open(R"({ "m": )" + mount + " }");
  check_skipped(storage, "m:", "m:locked:");
}

TEST_CASE("an overlay passes on the places that a layer left out") {
  Locked puppet;
  Storage storage =
      test::open(R"({ "m": { "driver": "overlay", "layers": [ { "driver": "memory" }, )" + puppet.mount() + " ] } }");
  check_skipped(storage, "m:", "m:locked:");
}

TEST_CASE("a cache passes on the places that its origin left out") {
  Locked puppet;
  Storage storage = test::open(R"({ "m": { "driver": "memory", "invalidation": { "maxAge": 60 }, "origin": )" +
                               puppet.mount() + " } }");
  check_skipped(storage, "m:", "m:locked:");
}

TEST_CASE("an emulated clear removes the keys that it can and fails if something was left out") {
  Locked puppet;
  std::vector<std::string> removed;
  puppet.remove = [&](omnistore_call *, std::string_view key, const omnistore_remove_request &) {
    removed.emplace_back(key);
    return OMNISTORE_OK;
  };
  Storage storage = test::open(R"({ "m": )" + puppet.mount("puppet-bare") + " }");
  std::string message;
  CHECK(test::status_of([&] { storage.clear("m:"); }, &message) == Status::denied);
  CHECK_THAT(message, Catch::Contains("no key fits"));
  CHECK(removed == std::vector<std::string>{"a", "z"});
}

TEST_CASE("a clear whose driver left something out fails") {
  Puppet puppet;
  puppet.clear = [](omnistore_call *, std::string_view, omnistore_page *page) {
    return page->skip(page, test::bytes("locked:"), OMNISTORE_DENIED, test::bytes("no key fits"));
  };
  Storage storage = test::open(R"({ "m": )" + puppet.mount() + " }");
  CHECK(test::status_of([&] { storage.clear("m:"); }) == Status::denied);
}

TEST_CASE("a walk over keys or entries gives all there are and then throws the places that were left out") {
  Locked puppet;
  puppet.get = [](omnistore_call *, std::string_view, const omnistore_get_request &, omnistore_sink *sink) {
    return test::give(sink, "v");
  };
  Storage storage = test::open(R"({ "m": )" + puppet.mount() + " }");
  std::vector<std::string> keys;
  CHECK(test::status_of([&] {
          for (const std::string &key : storage.keys("m")) keys.push_back(key);
        }) == Status::denied);
  CHECK(keys == std::vector<std::string>{"m:a", "m:z"});
  CHECK(test::status_of([&] { storage.keys("m").all(); }) == Status::denied);
  keys.clear();
  CHECK(test::status_of([&] {
          for (const auto &item : storage.entries("m")) keys.push_back(item.key);
        }) == Status::denied);
  CHECK(keys == std::vector<std::string>{"m:a", "m:z"});
}

TEST_CASE("the text of the places that were left out has separators only between its parts") {
  const std::vector<Skipped> places = {{"a:b:", Status::denied, "list a:b: (mount root): no, really; 100%"},
                                       {"gr\xc3\xbc\xc3\x9f"
                                        "e",
                                        Status::io, "line\r\nX-Evil: 1"},
                                       {"", Status::unavailable, "away"}};
  CHECK(omnistore::report::skipped_text(places) ==
        "a:b:;denied;list%20a:b:%20(mount%20root):%20no%2C%20really%3B%20100%25, "
        "gr%C3%BC%C3%9Fe;io;line%0D%0AX-Evil:%201, ;unavailable;away");
}

TEST_CASE("the text of very many places has a bound and says how many more there are") {
  std::vector<Skipped> places;
  for (int i = 0; i < 1000; ++i) places.push_back({"folder" + std::to_string(i) + ":", Status::denied, "why"});
  const std::string text = omnistore::report::skipped_text(places);
  CHECK(text.size() < 5000);
  CHECK_THAT(text, Catch::EndsWith("%20more"));
}
