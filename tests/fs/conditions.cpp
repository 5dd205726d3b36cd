// SPDX-License-Identifier: Apache-2.0
// Conditions of writes, and their etags.
#include <set>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>

#include "driven.hpp"

using namespace test;

namespace {
/// How many of 16 threads `won` says true for, each once, all at the same moment.
template <class F>
int winners(F won) {
  std::atomic<int> waiting{16}, count{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 16; ++t) {
    threads.emplace_back([&, t] {
      for (--waiting; waiting > 0;) std::this_thread::yield();
      if (won(t)) ++count;
    });
  }
  for (std::thread &thread : threads) thread.join();
  return count;
}

/// Writes other bytes of the same size into a file and gives it back its old mtime, as `rsync -t --inplace` does. Does
/// so again until the ctime has grown by more than `span` nanoseconds.
void rewrite_in_place(const std::string &path, const std::string &bytes, std::int64_t span = 0) {
  struct stat before, after;
  REQUIRE(::stat(path.c_str(), &before) == 0);
  do {
    write_file(path, bytes);
    const timespec times[2] = {before.st_atim, before.st_mtim};
    REQUIRE(utimensat(AT_FDCWD, path.c_str(), times, 0) == 0);
    REQUIRE(::stat(path.c_str(), &after) == 0);
  } while ((after.st_ctim.tv_sec - before.st_ctim.tv_sec) * 1'000'000'000 + after.st_ctim.tv_nsec -
               before.st_ctim.tv_nsec <=
           span);
  REQUIRE(after.st_ino == before.st_ino);
  REQUIRE(after.st_size == before.st_size);
}
} // namespace

