// SPDX-License-Identifier: Apache-2.0
// The path of base is what was configured: a store uses the folder that it leads to now.
#include <functional>
#include <thread>

#include <fcntl.h>
#include <unistd.h>

#include "watched.hpp"

using namespace test;

namespace {

/// A store whose base is PARENT/above/base, or what `link` makes of that path.
struct Based {
  Folder parent;
  std::string base = parent / "above/base";
  Host host;

  Based() { std::filesystem::create_directories(base); }
  void move(const std::string &from, const std::string &to) const {
    std::filesystem::rename(parent / from, parent / to);
  }
  /// As `ln -sfn` does: another link is moved over it.
  void point(const std::string &link, const std::string &target) const {
    std::filesystem::create_symlink(target, parent / (link + ".new"));
    move(link + ".new", link);
  }
};

/// The ways in which another folder can come to lie at a path. Each makes PARENT/other the new one.
struct Way {
  const char *name;
  std::function<void(const Based &)> prepare, change;
};
const Way ways[] = {
    {"base is renamed and another takes its place", [](const Based &) {},
     [](const Based &b) {
       b.move("above/base", "old");
       b.move("other", "above/base");
     }},
    {"two folders change places", [](const Based &) {},
     [](const Based &b) {
       REQUIRE(renameat2(AT_FDCWD, b.base.c_str(), AT_FDCWD, (b.parent / "other").c_str(), RENAME_EXCHANGE) == 0);
       b.move("other", "old");
     }},
    {"the folder above base is renamed and another takes its place", [](const Based &) {},
     [](const Based &b) {
       b.move("above", "was");
       std::filesystem::create_directory(b.parent / "above");
       b.move("other", "above/base");
       b.move("was/base", "old");
     }},
    {"base is a link that is switched",
     [](const Based &b) {
       b.move("above/base", "old");
       b.point("above/base", "../old");
     },
     [](const Based &b) { b.point("above/base", "../other"); }},
    {"a folder above base is a link that is switched",
     [](const Based &b) {
       std::filesystem::create_directories(b.parent / "releases/1");
       b.move("above/base", "releases/1/base");
       std::filesystem::remove(b.parent / "above");
       b.point("above", "releases/1");
     },
     [](const Based &b) {
       std::filesystem::create_directories(b.parent / "releases/2");
       b.move("other", "releases/2/base");
       b.point("above", b.parent / "releases/2");
       b.move("releases/1/base", "old");
     }},
};

} // namespace

TEST_CASE("when another folder lies at the path of base, each operation is done there") {
  for (const Way &way : ways) {
    INFO(way.name);
    Based b;
    way.prepare(b);
    Store store(b.host, b.base);
    write_file(b.parent / "other/folder/k", "new");
    for (const char *key : {"folder:k", "k", "gone"}) REQUIRE(store.set(key, "old") == OMNISTORE_OK);
    Page first;
    REQUIRE(store.page(first, "", 1, "") == OMNISTORE_OK);
    way.change(b);
    CHECK(store.get("folder:k") == "new");
    CHECK(store.get("gone") == std::nullopt);
    CHECK(store.list() == Keys{"folder:k"});
    CHECK(store.set("k", "new") == OMNISTORE_OK);
    CHECK(store.set("folder:more", "new") == OMNISTORE_OK);
    CHECK(store.remove("gone") == OMNISTORE_NOT_FOUND);
    CHECK(store.remove("folder:k") == OMNISTORE_OK);
    CHECK(names_in(b.base) == Keys{"folder", "folder/more", "k"});
    CHECK(store.touch("k", b.host.time + 1000) == OMNISTORE_OK);
    CHECK(store.clear() == OMNISTORE_OK);
    CHECK(names_in(b.base).empty());
    CHECK(names_in(b.parent / "old") == Keys{"folder", "folder/k", "gone", "k"});
    Page second;
    CHECK(store.page(second, "", 10, first.cursor) == OMNISTORE_OK);
    CHECK(second.items.empty());
  }
}

TEST_CASE("the log says once that another folder lies at the path of base") {
  Based b;
  Store store(b.host, b.base);
  std::filesystem::create_directory(b.parent / "other");
  ways[1].change(b);
  for (int i = 0; i < 10; ++i) store.set("k", "v");
  REQUIRE(b.host.lines().size() == 1);
  CHECK(b.host.lines()[0].find(b.base) != std::string::npos);
}

