// SPDX-License-Identifier: Apache-2.0
// Folders and files that the system does not let the host read or remove: the rest is done, and they are named.
#include <functional>

#include <grp.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driven.hpp"

using namespace test;

namespace {

/// A folder with keys before, in and after `lost+found`, which only root may read.
struct Lost : Fixture {
  Lost() {
    for (const char *path : {"a", "lost+found/hidden", "sub/lost+found/hidden", "sub/b", "z"})
      write_file(file(path), "v");
    for (const char *path : {"", "sub"}) REQUIRE(chmod(file(path).c_str(), 0777) == 0);
    for (const char *path : {"lost+found", "sub/lost+found"}) REQUIRE(chmod(file(path).c_str(), 0) == 0);
  }
  ~Lost() {
    for (const char *path : {"lost+found", "sub/lost+found"}) chmod(file(path).c_str(), 0700);
  }
};

/// Runs as a user who is not root, in a child; the first line that was not as it should be, or 0.
int as_a_user(const std::function<int()> &run) {
  const pid_t child = fork();
  if (child == 0) {
    const bool is_root = geteuid() == 0;
    if (is_root && (setgroups(0, nullptr) != 0 || setgid(65531) != 0 || setuid(65531) != 0)) _exit(255);
    _exit(run());
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

#define EXPECT_HERE(holds)                                                                                             \
  do {                                                                                                                 \
    if (!(holds)) return __LINE__;                                                                                     \
  } while (false)

} // namespace

TEST_CASE("a folder that cannot be read is left out of a listing, and the log names it once") {
  Lost f;
  CHECK(as_a_user([&] {
          for (const std::uint32_t limit : {100u, 1u}) {
            EXPECT_HERE((f.store.list("", OMNISTORE_ANY_DEPTH, limit) == Keys{"a", "sub:b", "z"}));
          }
          EXPECT_HERE((f.store.list("sub:") == Keys{"sub:b"}));
          EXPECT_HERE(f.host.lines().size() == 2);
          EXPECT_HERE(f.host.lines()[0].find(f.file("lost+found") + ": Permission denied") == 0);
          EXPECT_HERE(f.host.lines()[1].find(f.file("sub/lost+found") + ": Permission denied") == 0);
          return 0;
        }) == 0);
}

TEST_CASE("a folder that cannot be read is reported to the host with each page that leaves it out") {
  Lost f;
  CHECK(as_a_user([&] {
          Page whole;
          EXPECT_HERE(f.store.page(whole, "", 100, "") == OMNISTORE_OK);
          EXPECT_HERE(whole.skipped.size() == 2);
          EXPECT_HERE(whole.skipped[0].base == "lost+found:" && whole.skipped[0].status == OMNISTORE_DENIED);
          EXPECT_HERE(whole.skipped[0].message == "lost+found: Permission denied");
          EXPECT_HERE(whole.skipped[1].base == "sub:lost+found:");
          Keys told;
          std::string cursor;
          do {
            Page page;
            EXPECT_HERE(f.store.page(page, "", 1, cursor) == OMNISTORE_OK);
            for (const omnistore::Skip &skip : page.skipped) told.push_back(skip.base);
            cursor = page.cursor;
          } while (!cursor.empty());
          EXPECT_HERE((told == Keys{"lost+found:", "sub:lost+found:"}));
          return 0;
        }) == 0);
}

TEST_CASE("a page that refuses a place that was left out ends the listing, an older page does not") {
  Lost f;
  CHECK(as_a_user([&] {
          Page refuses;
          refuses.skip = [](omnistore_page *, omnistore_bytes, omnistore_status, omnistore_bytes) {
            return OMNISTORE_TIMEOUT;
          };
          EXPECT_HERE(f.store.page(refuses, "", 100, "") == OMNISTORE_TIMEOUT);
          Page older;
          older.size = offsetof(omnistore_page, skip);
          EXPECT_HERE(f.store.page(older, "", 100, "") == OMNISTORE_OK);
          EXPECT_HERE((older.keys() == Keys{"a", "sub:b", "z"}));
          EXPECT_HERE(older.skipped.empty());
          return 0;
        }) == 0);
}

TEST_CASE("a key in a folder that cannot be read is denied, and so is a listing of that folder itself") {
  Lost f;
  CHECK(as_a_user([&] {
          Got got;
          EXPECT_HERE(f.store.get("lost+found:hidden", got) == OMNISTORE_DENIED);
          Page page;
          EXPECT_HERE(f.store.page(page, "lost+found:", 10, "") == OMNISTORE_DENIED);
          return 0;
        }) == 0);
}

TEST_CASE("a folder whose names can be read but not its files is named by a listing with meta") {
  Lost f;
  REQUIRE(chmod(f.file("lost+found").c_str(), 0744) == 0);
  CHECK(as_a_user([&] {
          Page page;
          EXPECT_HERE(f.store.page(page, "", 100, "", OMNISTORE_ANY_DEPTH, OMNISTORE_LIST_META) == OMNISTORE_OK);
          EXPECT_HERE((page.keys() == Keys{"a", "sub:b", "z"}));
          EXPECT_HERE(f.host.lines().size() == 2);
          return 0;
        }) == 0);
}

TEST_CASE("a clear removes the keys that it can and then names the places that it could not read") {
  Lost f;
  CHECK(as_a_user([&] {
          Page removed;
          EXPECT_HERE(f.store.clear("", &removed) == OMNISTORE_DENIED);
          EXPECT_HERE(f.store.message().find("lost+found") == 0);
          EXPECT_HERE((removed.keys() == Keys{"a", "sub:b", "z"}));
          return 0;
        }) == 0);
  CHECK(f.names() == Keys{"lost+found", "lost+found/hidden", "sub", "sub/lost+found", "sub/lost+found/hidden"});
}

TEST_CASE("a clear continues after a file that it may not remove") {
  Lost f;
  write_file(f.file("fixed/k"), "v");
  REQUIRE(chmod(f.file("fixed").c_str(), 0755) == 0);
  CHECK(as_a_user([&] {
          Page removed;
          EXPECT_HERE(f.store.clear("", &removed) == OMNISTORE_DENIED);
          EXPECT_HERE(f.store.message().find("fixed/k") == 0);
          EXPECT_HERE((removed.keys() == Keys{"a", "sub:b", "z"}));
          return 0;
        }) == 0);
}

TEST_CASE("the option ignore leaves out a folder by its bare name, in every folder, without a message") {
  Lost f;
  Store store(f.host, f.folder.path().string(), R"(, "ignore": ["lost+found"])");
  CHECK(as_a_user([&] {
          EXPECT_HERE((store.list() == Keys{"a", "sub:b", "z"}));
          EXPECT_HERE(store.clear() == OMNISTORE_OK);
          EXPECT_HERE(store.list().empty());
          EXPECT_HERE(f.host.lines().empty());
          return 0;
        }) == 0);
}
