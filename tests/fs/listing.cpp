// SPDX-License-Identifier: Apache-2.0
#include <thread>

#include "driven.hpp"

using namespace test;

namespace {
Keys some_keys() {
  return {"a", "a!", "a$", "a:b", "a:b!", "a:b:c", "a:c", "a:\xc3\xa9", "ab", "b:x:y:z", "b:x;", "z"};
}
} // namespace

TEST_CASE("keys come in the order of their bytes, in pages of any size") {
  Fixture f;
  for (const std::string &key : some_keys()) f.store.set(key, "v");
  Keys sorted = some_keys();
  std::sort(sorted.begin(), sorted.end());
  for (std::uint32_t limit = 1; limit < 15; ++limit) CHECK(f.store.list("", OMNISTORE_ANY_DEPTH, limit) == sorted);
}

TEST_CASE("a listing of a base gives the keys under it, without the base's own key") {
  Fixture f;
  for (const std::string &key : some_keys()) f.store.set(key, "v");
  CHECK(f.store.list("a:", OMNISTORE_ANY_DEPTH, 2) == Keys{"a:b", "a:b!", "a:b:c", "a:c", "a:\xc3\xa9"});
  CHECK(f.store.list("b:x:") == Keys{"b:x:y:z"});
  CHECK(f.store.list("z:").empty());
  CHECK(f.store.list("none:below:").empty());
  CHECK(f.store.list(std::string(300, 'n') + ":").empty());
}

TEST_CASE("depth counts the colons after the base") {
  Fixture f;
  for (const std::string &key : some_keys()) f.store.set(key, "v");
  CHECK(f.store.list("", 0) == Keys{"a", "a!", "a$", "ab", "z"});
  CHECK(f.store.list("", 1) == Keys{"a", "a!", "a$", "a:b", "a:b!", "a:c", "a:\xc3\xa9", "ab", "b:x;", "z"});
  CHECK(f.store.list("a:", 0) == Keys{"a:b", "a:b!", "a:c", "a:\xc3\xa9"});
  CHECK(f.store.list("b:", 1) == Keys{"b:x;"});
}

TEST_CASE("a page that has the last key says that it was all") {
  Fixture f;
  f.store.set("a", "v");
  f.store.set("b:c", "v");
  Page page;
  REQUIRE(f.store.page(page, "", 2, "") == OMNISTORE_OK);
  CHECK(page.keys() == Keys{"a", "b:c"});
  CHECK(page.cursor.empty());
}

TEST_CASE("a cursor is good in a store that was opened later, and again and again") {
  Fixture f;
  for (const std::string &key : some_keys()) f.store.set(key, "v");
  Keys sorted = some_keys();
  std::sort(sorted.begin(), sorted.end());
  for (std::uint32_t limit = 1; limit < sorted.size(); ++limit) {
    Page first;
    REQUIRE(f.store.page(first, "", limit, "") == OMNISTORE_OK);
    for (int i = 0; i < 2; ++i) {
      Store later(f.host, f.folder.path().string());
      for (Store *store : {&later, &f.store}) {
        Page rest;
        REQUIRE(store->page(rest, "", 100, first.cursor) == OMNISTORE_OK);
        CHECK(rest.keys() == Keys(sorted.begin() + limit, sorted.end()));
      }
    }
  }
}

TEST_CASE("a cursor whose key is gone continues after its place") {
  Fixture f;
  for (const char *key : {"a:b", "a:c", "b"}) f.store.set(key, "v");
  Page first;
  f.store.page(first, "", 1, "");
  f.store.clear("a:");
  Store later(f.host, f.folder.path().string());
  Page rest;
  REQUIRE(later.page(rest, "", 10, first.cursor) == OMNISTORE_OK);
  CHECK(rest.keys() == Keys{"b"});
}

TEST_CASE("a cursor that the store did not give is refused") {
  Fixture f;
  for (const char *cursor : {"x", "0123456789abcdef", "0123456789abcdeg:k", "k"}) {
    Page page;
    CHECK(f.store.page(page, "", 10, cursor) == OMNISTORE_INVALID);
  }
  Page page;
  CHECK(f.store.page(page, "a:", 10, "0123456789abcdefb:c") == OMNISTORE_INVALID);
  CHECK(f.store.message() == "the cursor belongs to another base");
}

TEST_CASE("meta comes with each key if the request wants it") {
  Fixture f;
  f.store.set("a", "12345", {.expiry = f.host.time + 1000});
  f.store.set("a:b", "1");
  Page page;
  REQUIRE(f.store.page(page, "", 10, "", OMNISTORE_ANY_DEPTH, OMNISTORE_LIST_META) == OMNISTORE_OK);
  REQUIRE(page.keys() == Keys{"a", "a:b"});
  CHECK(page.items[0].meta == std::pair<std::uint64_t, std::int64_t>(5, f.host.time + 1000));
  CHECK(page.items[1].meta == std::pair<std::uint64_t, std::int64_t>(1, 0));
}

