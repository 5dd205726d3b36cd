// SPDX-License-Identifier: Apache-2.0
// User meta lies in the file `b$` beside the value's `b`, as unstorage has it, and belongs to one value.
#include "driven.hpp"
#include "injected.hpp"

#include <csignal>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

using namespace test;

namespace {

const std::string user("\0{\"p\":1.10}\xff", 12);

How with(std::string_view text, std::int64_t expiry = 0) {
  How how;
  how.user = text;
  how.expiry = expiry;
  return how;
}
struct stat status_of(const std::filesystem::path &file) {
  struct stat status {};
  REQUIRE(stat(file.c_str(), &status) == 0);
  return status;
}
void set_time(const std::filesystem::path &file, const timespec &mtime) {
  const timespec times[2] = {{0, UTIME_OMIT}, mtime};
  REQUIRE(utimensat(AT_FDCWD, file.c_str(), times, 0) == 0);
}

/// Removes a key in a child, which is killed before its second unlink, that of the user meta. False: the kernel has no
/// such filters.
bool kill_amid_a_removal(const std::string &base, const char *key) {
  const pid_t child = fork();
  if (child == 0) {
    Host host;
    Store store(host, base);
    int unlinks = 0;
    const auto decide = [&](const Made &) {
      if (++unlinks == 2) kill(getpid(), SIGKILL);
      return 0;
    };
    _exit(run_with_failures({SYS_unlinkat}, decide, [&] { store.remove(key); }) ? 1 : 2);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 2) return false;
  REQUIRE(WIFSIGNALED(status));
  return true;
}

} // namespace

TEST_CASE("user meta lies beside its value, with the value's time") {
  Fixture f;
  CHECK(f.store.set("a:b", "v", with(user)) == OMNISTORE_OK);
  CHECK(read_file(f.file("a/b$")) == user);
  const auto value = status_of(f.file("a/b")).st_mtim, meta = status_of(f.file("a/b$")).st_mtim;
  CHECK(value.tv_sec == meta.tv_sec);
  CHECK(value.tv_nsec == meta.tv_nsec);
  CHECK(f.store.user("a:b") == user);
}

TEST_CASE("a set without user meta, a remove and a clear take its file away") {
  Fixture f;
  f.store.set("k", "1", with(user));
  f.store.set("k", "2");
  CHECK(f.names() == Keys{"k"});
  f.store.set("k", "3", with(user));
  CHECK(f.store.remove("k") == OMNISTORE_OK);
  CHECK(f.names().empty());
  f.store.set("a:k", "4", with(user));
  CHECK(f.store.clear("a:") == OMNISTORE_OK);
  CHECK(f.names().empty());
}

TEST_CASE("a value that expires takes its user meta along") {
  Fixture f;
  f.store.set("k", "1", with(user, f.host.time + 1000));
  CHECK(f.store.user("k") == user);
  f.host.time += 2000;
  CHECK_FALSE(f.store.get("k"));
  CHECK(f.names().empty());
}

