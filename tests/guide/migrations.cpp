// SPDX-License-Identifier: Apache-2.0
// The guide: Storage Migrations.
#include <catch2/catch.hpp>

#include "guide.hpp"
#include "jobs/copy.hpp"

using omnistore::jobs::KeyOutcome;

namespace {

/// The work of the guide's migrateStorage, from oldPrefix: to newPrefix:v2:.
std::uint64_t migrated(omnistore::Storage &storage, bool move) {
  omnistore::jobs::CopyOptions options;
  options.move = move;
  options.journal = "journal";
  omnistore::jobs::Copy job({storage, "oldPrefix"}, {storage, "newPrefix:v2"}, std::move(options));
  CHECK(job.run());
  return of(job.counts(), KeyOutcome::copied);
}

void store_some(omnistore::Storage &storage) {
  omnistore::SetOptions an_hour;
  an_hour.ttl = std::chrono::hours(1);
  for (int i = 0; i < 500; ++i)
    storage.set("oldPrefix:page:" + std::to_string(i), "page " + std::to_string(i), an_hour);
  storage.set("oldPrefix:empty", ""); // which the guide's own loop would leave behind
  storage.set("oldPrefix:page:7$", R"({"title":"Seven"})");
  storage.set("other:key", "stays");
}

} // namespace

TEST_CASE("guide, migrations: every key under the old prefix is under the new one, with its meta and expiry") {
  const test::Workplace here;
  omnistore::Storage storage = test::guide("migrations");
  store_some(storage);
  const auto before = storage.meta("oldPrefix:page:7").value();
  CHECK(migrated(storage, false) == 501);
  CHECK(storage.get("newPrefix:v2:page:499") == "page 499");
  CHECK(storage.get("newPrefix:v2:empty") == "");
  const auto meta = storage.meta("newPrefix:v2:page:7").value();
  CHECK(meta.user == before.user);
  CHECK(std::abs(meta.expiry - before.expiry) < 100);
  CHECK(storage.keys("oldPrefix").all().size() == 501); // removing them is optional
  CHECK(storage.get("other:key") == "stays");
}

TEST_CASE("guide, migrations: the old keys can be removed, each once its copy is verified") {
  const test::Workplace here;
  omnistore::Storage storage = test::guide("migrations");
  store_some(storage);
  CHECK(migrated(storage, true) == 501);
  CHECK(storage.keys("oldPrefix").all().empty());
  CHECK(storage.keys("newPrefix:v2").all().size() == 501);
  CHECK(storage.get("other:key") == "stays");
}
