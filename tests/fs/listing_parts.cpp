// SPDX-License-Identifier: Apache-2.0
// Directories as folders, and ranges over directories. The kit tests the meaning of folders and ranges.
#include <filesystem>
#include <fstream>

#include "driven.hpp"
#include "injected.hpp"

using namespace test;

namespace {

constexpr std::uint32_t folders = OMNISTORE_LIST_FOLDERS;

Keys folders_of(Fixture &f, std::string_view base = "", std::uint32_t limit = 100) {
  return f.store.list(base, 0, limit, folders);
}

/// How many directories are opened meanwhile. Fewer than there are if the kernel cannot count them.
template <class Run>
int directories_opened(Run run) {
  int opened = 0;
  const auto count = [&](const Made &) { return ++opened, 0; };
  if (!run_with_failures({SYS_openat2}, count, run)) run();
  return opened;
}

} // namespace

TEST_CASE("a listing with folders gives directories in the order of their names, in pages of any size") {
  Fixture f;
  for (const char *key : {"a", "a!", "a:b", "a:b:c", "a;", "b:x:y:z", "z"}) f.store.set(key, "v");
  for (std::uint32_t limit = 1; limit < 8; ++limit)
    CHECK(folders_of(f, "", limit) == Keys{"a", "a!", "a:", "a;", "b:", "z"});
  CHECK(folders_of(f, "a:") == Keys{"a:b", "a:b:"});
  CHECK(f.store.list("", 1, 2, folders) == Keys{"a", "a!", "a:b", "a:b:", "a;", "b:x:", "z"});
}

TEST_CASE("a listing with folders opens each directory once and goes into none") {
  Fixture f;
  for (int i = 0; i < 30; ++i) f.store.set("a:sub" + std::to_string(i) + ":deep:key", "v");
  f.store.set("b:sub:key", "v");
  Keys found;
  const int opened = directories_opened([&] { found = folders_of(f); });
  CHECK(found == Keys{"a:", "b:"});
  CHECK(opened <= 4); // base, a and b
}

TEST_CASE("a directory without values and directories is no folder") {
  Fixture f;
  f.store.set("a:b", "v");
  std::filesystem::create_directory(f.file("empty"));
  std::filesystem::create_directory(f.file("temporary"));
  std::ofstream(f.file("temporary/.1-2.omnistore-tmp$")) << "half";
  CHECK(folders_of(f) == Keys{"a:"});
}

TEST_CASE("a directory that holds no more than a key's own value is no folder") {
  Fixture f;
  f.store.set("a", "own");
  f.store.set("a:b", "v");
  CHECK(folders_of(f) == Keys{"a", "a:"});
  REQUIRE(f.store.remove("a:b") == OMNISTORE_OK);
  CHECK(folders_of(f) == Keys{"a"});
}

TEST_CASE("a directory that is ignored is no folder") {
  Fixture f;
  f.store.set("node_modules:x", "v");
  f.store.set("a:node_modules:x", "v");
  f.store.set("b:x", "v");
  CHECK(folders_of(f) == Keys{"b:"});
}

TEST_CASE("a range opens no directory that lies outside") {
  Fixture f;
  for (int i = 10; i < 40; ++i) f.store.set("d" + std::to_string(i) + ":k", "v");
  Keys found;
  const int opened = directories_opened([&] { found = f.store.list("", OMNISTORE_ANY_DEPTH, 100, 0, "d20", "d22"); });
  CHECK(found == Keys{"d20:k", "d21:k"});
  CHECK(opened <= 4); // base, d20 and d21
}
