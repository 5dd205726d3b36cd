// SPDX-License-Identifier: Apache-2.0
// A reader finds the old value or the new one, whoever writes and whatever kills the writer.
#include <csignal>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driven.hpp"

using namespace test;

namespace {

/// One of 26 values: their sizes and their bytes differ.
std::string value_of(unsigned number) {
  return std::string(1000 + 5000 * (number % 26), static_cast<char>('a' + number % 26));
}
bool is_one_of_them(const std::string &value) {
  return !value.empty() && value == value_of(static_cast<unsigned>(value[0] - 'a'));
}

Keys temporaries(const Fixture &f) {
  Keys found;
  for (const std::string &name : f.names()) {
    if (name.find(".omnistore-tmp$") != std::string::npos) found.push_back(name);
  }
  return found;
}

/// Makes a file look as if it was written so many seconds ago.
void age(const std::string &path, time_t seconds) {
  const timespec then{time(nullptr) - seconds, 0}, times[2] = {then, then};
  REQUIRE(utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
}

/// Sets one key over and over, reporting each set by a byte into the pipe, until it is killed.
[[noreturn]] void write_until_killed(const std::string &base, std::string_view options, int pipe) {
  Host host;
  Store store(host, base, options);
  for (unsigned i = 0;; ++i) {
    if (store.set("folder:key", value_of(i)) != OMNISTORE_OK) _exit(1);
    if (write(pipe, "+", 1) != 1) _exit(1);
  }
}

} // namespace

TEST_CASE("eight threads that write and read one key never see a mixture") {
  Fixture f;
  f.store.set("k", value_of(0));
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (unsigned i = 0; i < 200; ++i) {
        if (t % 2 == 0) {
          if (f.store.set("k", value_of(t * 31 + i)) != OMNISTORE_OK) ++wrong;
        } else {
          const auto value = f.store.get("k");
          if (!value || !is_one_of_them(*value)) ++wrong;
        }
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  CHECK(wrong == 0);
  CHECK(f.names() == Keys{"k"});
}

TEST_CASE("a writer that is killed leaves the old value or the new one") {
  for (const std::string_view options : {"", ", \"durability\": \"data\""}) {
    Fixture f;
    for (int round = 0; round < 10; ++round) {
      int ends[2];
      REQUIRE(pipe(ends) == 0);
      const pid_t child = fork();
      if (child == 0) write_until_killed(f.folder.path().string(), options, ends[1]);
      close(ends[1]);
      char byte;
      for (int i = 0; i < 1 + round * 3; ++i) REQUIRE(read(ends[0], &byte, 1) == 1);
      kill(child, SIGKILL);
      REQUIRE(waitpid(child, nullptr, 0) == child);
      close(ends[0]);
      const auto value = f.store.get("folder:key");
      REQUIRE(value);
      CHECK(is_one_of_them(*value));
      CHECK(f.store.list() == Keys{"folder:key"});
    }
  }
}

TEST_CASE("leftovers of a crash are hidden, and a listing removes those that are more than an hour old") {
  Fixture f;
  f.store.set("a:b", "1");
  for (const char *path : {".1.omnistore-tmp$", "a/.2.omnistore-tmp$", "a/.3.omnistore-tmp$"}) {
    write_file(f.file(path), "half");
  }
  age(f.file(".1.omnistore-tmp$"), 3700);
  age(f.file("a/.2.omnistore-tmp$"), 3700);
  age(f.file("a/.3.omnistore-tmp$"), 3500);
  CHECK(f.store.list() == Keys{"a:b"});
  CHECK(temporaries(f) == Keys{"a/.3.omnistore-tmp$"});
}

TEST_CASE("a folder that a crash has left is removed unless it holds the only copy of a value") {
  Fixture f;
  f.store.set("k", "1");
  std::filesystem::create_directory(f.file(".1.omnistore-tmp$"));
  std::filesystem::create_hard_link(f.file("k"), f.file(".1.omnistore-tmp$/$"));
  write_file(f.file(".2.omnistore-tmp$/$"), "the only one");
  age(f.file(".1.omnistore-tmp$"), 3700);
  age(f.file(".2.omnistore-tmp$"), 3700);
  CHECK(f.store.list() == Keys{"k"});
  CHECK(f.names() == Keys{".2.omnistore-tmp$", ".2.omnistore-tmp$/$", "k"});
}

TEST_CASE("a reader that has begun continues with the value that it began with") {
  Fixture f;
  f.store.set("k", value_of(25));
  struct Overwriting : Got {
    Store *store;
  } got;
  got.store = &f.store;
  got.begin = [](omnistore_sink *sink, const omnistore_meta *, void **buffer) {
    *buffer = nullptr;
    return static_cast<Overwriting *>(sink)->store->set("k", value_of(1));
  };
  REQUIRE(f.store.get("k", got) == OMNISTORE_OK);
  CHECK((got.bytes == value_of(25)));
  CHECK((f.store.get("k") == value_of(1)));
}

TEST_CASE("sets of new keys in folders that others empty all arrive") {
  Fixture f;
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const std::string key = "a:b:" + std::to_string(t);
      for (int i = 0; i < 300; ++i) {
        if (f.store.set(key, "v") != OMNISTORE_OK || f.store.get(key) != "v" || f.store.remove(key) != OMNISTORE_OK) {
          ++failed;
        }
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  CHECK(failed == 0);
  CHECK(f.names().empty());
}
