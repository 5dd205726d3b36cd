// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "puppet.hpp"

using omnistore::SetItem;
using omnistore::Status;
using omnistore::Storage;
using Keys = std::vector<std::string>;

namespace {
const std::string mounts = R"({ "": { "driver": "memory" }, "b": { "driver": "bare" }, "c": { "driver": "bare" },
                                "r": { "driver": "memory", "readOnly": true } })";
}

TEST_CASE("a batch returns its items in the order of the request, each with its own outcome") {
  Storage storage = test::open(mounts);
  const auto set = storage.set_many(std::vector<SetItem>{{"x", "1", {}},
                                                         {"b:x", "2", {}},
                                                         {"r:x", "3", {}},
                                                         {"c:fail:100", "4", {}},
                                                         {"a:..", "5", {}},
                                                         {"c:x", "6", {}}});
  REQUIRE(set.size() == 6);
  CHECK(set[0].status == Status::ok);
  CHECK(set[1].status == Status::ok);
  CHECK(set[2].status == Status::read_only);
  CHECK(set[3].status == Status::no_space);
  CHECK(set[3].message == "set c:fail:100 (mount c, driver bare): as the key says");
  CHECK(set[4].status == Status::invalid);
  CHECK(set[5].status == Status::ok);

  const auto got = storage.get_many(Keys{"c:x", "none", "x", "b:x", "b:throw", "/x"});
  REQUIRE(got.size() == 6);
  CHECK(got[0].entry.value == "6");
  CHECK(got[1].status == Status::not_found);
  CHECK(got[2].entry.value == "1");
  CHECK(got[3].entry.value == "2");
  CHECK(got[4].status == Status::internal);
  CHECK(got[5].entry.value == "1");

  const auto removed = storage.remove_many(Keys{"none", "c:x", "x"});
  CHECK(removed[0].status == Status::not_found);
  CHECK(removed[1].status == Status::ok);
  CHECK(removed[2].status == Status::ok);
  CHECK(storage.keys().all() == Keys{"b:x"});
}

TEST_CASE("in a batch the last set of a key wins") {
  Storage storage = test::open(mounts);
  storage.set_many(std::vector<SetItem>{{"x", "1", {}}, {"b:x", "1", {}}, {"x", "2", {}}, {"b:x", "2", {}}});
  CHECK(storage.get("x") == "2");
  CHECK(storage.get("b:x") == "2");
}

TEST_CASE("an empty batch returns nothing") {
  Storage storage = test::open(mounts);
  CHECK(storage.get_many({}).empty());
  CHECK(storage.set_many({}).empty());
  CHECK(storage.remove_many({}).empty());
}

TEST_CASE("a large batch over a memory store keeps each value with its key") {
  Storage storage = test::open(mounts);
  std::vector<SetItem> items;
  Keys keys;
  for (int i = 0; i < 5000; ++i) {
    keys.push_back((i % 3 ? "k" : "b:k") + std::to_string(i));
    items.push_back({keys.back(), "value " + std::to_string(i), {}});
  }
  for (const auto &outcome : storage.set_many(items)) REQUIRE(outcome.status == Status::ok);
  const auto got = storage.get_many(keys);
  for (int i = 0; i < 5000; ++i) REQUIRE(got[i].entry.value == "value " + std::to_string(i));
}

TEST_CASE("removing in a batch takes the meta along") {
  Storage storage = test::open(mounts);
  for (const char *key : {"x", "x$", "b:y", "b:y$"}) storage.set(key, "{}");
  storage.remove_many(Keys{"x", "b:y"});
  CHECK_FALSE(storage.has("x$"));
  CHECK_FALSE(storage.has("b:y$"));
}

TEST_CASE("a batch gets no more bytes than it may, and a value that does not fit is no failure of the store") {
  Storage storage = test::open(mounts);
  for (const char *base : {"", "b:"}) {
    INFO(base);
    const std::string key = std::string(base) + "k";
    storage.set(key, std::string(1000, 'v'));
    omnistore::GetOptions options;
    options.most = 2500;
    const auto got = storage.get_many(Keys{key, key, key}, options);
    CHECK(got[0].entry.value.size() == 1000);
    CHECK(got[1].entry.value.size() == 1000);
    CHECK(got[2].status == Status::too_large);
    CHECK(got[2].entry.value.empty());
  }
  for (const omnistore::MountStats &stats : storage.stats()) CHECK(stats.errors == 0);
}

TEST_CASE("a listing with meta gets the meta of many keys at once") {
  test::Puppet puppet;
  puppet.traits.capabilities &= ~OMNISTORE_CAN_LIST_META;
  puppet.list = [](omnistore_call *, const omnistore_list_request &, omnistore_page *page) {
    for (int i = 0; i < 600; ++i) {
      const std::string key = "k" + std::to_string(i);
      if (const auto status = page->emit(page, test::bytes(key), nullptr); status != OMNISTORE_OK) return status;
    }
    return OMNISTORE_OK;
  };
  int asked = 0, alone = 0;
  puppet.stat = [&](omnistore_call *, std::string_view, const omnistore_get_request &, omnistore_sink *sink) {
    ++alone;
    const omnistore_meta meta = test::meta_of_size(7);
    return sink->begin(sink, &meta, nullptr);
  };
  puppet.stat_many = [&](omnistore_call *, std::uint32_t count, const omnistore_bytes *, omnistore_sink *const *sinks,
                         omnistore_status *statuses) {
    ++asked;
    for (std::uint32_t i = 0; i < count; ++i) {
      const omnistore_meta meta = test::meta_of_size(i);
      statuses[i] = i == 5 ? OMNISTORE_NOT_FOUND : sinks[i]->begin(sinks[i], &meta, nullptr);
    }
    return OMNISTORE_OK;
  };
  const bool has = GENERATE(true, false);
  Storage storage = test::open(R"({ "": )" + puppet.mount(has ? "puppet" : "puppet-bare") + " }");
  omnistore::ListOptions options;
  options.meta = true;
  const omnistore::Page page = storage.list("", options);
  CHECK(page.items.size() == (has ? 597u : 600u)); // those that are gone by now are left out
  CHECK(page.items[1].meta.size == (has ? 1u : 7u));
  CHECK(asked == (has ? 3 : 0));
  CHECK(alone == (has ? 0 : 600));
}

TEST_CASE("a batch of sets gives the etags of the new values if it wants them") {
  Storage storage = test::open(
      R"({ "": { "driver": "memory" }, "o": { "driver": "overlay", "layers": [ { "driver": "memory" }, { "driver": "memory" } ] },
                                    "b": { "driver": "bare" } })");
  const std::vector<SetItem> items{{"x", "1", {}}, {"y", "2", {}}, {"o:x", "3", {}}, {"b:x", "4", {}}};
  for (const auto &outcome : storage.set_many(items)) CHECK(outcome.etag.empty());
  const auto set = storage.set_many(items, {}, true);
  for (std::size_t i = 0; i < items.size(); ++i) {
    INFO(items[i].key);
    REQUIRE(set[i].status == Status::ok);
    CHECK(set[i].etag == storage.meta(items[i].key)->etag);
    CHECK(set[i].etag.empty() == (items[i].key == "b:x"));
  }
}
