// SPDX-License-Identifier: Apache-2.0
// A driver that says that a listing lacks something (omnistore_page.skip): whoever asked is told, through every layer.
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

/// Lists `a` and `z`, and goes on without `locked:`.
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

TEST_CASE("a listing names what its driver went on without") {
  Locked puppet;
  Storage storage = test::open(R"({ "m": )" + puppet.mount() + " }");
  check_skipped(storage, "m:", "m:locked:");
  check_skipped(storage, "", "m:locked:");
}

TEST_CASE("a listing with what the host emulates names what its driver went on without") {
  Locked puppet;
  puppet.traits.capabilities = OMNISTORE_SHARED;
  puppet.get = [](omnistore_call *, std::string_view key, const omnistore_get_request &, omnistore_sink *sink) {
    return key.ends_with('$') ? OMNISTORE_NOT_FOUND : test::give(sink, "v");
  };
  Storage storage = test::open(R"({ "m": )" + puppet.mount() + " }");
  check_skipped(storage, "m:", "m:locked:");
}

TEST_CASE("a mount with a prefix names what is left out by the keys of its users") {
  Locked puppet;
  puppet.prefix = "team:";
  std::string mount = puppet.mount();
  mount.insert(1, R"( "prefix": "team:",)");
  Storage storage = test::open(R"({ "m": )" + mount + " }");
  check_skipped(storage, "m:", "m:locked:");
}

TEST_CASE("an overlay passes on what a layer went on without") {
  Locked puppet;
  Storage storage =
      test::open(R"({ "m": { "driver": "overlay", "layers": [ { "driver": "memory" }, )" + puppet.mount() + " ] } }");
  check_skipped(storage, "m:", "m:locked:");
}

TEST_CASE("a cache passes on what its origin went on without") {
  Locked puppet;
  Storage storage = test::open(R"({ "m": { "driver": "memory", "invalidation": { "maxAge": 60 }, "origin": )" +
                               puppet.mount() + " } }");
  check_skipped(storage, "m:", "m:locked:");
}

TEST_CASE("a clear that the host emulates removes what it can and is no success if something was left out") {
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

TEST_CASE("a clear whose driver left something out is no success") {
  Puppet puppet;
  puppet.clear = [](omnistore_call *, std::string_view, omnistore_page *page) {
    return page->skip(page, test::bytes("locked:"), OMNISTORE_DENIED, test::bytes("no key fits"));
  };
  Storage storage = test::open(R"({ "m": )" + puppet.mount() + " }");
  CHECK(test::status_of([&] { storage.clear("m:"); }) == Status::denied);
}

TEST_CASE("a walk over keys or entries gives all there are and then throws what was left out") {
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

TEST_CASE("the text of what was left out can be read back, whatever is in it") {
  const std::vector<Skipped> places = {{"a:b:", Status::denied, "list a:b: (mount root): no, really; 100%"},
                                       {"gr\xc3\xbc\xc3\x9f"
                                        "e",
                                        Status::io, "line\r\nX-Evil: 1"},
                                       {"", Status::unavailable, "away"}};
  const std::string text = omnistore::report::skipped_text(places);
  CHECK(text.find_first_of("\r\n") == text.npos);
  CHECK(omnistore::report::read_skipped(text) == places);
}

TEST_CASE("the text of very many places has a bound and says how many more there are") {
  std::vector<Skipped> places;
  for (int i = 0; i < 1000; ++i) places.push_back({"folder" + std::to_string(i) + ":", Status::denied, "why"});
  const std::string text = omnistore::report::skipped_text(places);
  CHECK(text.size() < 5000);
  CHECK_THAT(omnistore::report::read_skipped(text).back().message, Catch::Contains(" more"));
}
