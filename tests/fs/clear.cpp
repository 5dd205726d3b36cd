// SPDX-License-Identifier: Apache-2.0
#include "driven.hpp"

using namespace test;

TEST_CASE("clear removes the keys under its base, reports each key, and leaves no folder") {
  Fixture f;
  for (const char *key : {"a", "a:b", "a:b:c", "a:b$", "ab", "c"}) f.store.set(key, "v");
  Page removed;
  CHECK(f.store.clear("a:", &removed) == OMNISTORE_OK);
  CHECK(removed.keys() == Keys{"a:b", "a:b:c"}); // a:b$ is the user meta of a:b
  CHECK(f.store.list() == Keys{"a", "ab", "c"});
  CHECK(f.store.clear("", &removed) == OMNISTORE_OK);
  CHECK(f.names().empty());
  CHECK(std::filesystem::exists(f.folder.path()));
}

TEST_CASE("clear of a base without keys does nothing") {
  Fixture f;
  f.store.set("a", "v");
  CHECK(f.store.clear("none:") == OMNISTORE_OK);
  CHECK(f.store.clear("a:") == OMNISTORE_OK);
  CHECK(f.store.list() == Keys{"a"});
}

TEST_CASE("clear leaves ignored files and files that are no values") {
  Fixture f;
  write_file(f.file(".git/config"), "");
  write_file(f.file("a/node_modules/x"), "");
  write_file(f.file("a/b"), "");
  CHECK(f.store.clear() == OMNISTORE_OK);
  CHECK(f.names() == Keys{".git", ".git/config", "a", "a/node_modules", "a/node_modules/x"});
}

TEST_CASE("a clear reports expired values as expired") {
  Fixture f;
  f.store.set("a:dead", "v", {.expiry = f.host.time + 1});
  f.store.set("a:alive", "v");
  f.host.time += 1;
  Page removed;
  CHECK(f.store.clear("a:", &removed) == OMNISTORE_OK);
  CHECK(removed.keys() == Keys{"a:alive"});
  CHECK(f.host.take_expired() == Keys{"a:dead"});
  CHECK(f.names().empty());
}

TEST_CASE("noClear refuses to clear and allows the rest") {
  Folder folder;
  Host host;
  Store store(host, folder.path().string(), ", \"noClear\": true");
  store.set("k", "v");
  CHECK(store.clear() == OMNISTORE_READ_ONLY);
  CHECK(store.message() == "the option noClear is set: keys can be removed one by one");
  CHECK(store.clear("x:") == OMNISTORE_READ_ONLY);
  CHECK(store.get("k") == "v");
  CHECK(store.remove("k") == OMNISTORE_OK);
}
