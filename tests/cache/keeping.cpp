// SPDX-License-Identifier: Apache-2.0
// Copies that outlive the host, and copies that several hosts share.
#include <catch2/catch.hpp>

#include <filesystem>

#include "fixture.hpp"

using namespace test;
using omnistore::Storage;

TEST_CASE("copies in files are plain values, and are fresh, stale and gone as before after a restart") {
  Origin origin;
  const Folder folder;
  origin.serve("/a/b", "page", "\"1\"");
  const std::string mounts =
      cached(origin, R"({ "maxAge": 60, "maxStale": 600, "staleIfError": 0 })", in_files(folder));
  { CHECK(open(mounts).get("pages:a:b") == "page"); }
  CHECK(read_file(folder / "a/b") == "page");
  {
    Storage storage = open(mounts);
    CHECK(storage.get("pages:a:b") == "page");
    CHECK(origin.count() == 1);
    omnistore::advance_clock(61'000);
    CHECK(storage.get("pages:a:b") == "page");
    REQUIRE(origin.await(2));
    CHECK(origin.last().header("if-none-match") == "\"1\"");
  }
  origin.stop();
  omnistore::advance_clock(700'000);
  CHECK(status_of([&] { open(mounts).get("pages:a:b"); }) == omnistore::Status::unavailable);
}

TEST_CASE("a copy that something else wrote is not taken for the origin's value") {
  Origin origin;
  const Folder folder;
  origin.serve("/k", "page", "\"1\"");
  Storage storage = open(cached(origin, R"({ "maxAge": 60 })", in_files(folder)));
  storage.get("pages:k");
  write_file(folder / "k", "something else");
  CHECK(storage.get("pages:k") == "page");
  CHECK(origin.count() == 2);
}

TEST_CASE("two caches share their copies, and each sees what the other fetched") {
  Origin origin;
  const Folder folder;
  origin.serve("/k", "old", "\"1\"");
  const std::string mounts = cached(origin, R"({ "maxAge": 60, "revalidate": false })", in_files(folder));
  Storage one = open(mounts), two = open(mounts);
  CHECK(one.get("pages:k") == "old");
  CHECK(two.get("pages:k") == "old");
  CHECK(origin.count() == 1);
  omnistore::advance_clock(61'000);
  origin.serve("/k", "new", "\"2\"");
  CHECK(two.get("pages:k") == "new");
  CHECK(one.get("pages:k") == "new");
  CHECK(origin.count() == 2);
}

TEST_CASE("no listing shows the cache's own records, and a clear removes them too") {
  Origin origin;
  const Folder folder;
  origin.serve("/k", "v");
  Storage storage =
      open(R"({ "files": { )" + in_files(folder) + " }, " + cached(origin, "{}", in_files(folder)).substr(1));
  storage.get("pages:k");
  CHECK(storage.keys("files").all() == std::vector<std::string>{"files:k"});
  CHECK(storage.clear("pages") == 1);
  std::size_t files = 0;
  for (const auto &entry : std::filesystem::recursive_directory_iterator(folder.path()))
    files += entry.is_regular_file() && entry.path().filename().string()[0] != '.';
  CHECK(files == 0);
}
