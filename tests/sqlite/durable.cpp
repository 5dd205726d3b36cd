// SPDX-License-Identifier: Apache-2.0
// The syncs that a write waits for.
#include <sys/syscall.h>

#include "driven.hpp"
#include "fs/injected.hpp"

using namespace test;

namespace {

/// How often ten sets wait for the medium; -1: it cannot be counted.
int waits(std::string_view durability) {
  Folder folder;
  Host host;
  Store store(host, folder / "data.db", "," + option("durability", durability));
  REQUIRE(store.set("k", "before") == OMNISTORE_OK);
  int count = 0;
  const auto counted = [&](const Made &) { return ++count, 0; };
  const bool ran = run_with_failures({SYS_fsync, SYS_fdatasync}, counted, [&] {
    for (int i = 0; i < 10; ++i) store.set("k", std::to_string(i));
  });
  host.drop_tasks();
  return ran ? count : -1;
}

} // namespace

TEST_CASE("each set waits for the medium with durability full, and none does without") {
  const int full = waits("full");
  if (full < 0) {
    WARN("NOT RUN: the kernel has no filters of system calls");
    return;
  }
  CHECK(full >= 10);
  CHECK(waits("data") == 0);
  CHECK(waits("none") == 0);
}

TEST_CASE("only durability full claims to keep values through a power cut") {
  Folder folder;
  Host host;
  Store full(host, folder / "full.db", R"(,"durability":"full")"), data(host, folder / "data.db");
  CHECK(full.traits.keeps == OMNISTORE_KEEPS_POWER);
  CHECK(data.traits.keeps == OMNISTORE_KEEPS_PROCESS);
  host.drop_tasks();
}