TEST_CASE("exactly one of sixteen threads that set if absent wins") {
  Fixture f;
  Store other(f.host, f.folder.path().string()); // a second mount on the same folder
  for (int round = 0; round < 20; ++round) {
    const std::string key = "folder:" + std::to_string(round);
    const int won = winners([&](int t) {
      Store &store = t % 2 ? other : f.store;
      return store.set(key, std::to_string(t), {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_OK;
    });
    CHECK(won == 1);
  }
}

TEST_CASE("exactly one of sixteen threads that set if the etag matches wins, also through a nested mount") {
  Fixture f;
  Store nested(f.host, f.folder / "folder");
  for (int round = 0; round < 20; ++round) {
    f.store.set("folder:k", "old");
    const std::string etag = f.store.etag("folder:k");
    const int won = winners([&](int t) {
      const How how{.condition = OMNISTORE_IF_MATCH, .etag = etag};
      return (t % 2 ? nested.set("k", "new", how) : f.store.set("folder:k", "new", how)) == OMNISTORE_OK;
    });
    CHECK(won == 1);
  }
}

TEST_CASE("exactly one of sixteen threads that remove if the etag matches wins") {
  Fixture f;
  f.store.set("k", "v");
  const std::string etag = f.store.etag("k");
  CHECK(winners([&](int) { return f.store.remove("k", OMNISTORE_IF_MATCH, etag) == OMNISTORE_OK; }) == 1);
}

TEST_CASE("if-present sets over a value only, if-absent over none only") {
  Fixture f;
  CHECK(f.store.set("k", "1", {.condition = OMNISTORE_IF_PRESENT}) == OMNISTORE_CONFLICT);
  CHECK(f.names().empty());
  CHECK(f.store.set("a:k", "1", {.condition = OMNISTORE_IF_PRESENT}) == OMNISTORE_CONFLICT);
  CHECK(f.names().empty());
  CHECK(f.store.set("k", "1", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_OK);
  CHECK(f.store.set("k", "2", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_CONFLICT);
  CHECK(f.store.get("k") == "1");
  CHECK(f.store.set("k", "3", {.condition = OMNISTORE_IF_PRESENT}) == OMNISTORE_OK);
  CHECK(f.store.get("k") == "3");
}

TEST_CASE("a value that has expired counts as absent") {
  Fixture f;
  f.store.set("k", "1", {.expiry = f.host.time + 10});
  f.host.time += 10;
  CHECK(f.store.set("k", "2", {.condition = OMNISTORE_IF_PRESENT}) == OMNISTORE_CONFLICT);
  CHECK(f.store.set("k", "3", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_OK);
  CHECK(f.store.get("k") == "3");
}

TEST_CASE("if-match removes and sets the value of that etag only") {
  Fixture f;
  f.store.set("k", "1");
  const std::string etag = f.store.etag("k");
  f.store.set("k", "2");
  CHECK(f.store.remove("k", OMNISTORE_IF_MATCH, etag) == OMNISTORE_CONFLICT);
  CHECK(f.store.set("k", "3", {.condition = OMNISTORE_IF_MATCH, .etag = etag}) == OMNISTORE_CONFLICT);
  CHECK(f.store.remove("none", OMNISTORE_IF_MATCH, etag) == OMNISTORE_CONFLICT);
  CHECK(f.store.remove("k", OMNISTORE_IF_MATCH, f.store.etag("k")) == OMNISTORE_OK);
}

TEST_CASE("a set gives the etag, size and time of the value that it stored") {
  Fixture f;
  Got result, found;
  REQUIRE(f.store.set("k", "12345", {}, &result) == OMNISTORE_OK);
  REQUIRE(f.store.stat("k", found) == OMNISTORE_OK);
  CHECK(result.begun == 1);
  CHECK(result.etag == found.etag);
  CHECK(result.mtime == found.mtime);
  CHECK(result.value_size == 5);
}

TEST_CASE("an etag changes with every write, however quick they follow") {
  Fixture f;
  std::set<std::string> etags;
  for (int i = 0; i < 1000; ++i) {
    Got result;
    f.store.set("k", "same", {}, &result);
    etags.insert(result.etag);
  }
  CHECK(etags.size() == 1000);
  CHECK(std::all_of(etags.begin(), etags.end(), [](const std::string &e) {
    return !e.empty() && e.size() <= 64 && e.find('"') == std::string::npos;
  }));
}

TEST_CASE("the time of a write, of which its etag is made, is finer than the kernel's tick") {
  Fixture f;
  std::set<std::int64_t> times;
  for (int i = 0; i < 50; ++i) f.store.set("k" + std::to_string(i), "v");
  for (const std::string &name : f.names()) { // after all writes: newer kernels give finer times after a look
    struct stat status;
    REQUIRE(::stat(f.file(name).c_str(), &status) == 0);
    times.insert(status.st_mtim.tv_sec * 1'000'000'000 + status.st_mtim.tv_nsec);
  }
  CHECK(times.size() == 50);
}

TEST_CASE("a write of another program changes the etag") {
  Fixture f;
  f.store.set("k", "1");
  const std::string etag = f.store.etag("k");
  write_file(f.file("k"), "22");
  CHECK(f.store.etag("k") != etag);
}

TEST_CASE("a file that is rewritten in place with its size and mtime kept has another etag") {
  Fixture f;
  f.store.set("k", "1111");
  const std::string etag = f.store.etag("k");
  rewrite_in_place(f.file("k"), "2222");
  CHECK(f.store.etag("k") != etag);
}

TEST_CASE("an expiry that was changed hides no later change of the file from its etag") {
  Fixture f;
  f.store.set("k", "1111");
  f.store.touch("k", f.host.time + 60'000);
  const std::string etag = f.store.etag("k");
  rewrite_in_place(f.file("k"), "2222", 50'000'000);
  CHECK(f.store.etag("k") != etag);
}

TEST_CASE("if-match keeps a file that was rewritten in place with the same size and mtime") {
  Fixture f;
  Got result;
  f.store.set("k", "1111", {}, &result);
  rewrite_in_place(f.file("k"), "2222");
  CHECK(f.store.set("k", "3333", {.condition = OMNISTORE_IF_MATCH, .etag = result.etag}) == OMNISTORE_CONFLICT);
  CHECK(f.store.remove("k", OMNISTORE_IF_MATCH, result.etag) == OMNISTORE_CONFLICT);
  CHECK(f.store.get("k") == "2222");
}

TEST_CASE("an etag that a set has given matches at the next set") {
  Fixture f;
  Got result;
  f.store.set("a:b", "0", {}, &result);
  for (int i = 1; i < 100; ++i) {
    const std::string etag = result.etag;
    const How how{.condition = OMNISTORE_IF_MATCH, .etag = etag};
    REQUIRE(f.store.set("a:b", std::to_string(i), how, &result) == OMNISTORE_OK);
  }
}

TEST_CASE("an etag has 64 bytes at most, also of a file with the strangest times") {
  Fixture f;
  write_file(f.file("k"), "v");
  const timespec times[2] = {{-1, 0}, {-1, 1}};
  REQUIRE(utimensat(AT_FDCWD, f.file("k").c_str(), times, 0) == 0);
  REQUIRE(truncate(f.file("k").c_str(), off_t(1) << 40) == 0);
  CHECK(f.store.etag("k").size() <= 64);
}