TEST_CASE("a watch reports a resync when another folder lies at the path of base, and continues in it") {
  for (const Way &way : ways) {
    INFO(way.name);
    Based b;
    way.prepare(b);
    Store store(b.host, b.base);
    write_file(b.parent / "other/folder/k", "v");
    write_file(b.base + "/folder/k", "v");
    Watch watch(store);
    REQUIRE(watch.status == OMNISTORE_OK);
    way.change(b);
    watch.until("resync");
    // Another resync may follow, and stands for what was written before it.
    for (int i = 0;; ++i) {
      const std::string key = "+folder:" + std::to_string(i);
      write_file(b.base + "/folder/" + std::to_string(i), "v");
      const auto has = [](const Keys &told, const std::string &text) {
        return std::find(told.begin(), told.end(), text) != told.end();
      };
      REQUIRE(watch.wait([&](const Keys &told) { return has(told, key) || has(told, "resync"); }));
      bool told_key = false;
      watch.wait([&](const Keys &told) { return told_key = has(told, key), true; });
      if (told_key) break;
      watch.until("resync");
      REQUIRE(i < 10);
    }
    write_file(b.parent / "old/folder/m", "v");
    write_file(b.base + "/n", "v");
    const Keys told = watch.until("+n");
    CHECK(std::find(told.begin(), told.end(), "+folder:m") == told.end());
  }
}

TEST_CASE("a set whose value took long is not stored in a folder that has left its place") {
  Based b;
  Store store(b.host, b.base);
  std::filesystem::create_directory(b.parent / "other");
  Pieces value({"a", "b"});
  struct Moving : Pieces {
    const Based &b;
    explicit Moving(const Based &based) : Pieces({"a"}), b(based) {
      read = [](omnistore_source *source, void *, std::uint64_t, std::uint64_t *count) {
        *count = 0;
        ways[1].change(static_cast<Moving *>(source)->b);
        return OMNISTORE_OK;
      };
    }
  } moving(b);
  CHECK(store.set("k", moving) == OMNISTORE_UNAVAILABLE);
  CHECK(names_in(b.base).empty());
  CHECK(names_in(b.parent / "old").empty());
  CHECK(store.set("k", value) == OMNISTORE_OK);
  CHECK(names_in(b.base) == Keys{"k"});
}

TEST_CASE("while nothing lies at the path of base it is empty, reads do not make it, and a set does") {
  Based b;
  Store store(b.host, b.base);
  store.set("k", "v");
  b.move("above/base", "old");
  CHECK(store.get("k") == std::nullopt);
  CHECK(store.list().empty());
  CHECK(store.remove("k") == OMNISTORE_NOT_FOUND);
  CHECK(store.clear() == OMNISTORE_OK);
  CHECK(!std::filesystem::exists(b.base));
  CHECK(store.set("l", "v") == OMNISTORE_OK);
  CHECK(names_in(b.base) == Keys{"l"});
  CHECK(names_in(b.parent / "old") == Keys{"k"});
}

TEST_CASE("a base that is moved away and back is found again") {
  Based b;
  Store store(b.host, b.base);
  store.set("k", "v");
  b.move("above/base", "old");
  CHECK(store.list().empty());
  b.move("old", "above/base");
  CHECK(store.get("k") == "v");
}

TEST_CASE("a file at the path of base is an error that names it") {
  Based b;
  Store store(b.host, b.base);
  store.set("k", "v");
  b.move("above/base", "old");
  write_file(b.base, "");
  CHECK(store.set("k", "v") == OMNISTORE_IO);
  CHECK(store.message().find(b.base) != std::string::npos);
  CHECK_THROWS_WITH(store.list(), Catch::Contains(b.base));
  CHECK(names_in(b.parent / "old") == Keys{"k"});
}

TEST_CASE("threads that write while base changes place write into a folder that lay there") {
  Based b;
  Store store(b.host, b.base);
  std::atomic<bool> stop{false};
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      const std::string key = t ? "k" : "folder:k";
      while (!stop) failed += store.set(key, "v") != OMNISTORE_OK;
    });
  }
  for (int i = 0; i < 50; ++i) {
    std::filesystem::create_directory(b.parent / "other");
    ways[1].change(b);
    std::error_code written_to;
    while (std::filesystem::remove_all(b.parent / "old", written_to), written_to) {
    }
  }
  stop = true;
  for (std::thread &thread : threads) thread.join();
  CHECK(failed == 0);
  CHECK(store.set("last", "v") == OMNISTORE_OK);
  CHECK(std::filesystem::exists(b.base + "/last"));
}
