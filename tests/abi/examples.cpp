// SPDX-License-Identifier: Apache-2.0
// The examples, built as plugins, loaded from their files and used through the C table alone. OMNISTORE_EXAMPLES names
// another folder that they lie in: the installed SDK's test builds them there.
#include <catch2/catch.hpp>

#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include <omnistore/testing.hpp>

using omnistore::testing::BareStore;
using omnistore::testing::Library;
using Keys = std::vector<std::string>;

namespace {

std::string example(const std::string &name) {
  const char *folder = std::getenv("OMNISTORE_EXAMPLES");
  return (folder ? std::string(folder) : std::string(OMNISTORE_BUILD "/examples")) + "/" + name + ".so";
}

} // namespace

TEST_CASE("both examples: a plugin of this header's version, with one driver of its file's name") {
  for (const char *name : {"hello", "c-map"}) {
    const Library library(example(name));
    CHECK(library.plugin().abi_major == OMNISTORE_ABI_MAJOR);
    CHECK(library.plugin().abi_minor == OMNISTORE_ABI_MINOR);
    CHECK(library.driver().name == std::string(name));
    CHECK(library.driver().size == sizeof(omnistore_driver));
  }
}

TEST_CASE("both examples: a value that is set can be read, until it is removed") {
  for (const char *name : {"hello", "c-map"}) {
    const Library library(example(name));
    BareStore store(library.driver());
    const std::string binary("\0\xff\n", 3);
    store.set("a", "1");
    store.set("a:b", binary);
    store.set("empty", "");
    store.set("a", "another, longer value");
    CHECK(store.get("a") == "another, longer value");
    CHECK(store.get("a:b") == binary);
    CHECK(store.get("empty") == "");
    CHECK(store.stat("a:b")->value_size == 3);
    CHECK(store.keys() == Keys{"a", "a:b", "empty"});
    CHECK(store.remove("a"));
    CHECK_FALSE(store.remove("a"));
    CHECK(store.get("a:b") == binary);
    CHECK(store.keys() == Keys{"a:b", "empty"});
  }
}

TEST_CASE("both examples: a listing by pages gives every key that stays, none twice, while others write") {
  for (const char *name : {"hello", "c-map"}) {
    const Library library(example(name));
    BareStore store(library.driver());
    std::set<std::string> stays;
    for (int i = 0; i < 200; ++i) {
      const std::string n = std::to_string(i);
      stays.insert("base:" + n);
      store.set("base:" + n, n);
      store.set("base:" + n + ":gone", n);
      store.set("bas" + n, n);
      store.set("base2:" + n, n);
    }
    std::multiset<std::string> seen;
    std::string cursor;
    int step = 0;
    do {
      const BareStore::Page page = store.list("base:", 13, cursor);
      CHECK(page.keys.size() <= 13);
      seen.insert(page.keys.begin(), page.keys.end());
      cursor = page.cursor;
      if (!page.keys.empty()) store.remove(page.keys.back().ends_with(":gone") ? page.keys.back() : "none");
      store.remove("base:" + std::to_string(++step) + ":gone");
      store.set("base:0:new:" + std::to_string(step), "");
    } while (!cursor.empty());
    for (const std::string &key : stays) CHECK(seen.count(key) == 1);
    for (const std::string &key : seen) CHECK(key.starts_with("base:"));
    CHECK(store.keys("nothing:").empty());
  }
}

TEST_CASE("c-map: a key that is not there is a miss") {
  const Library library(example("c-map"));
  BareStore store(library.driver());
  store.set("b", "1");
  for (const char *key : {"a", "bb", "c"}) {
    CHECK_FALSE(store.get(key));
    CHECK_FALSE(store.stat(key));
    CHECK_FALSE(store.remove(key));
  }
}

TEST_CASE("c-map: meta has size and mtime, in listings too") {
  const Library library(example("c-map"));
  BareStore store(library.driver());
  store.host().time = 5;
  store.set("a", "123");
  CHECK(store.stat("a")->mtime == 5);
  omnistore::PageSink page([](std::string_view, const omnistore_meta *meta) {
    CHECK((meta && meta->value_size == 3 && meta->mtime == 5));
    return OMNISTORE_OK;
  });
  const omnistore_list_request request{sizeof request, OMNISTORE_LIST_META, {}, OMNISTORE_ANY_DEPTH, 9, {}, {}, {}};
  omnistore::testing::BareCall call;
  CHECK(store.child().list(omnistore::Call(&call), request, page) == OMNISTORE_OK);
}

TEST_CASE("hello: a key without words of its own is greeted as the options say") {
  const Library library(example("hello"));
  CHECK(BareStore(library.driver()).get("you") == "hello you");
  BareStore store(library.driver(), R"({"greeting":"good day"})");
  CHECK(store.get("you") == "good day you");
  store.set("you", "bye");
  CHECK(store.get("you") == "bye");
  CHECK(store.remove("you"));
  CHECK(store.get("you") == "good day you");
}

TEST_CASE("null: takes every write and finds nothing") {
  const Library library(OMNISTORE_BUILD "/plugins/null.so");
  BareStore store(library.driver());
  store.set("a", "1");
  CHECK_FALSE(store.get("a"));
  CHECK_FALSE(store.stat("a"));
  CHECK_FALSE(store.remove("a"));
  CHECK(store.keys().empty());
}

TEST_CASE("null: a write that needs a value is a conflict") {
  const Library library(OMNISTORE_BUILD "/plugins/null.so");
  BareStore store(library.driver());
  omnistore::testing::BareCall call;
  const auto set = [&](std::uint32_t condition) {
    omnistore_set_request request{};
    request.size = sizeof request;
    request.condition = condition;
    return store.child().set(omnistore::Call(&call), "a", request);
  };
  CHECK(set(OMNISTORE_ALWAYS) == OMNISTORE_OK);
  CHECK(set(OMNISTORE_IF_ABSENT) == OMNISTORE_OK);
  CHECK(set(OMNISTORE_IF_PRESENT) == OMNISTORE_CONFLICT);
  CHECK(set(OMNISTORE_IF_MATCH) == OMNISTORE_CONFLICT);
}