TEST_CASE("user meta is not shown for a file that was replaced or written from outside") {
  Fixture f;
  f.store.set("k", "1", with(user));
  SECTION("rewritten") { write_file(f.file("k"), "2"); }
  SECTION("replaced by a file that keeps an older time") {
    write_file(f.file("other"), "2");
    set_time(f.file("other"), {1'000'000'000, 0});
    std::filesystem::rename(f.file("other"), f.file("k"));
  }
  SECTION("replaced by a newer one") {
    write_file(f.file("other"), "2");
    std::filesystem::rename(f.file("other"), f.file("k"));
  }
  SECTION("removed and written anew") {
    std::filesystem::remove(f.file("k"));
    CHECK(f.store.user("k").empty());
    write_file(f.file("k"), "2");
  }
  SECTION("removed, and set anew through the store") {
    std::filesystem::remove(f.file("k"));
    f.store.set("k", "2");
  }
  CHECK(f.store.get("k") == "2");
  CHECK(f.store.user("k").empty());
}

TEST_CASE("user meta that a killed removal left is given to no later value of the name, whatever its times are") {
  Folder folder;
  const std::string file = folder / "k", meta = folder / "k$", base = folder.path().string();
  {
    Host host;
    Store store(host, base);
    store.set("k", "1", with(user));
  }
  if (!kill_amid_a_removal(base, "k")) {
    WARN("NOT RUN: the kernel has no filters of system calls");
    return;
  }
  REQUIRE_FALSE(std::filesystem::exists(file));
  REQUIRE(std::filesystem::exists(meta));
  Host host;
  Store store(host, base);
  CHECK(store.user("k").empty());
  SECTION("a set") { store.set("k", "2"); }
  SECTION("a file with an older time, such as that of a backup, before the owner of all files is changed") {
    write_file(file, "2");
    set_time(file, {1'000'000'000, 0});
    REQUIRE(chmod(meta.c_str(), 0640) == 0);
  }
  SECTION("a set when the clock was turned back") {
    store.set("k", "2");
    set_time(file, {1'000'000'000, 0});
    REQUIRE(chmod(meta.c_str(), 0600) == 0);
  }
  CHECK(store.get("k") == "2");
  CHECK(store.user("k").empty());
  CHECK(store.remove("k") == OMNISTORE_OK);
  CHECK(names_in(folder.path()).empty());
}

TEST_CASE("user meta goes along with a copy that keeps the times") {
  Fixture f;
  f.store.set("k", "1", with(user));
  for (const char *name : {"k", "k$"}) {
    const timespec time = status_of(f.file(name)).st_mtim;
    std::filesystem::copy_file(f.file(name), f.file(std::string("copy") + (name + 1)));
    set_time(f.file(std::string("copy") + (name + 1)), time);
  }
  CHECK(f.store.user("copy") == user);
}

TEST_CASE("user meta that unstorage writes after a value belongs to it, also after a touch and beside a folder") {
  Fixture f;
  write_file(f.file("k"), "1");
  set_time(f.file("k"), {1'700'000'000, 0});
  write_file(f.file("k$"), R"({"n":1})");
  CHECK(f.store.user("k") == R"({"n":1})");
  CHECK(f.store.touch("k", f.host.time + 100'000) == OMNISTORE_OK);
  CHECK(f.store.user("k") == R"({"n":1})");
  CHECK(f.store.touch("k", 0) == OMNISTORE_OK);
  CHECK(f.store.user("k") == R"({"n":1})");
  f.store.set("k:below", "2");
  CHECK(f.store.user("k") == R"({"n":1})");
  f.store.set("k", "3");
  CHECK(f.store.user("k").empty());
}

TEST_CASE("a touch gives a value other user meta, and leaves its file as it is") {
  Fixture f;
  f.store.set("k", "1");
  const struct stat before = status_of(f.file("k"));
  CHECK(f.store.touch_user("k", user) == OMNISTORE_OK);
  CHECK(f.store.user("k") == user);
  CHECK(f.store.touch_user("k", "other") == OMNISTORE_OK);
  CHECK(f.store.user("k") == "other");
  CHECK(f.store.touch_user("k", "") == OMNISTORE_OK);
  CHECK(f.names() == Keys{"k"});
  CHECK(f.store.touch_user("none", user) == OMNISTORE_NOT_FOUND);
  CHECK(f.names() == Keys{"k"});
  const struct stat after = status_of(f.file("k"));
  CHECK(before.st_ctim.tv_nsec == after.st_ctim.tv_nsec);
}

TEST_CASE("user meta of a value that lies in a folder of its own name lies beside the folder") {
  Fixture f;
  f.store.set("a", "1", with(user));
  f.store.set("a:b", "2");
  CHECK(f.store.user("a") == user);
  f.store.set("a", "3", with("other"));
  CHECK(f.names() == Keys{"a", "a$", "a/$", "a/b"});
  CHECK(f.store.user("a") == "other");
  f.store.remove("a");
  CHECK(f.names() == Keys{"a", "a/b"});
}

TEST_CASE("a get without the flag for user meta gets none") {
  Fixture f;
  f.store.set("k", "1", with(user));
  Got got;
  CHECK(f.store.stat("k", got, OMNISTORE_GET_META) == OMNISTORE_OK);
  CHECK(got.user.empty());
}
