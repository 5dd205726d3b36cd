// SPDX-License-Identifier: Apache-2.0
// Leftovers of a killed host go when a store opens the base again; unfinished work of a live host stays.
#include <csignal>

#include <fcntl.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "driven.hpp"

using namespace test;

namespace {

/// The mark of a store that is no more, and the start of its temporaries' names.
constexpr const char *dead_mark = "user.omnistore.store.0123456789abcdef", *dead_start = ".0123456789abcdef-";

/// How many stores' marks a folder has.
std::size_t marks(const std::string &folder) {
  char names[4096];
  const ssize_t size = listxattr(folder.c_str(), names, sizeof names);
  const std::string_view all(names, size > 0 ? static_cast<std::size_t>(size) : 0);
  std::size_t count = 0;
  for (std::size_t at = 0; (at = all.find("user.omnistore.store.", at)) != all.npos; ++at) ++count;
  return count;
}
void mark_as_dead(const test::Folder &folder) { REQUIRE(setxattr(folder.path().c_str(), dead_mark, "1", 1, 0) == 0); }

std::string left(const char *number) { return dead_start + std::string(number) + ".omnistore-tmp$"; }

/// Makes a file look as if it was written so many seconds ago.
void make_older(const std::string &path, time_t seconds) {
  const timespec then{time(nullptr) - seconds, 0}, times[2] = {then, then};
  REQUIRE(utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
}

/// A value of which one piece comes, and then what `then` does.
struct Halting : Pieces {
  std::function<void()> then;
  explicit Halting(std::function<void()> what) : Pieces({}), then(std::move(what)) {
    read = [](omnistore_source *source, void *buffer, std::uint64_t, std::uint64_t *count) {
      Halting &self = *static_cast<Halting *>(source);
      *count = 0;
      if (self.next++ == 0) {
        *static_cast<char *>(buffer) = 'x';
        *count = 1;
      } else {
        self.then();
      }
      return OMNISTORE_OK;
    };
  }
};

/// In a child: a set of the key is killed when half of its value is written.
void kill_amid_a_set(const std::string &base, const char *key) {
  const pid_t child = fork();
  if (child == 0) {
    Host host;
    Store store(host, base);
    Halting value([] { kill(getpid(), SIGKILL); });
    store.set(key, value);
    _exit(1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFSIGNALED(status));
}

} // namespace

TEST_CASE("leftovers of killed hosts are gone when a store has opened the base") {
  Folder folder;
  const std::string base = folder.path().string();
  {
    Host host;
    Store store(host, base);
    store.set("a:b:c", "old");
  }
  for (int round = 0; round < 5; ++round) {
    for (const char *key : {"a:b:c", "new", "node_modules:hidden"}) kill_amid_a_set(base, key);
    const Keys names = names_in(folder.path());
    CHECK(std::any_of(names.begin(), names.end(), [](const std::string &name) { return name.ends_with("-tmp$"); }));
  }
  Host host;
  Store store(host, base);
  CHECK(names_in(folder.path()) == Keys{"a", "a/b", "a/b/c"});
  CHECK(marks(base) == 0);
  CHECK(store.get("a:b:c") == "old");
}

TEST_CASE("a folder that a killed host was about to put in a file's place goes too") {
  Folder folder;
  mark_as_dead(folder);
  write_file(folder / "k", "1");
  std::filesystem::create_directory(folder / left("1"));
  std::filesystem::create_hard_link(folder / "k", folder / (left("1") + "/$"));
  std::filesystem::create_directory(folder / left("2"));
  write_file(folder / (left("3") + "/$"), "the only one");
  Host host;
  Store store(host, folder.path().string());
  CHECK(names_in(folder.path()) == Keys{left("3"), left("3") + "/$", "k"});
  CHECK(store.get("k") == "1");
}

TEST_CASE("a large tree is cleaned in the background") {
  Folder folder;
  mark_as_dead(folder);
  for (int i = 0; i < 1000; ++i) std::filesystem::create_directories(folder / ("d" + std::to_string(i) + "/e"));
  for (int i = 0; i < 1000; i += 500) write_file(folder / ("d" + std::to_string(i) + "/e/" + left("1")), "half");
  Host host;
  Store store(host, folder.path().string());
  for (int run = 0; run < 1000 && marks(folder.path().string()) != 0; ++run) host.run_for(100);
  CHECK(marks(folder.path().string()) == 0);
  CHECK(names_in(folder.path()).size() == 1996);
}

TEST_CASE("a store that opens the base leaves another's unfinished files, and those without an owner's name") {
  Fixture f;
  write_file(f.file(".1.omnistore-tmp$"), "without an owner");
  write_file(f.file(left("1")), "of an owner that has no file");
  std::optional<Store> other;
  Host host;
  Halting value([&] {
    other.emplace(host, f.folder.path().string());
    CHECK(other->list().empty());
    CHECK(other->set("other", "v") == OMNISTORE_OK);
  });
  CHECK(f.store.set("k", value) == OMNISTORE_OK);
  CHECK(f.store.get("k") == "x");
  CHECK(f.names() == Keys{left("1"), ".1.omnistore-tmp$", "k", "other"});
}

TEST_CASE("a listing does not remove an old temporary file of a store that is at work") {
  Fixture f;
  Halting value([&] {
    for (const std::string &name : f.names()) make_older(f.file(name), 7200);
    CHECK(f.store.list().empty());
  });
  CHECK(f.store.set("k", value) == OMNISTORE_OK);
  CHECK(f.store.get("k") == "x");
}

TEST_CASE("a store that closes takes its mark away, and leaves another's") {
  Folder folder;
  const std::string base = folder.path().string();
  Host host;
  Store one(host, base), two(host, base);
  CHECK(marks(base) == 0); // who only reads leaves no mark
  one.set("k", "v");
  two.set("k", "w");
  CHECK(marks(base) == 2);
  one.close();
  CHECK(marks(base) == 1);
  two.close();
  CHECK(marks(base) == 0);
}

TEST_CASE("a killed host's files stay while another is at work, and go when none is") {
  Folder folder;
  const std::string base = folder.path().string();
  Host host;
  {
    Store store(host, base);
    store.set("k", "v");
    kill_amid_a_set(base, "k");
    CHECK(marks(base) == 2);
    Store other(host, base);
    CHECK(names_in(base).size() == 2);
  }
  CHECK(marks(base) == 1);
  Store store(host, base);
  CHECK(marks(base) == 0);
  CHECK(names_in(base) == Keys{"k"});
}

TEST_CASE("a store whose base becomes another folder marks that one, and leaves no mark on the old one") {
  Folder folder;
  Host host;
  Store store(host, folder / "base");
  store.set("k", "v");
  std::filesystem::rename(folder / "base", folder / "moved");
  std::filesystem::create_directory(folder / "base");
  store.set("k", "w");
  CHECK(marks(folder / "base") == 1);
  CHECK(marks(folder / "moved") == 0);
}
