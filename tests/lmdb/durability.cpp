// SPDX-License-Identifier: Apache-2.0
// How often a write waits for the medium. LMDB's own calls of fdatasync and pwrite are counted here.
#include <atomic>

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "driven.hpp"

using namespace test;

namespace {

std::atomic<int> waits{0};

int waits_of(const char *durability) {
  const Folder folder;
  Host host;
  Store store(host, folder / "db", std::string(R"(,"durability":")") + durability + "\"");
  REQUIRE(store.set("first", "v") == OMNISTORE_OK);
  waits = 0;
  for (int i = 0; i < 10; ++i) REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  return waits;
}

} // namespace

extern "C" [[gnu::visibility("default")]] int fdatasync(int file) {
  ++waits;
  return static_cast<int>(syscall(SYS_fdatasync, file));
}

extern "C" [[gnu::visibility("default")]] ssize_t pwrite(int file, const void *bytes, size_t size, off64_t at) {
  if (fcntl(file, F_GETFL) & O_DSYNC) ++waits;
  return syscall(SYS_pwrite64, file, bytes, size, at);
}

TEST_CASE("a write waits for the medium as often as durability says") {
  CHECK(waits_of("none") == 0);
  CHECK(waits_of("data") == 10);
  CHECK(waits_of("full") == 20);
}

TEST_CASE("stores of one database that differ in durability each have their own") {
  const Folder folder;
  Host host;
  Store safe(host, folder / "db", R"(,"durability":"full")"), quick(host, folder / "db", R"(,"durability":"none")");
  for (int i = 0; i < 3; ++i) {
    waits = 0;
    REQUIRE(quick.set("k", "v") == OMNISTORE_OK);
    CHECK(waits == 0);
    REQUIRE(safe.set("k", "v") == OMNISTORE_OK);
    CHECK(waits == 2);
  }
}
