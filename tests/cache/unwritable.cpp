// SPDX-License-Identifier: Apache-2.0
// Copies that can be neither replaced nor removed: the origin's response counts, and no reader gets an outdated value.
#include <catch2/catch.hpp>

#include <cerrno>

#include "../fs/injected.hpp"
#include "fixture.hpp"

using namespace test;
using omnistore::Storage;

namespace {

/// The copies lie in files, which a full disk keeps as they are; the origin is in memory.
struct FullDisk {
  Folder folder;
  Storage storage = open(R"({ "pages": { "driver": "fs", "options": { "base": ")" + folder.path().string() +
                         R"(" }, "invalidation": { "maxAge": 3600 }, "origin": { "driver": "memory" } } })");

  FullDisk() {
    for (const char *key : {"pages:k", "pages:a:b"}) {
      storage.set(key, "old");
      storage.get(key);
    }
  }
  /// False: it cannot be tried.
  bool run(const std::function<void()> &run) {
    const auto full = [](const Made &) { return ENOSPC; };
    return run_with_failures({SYS_unlinkat, SYS_renameat, SYS_renameat2, SYS_linkat}, full, run);
  }
};

} // namespace

TEST_CASE("a removal at the origin is a success whatever becomes of the copy, which no reader gets any more") {
  FullDisk f;
  bool removed = false, has = true;
  if (!f.run([&] {
        removed = f.storage.remove("pages:k");
        has = f.storage.has("pages:k");
      }))
    return;
  CHECK(removed);
  CHECK(!has);
  CHECK(!f.storage.get("pages:k"));
  CHECK(f.storage.get("pages:a:b") == "old");
  f.storage.set("pages:k", "new");
  CHECK(f.storage.get("pages:k") == "new");
}

TEST_CASE("a set at the origin is a success whatever becomes of the copy, and readers get the new value") {
  FullDisk f;
  std::optional<std::string> during;
  if (!f.run([&] {
        f.storage.set("pages:k", "new");
        during = f.storage.get("pages:k");
      }))
    return;
  CHECK(during == "new");
  CHECK(f.storage.get("pages:k") == "new");
}

TEST_CASE("a new ttl at the origin is a success whatever becomes of the copy") {
  FullDisk f;
  bool touched = false;
  if (!f.run([&] { touched = f.storage.touch("pages:k", std::chrono::seconds(60)); })) return;
  CHECK(touched);
  CHECK(f.storage.meta("pages:k")->expiry != 0);
  omnistore::advance_clock(61'000);
  CHECK(!f.storage.get("pages:k"));
}

TEST_CASE("a clear at the origin is a success whatever becomes of the copies, which no reader gets any more") {
  FullDisk f;
  std::uint64_t cleared = 0;
  bool has = true;
  if (!f.run([&] {
        cleared = f.storage.clear("pages:");
        has = f.storage.has("pages:k") || f.storage.has("pages:a:b");
      }))
    return;
  CHECK(cleared == 2);
  CHECK(!has);
  CHECK(!f.storage.get("pages:k"));
  CHECK(!f.storage.get("pages:a:b"));
}