TEST_CASE("ignored keys are not listed, but can be read and written") {
  Fixture f;
  for (const char *path : {".git/config", "a/.git", "a/node_modules/x/y", "a/b", "node_modulesque"}) {
    write_file(f.file(path), "v");
  }
  CHECK(f.store.list() == Keys{"a:b", "node_modulesque"});
  CHECK(f.store.list("a:node_modules:").empty());
  CHECK(f.store.list("a:node_modules:x:").empty());
  CHECK(f.store.get(".git:config") == "v");
  CHECK(f.store.set(".git:new", "v") == OMNISTORE_OK);
}

TEST_CASE("the option ignore takes globs of paths and names") {
  Folder folder;
  Host host;
  Store store(host, folder.path().string(), R"(, "ignore": ["*.log", "tmp/**", "a/*/secret", "**/*.{bak,old}"])");
  for (const char *key : {"x.log", "a:y.log", "tmp:x", "a:tmp:x", "a:b:secret", "a:secret", "d:e.bak", "d:e.new"}) {
    store.set(key, "v");
  }
  CHECK(store.list() == Keys{"a:secret", "a:tmp:x", "d:e.new"});
  CHECK_THROWS_WITH(Store(host, folder.path().string(), R"(, "ignore": ["!x"])"),
                    Catch::Contains("option ignore: the pattern \"!x\""));
}

TEST_CASE("names that no key can have are not listed") {
  Fixture f;
  for (const char *name : {"a:b", "back\\slash", "what?", "\xff\xfe", "\xed\xa0\x80", "fine", "\xe2\x82\xac"}) {
    write_file(f.file(name), "v");
  }
  CHECK(f.store.list() == Keys{"fine", "\xe2\x82\xac"});
}

TEST_CASE("a folder is read once for all pages of a listing") {
  Fixture f;
  for (int i = 0; i < 1000; ++i) write_file(f.file("k" + std::to_string(1000 + i)), "");
  Page first;
  REQUIRE(f.store.page(first, "", 10, "") == OMNISTORE_OK);
  // Whoever reads the folder anew meets this name, which a run that has begun need not show.
  write_file(f.file("k1500-later"), "");
  std::size_t keys = first.items.size();
  std::string cursor = first.cursor;
  bool met = false;
  for (int pages = 1; !cursor.empty(); ++pages) {
    Page page;
    REQUIRE(f.store.page(page, "", 10, cursor) == OMNISTORE_OK);
    keys += page.items.size();
    for (const Page::Item &item : page.items) met = met || item.key == "k1500-later";
    cursor = page.cursor;
  }
  CHECK(keys == 1000);
  CHECK(!met);
}

TEST_CASE("a hundred thousand files come in pages of a thousand, each once, in order") {
  Fixture f;
  for (int i = 0; i < 10; ++i) f.store.set("k:" + std::to_string(i), "v");
  for (int i = 0; i < 100000; ++i) {
    char name[16];
    std::snprintf(name, sizeof name, "k/n%06d", i * 7919 % 100000);
    std::filesystem::create_hard_link(f.file("k/" + std::to_string(i % 10)), f.file(name));
  }
  const Keys keys = f.store.list("k:", OMNISTORE_ANY_DEPTH, 1000);
  CHECK(keys.size() == 100010);
  CHECK(std::is_sorted(keys.begin(), keys.end()));
  CHECK(std::adjacent_find(keys.begin(), keys.end()) == keys.end());
}

TEST_CASE("a listing while others write gives every key that stays exactly once") {
  Fixture f;
  Keys stable;
  for (int i = 0; i < 500; ++i) {
    const std::string number = std::to_string(1000 + i);
    stable.push_back(i % 3 ? "flat" + number : "tree:" + number.substr(2) + ":" + number);
    f.store.set(stable.back(), "v");
  }
  std::sort(stable.begin(), stable.end());
  std::atomic<bool> done{false};
  std::vector<std::thread> writers;
  for (int t = 0; t < 3; ++t) {
    writers.emplace_back([&, t] {
      for (unsigned i = 0; !done; ++i) {
        const std::string number = std::to_string(t) + std::to_string(i % 400);
        f.store.set("flat" + number + "~", "new");
        f.store.set("tree:" + number + "~:x", "new");
        f.store.set(stable[i % stable.size()], "over");
        f.store.set(stable[i * 7 % stable.size()] + ":nested~", "new");
        f.store.remove("flat" + number + "~");
        f.store.remove("tree:" + number + "~:x");
      }
    });
  }
  for (int round = 0; round < 20; ++round) {
    Keys listed = f.store.list("", OMNISTORE_ANY_DEPTH, 37);
    listed.erase(std::remove_if(listed.begin(), listed.end(),
                                [](const std::string &key) { return key.find('~') != std::string::npos; }),
                 listed.end());
    if (listed != stable) {
      done = true;
      Keys missing;
      std::set_symmetric_difference(stable.begin(), stable.end(), listed.begin(), listed.end(),
                                    std::back_inserter(missing));
      FAIL_CHECK("round " << round << ": " << (missing.empty() ? "one twice" : missing[0]));
      break;
    }
  }
  done = true;
  for (std::thread &writer : writers) writer.join();
}
