// SPDX-License-Identifier: Apache-2.0
// The guide: Storage Monitoring. Its metrics, and its lines in the log.
#include <algorithm>

#include <catch2/catch.hpp>

#include "guide.hpp"
#include "support/log_lines.hpp"

TEST_CASE("guide, monitoring: reads, writes, hits, misses and errors are counted, and the hit rate follows") {
  const test::Workplace here;
  omnistore::Storage storage = test::guide("monitoring");
  storage.set("a", "1");
  storage.set("b", "2");
  CHECK(storage.get("a"));
  CHECK(storage.get("b"));
  CHECK(storage.get("a"));
  CHECK_FALSE(storage.get("c"));
  CHECK_FALSE(storage.get("local:c"));

  omnistore::MountStats all;
  for (const omnistore::MountStats &mount : storage.stats()) all += mount;
  CHECK(all.reads == 5);
  CHECK(all.writes == 2);
  CHECK(all.hits == 3);
  CHECK(all.misses == 2);
  CHECK(all.errors == 0);
  CHECK(all.hit_rate() * 100 == Approx(60.0));
  CHECK(storage.stats().at(1).hit_rate() == 0); // each mount has its own
  CHECK(storage.stats().at(0).hit_rate() == Approx(0.75));
}

TEST_CASE("guide, monitoring: each operation is a line with how long it took") {
  const test::Workplace here;
  test::LogLines log(test::LogLines::debug);
  omnistore::Storage storage = test::guide("monitoring");
  storage.set("user:1", "Ada");
  storage.get("user:1");
  storage.get("user:2");
  storage.get("local:x");
  CHECK(log.has_match("^WRITE user:1 \\([0-9.]+ms\\)$"));
  CHECK(log.has_match("^READ HIT user:1 \\([0-9.]+ms\\)$"));
  CHECK(log.has_match("^READ MISS user:2 \\([0-9.]+ms\\)$"));
  CHECK(log.has_match("^READ MISS local:x \\([0-9.]+ms\\)$"));
}
