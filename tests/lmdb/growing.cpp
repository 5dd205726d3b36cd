// SPDX-License-Identifier: Apache-2.0
// The map grows when it is full, beside readers and beside other processes.
#include <atomic>
#include <thread>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "driven.hpp"

using namespace test;

namespace {

const std::string small = R"(,"mapSize":262144)";

} // namespace

TEST_CASE("a database grows far beyond the map that it began with") {
  Folder folder;
  Host host;
  Store store(host, folder / "db", small);
  for (int i = 0; i < 200; ++i) REQUIRE(store.set("k" + std::to_string(i), bytes_of(50'000, i)) == OMNISTORE_OK);
  for (int i = 0; i < 200; ++i) REQUIRE(store.get("k" + std::to_string(i)) == bytes_of(50'000, i));
}

TEST_CASE("one value that is larger than the map makes it grow as often as it must") {
  Folder folder;
  Host host;
  Store store(host, folder / "db", small);
  REQUIRE(store.set("k", bytes_of(5'000'000)) == OMNISTORE_OK);
  CHECK(store.get("k") == bytes_of(5'000'000));
}

TEST_CASE("the map grows while threads read") {
  Folder folder;
  Host host;
  Store store(host, folder / "db", small);
  REQUIRE(store.set("k", "value") == OMNISTORE_OK);
  std::atomic<bool> stop = false;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i)
    readers.emplace_back([&] {
      while (!stop)
        if (store.get("k") != "value") ++wrong;
    });
  for (int i = 0; i < 200; ++i) REQUIRE(store.set("n" + std::to_string(i), bytes_of(20'000)) == OMNISTORE_OK);
  stop = true;
  for (std::thread &each : readers) each.join();
  CHECK(wrong == 0);
}

TEST_CASE("the map grows while a value is lent, which stays as it was") {
  Folder folder;
  Host host;
  Store store(host, folder / "db", small);
  const std::string value = bytes_of(100'000, 7);
  REQUIRE(store.set("lent", value) == OMNISTORE_OK);
  Borrower borrower;
  REQUIRE(get(store, "lent", borrower) == OMNISTORE_OK);
  REQUIRE(store.remove("lent") == OMNISTORE_OK);
  for (int i = 0; i < 100; ++i) REQUIRE(store.set("k" + std::to_string(i), bytes_of(50'000, i)) == OMNISTORE_OK);
  CHECK(borrower.bytes() == value);
  borrower.give_back();
  CHECK(store.get("k99") == bytes_of(50'000, 99));
}

TEST_CASE("the map grows while a value goes out to one who reads slowly") {
  Folder folder;
  Host host;
  Store store(host, folder / "db", small);
  REQUIRE(store.set("short", "value") == OMNISTORE_OK);
  Got got;
  got.offers_buffer = false;
  got.on_write = [&] { return store.set("long", bytes_of(5'000'000)); };
  CHECK(store.get("short", got) == OMNISTORE_OK);
  CHECK(got.bytes == "value");
  CHECK(store.get("long") == bytes_of(5'000'000));
}

TEST_CASE("a database of maxBytes that is full refuses a set, keeps the old value and continues") {
  Folder folder;
  Host host;
  Store store(host, folder / "db", small + R"(,"maxBytes":1000000)");
  REQUIRE(store.set("k", "old") == OMNISTORE_OK);
  CHECK(store.set("k", bytes_of(2'000'000)) == OMNISTORE_NO_SPACE);
  CHECK(store.message().find("maxBytes") != std::string::npos);
  CHECK(store.get("k") == "old");
  CHECK(store.set("k", "new") == OMNISTORE_OK);
}

TEST_CASE("values that another process wrote into a database that it let grow are read") {
  Folder folder;
  const std::string path = folder / "db";
  int ready[2], go[2];
  REQUIRE(pipe(ready) == 0);
  REQUIRE(pipe(go) == 0);
  const pid_t child = fork(); // before this process opens the database: LMDB does not outlive a fork
  REQUIRE(child >= 0);
  char byte = 'x';
  if (child == 0) {
    if (read(go[0], &byte, 1) != 1) _exit(1);
    Host host;
    Store store(host, path, small);
    for (int i = 0; i < 100; ++i)
      if (store.set("k" + std::to_string(i), bytes_of(50'000, i)) != OMNISTORE_OK) _exit(2);
    const bool told = write(ready[1], &byte, 1) == 1;
    kill(getpid(), SIGKILL);
    _exit(told ? 3 : 4);
  }
  Host host;
  Store store(host, path, small);
  REQUIRE(store.set("own", "value") == OMNISTORE_OK);
  REQUIRE(write(go[1], &byte, 1) == 1);
  REQUIRE(read(ready[0], &byte, 1) == 1);
  CHECK(store.get("k99") == bytes_of(50'000, 99));
  REQUIRE(store.set("own", "other") == OMNISTORE_OK);
  int status = 0;
  waitpid(child, &status, 0);
  CHECK(WIFSIGNALED(status));
  for (const int file : {ready[0], ready[1], go[0], go[1]}) close(file);
}
