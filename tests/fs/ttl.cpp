// SPDX-License-Identifier: Apache-2.0
// Expiries: how they are kept, and that what has expired is never given out and does not stay.
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "driven.hpp"

using namespace test;

namespace {
std::string attribute(const std::string &file) {
  char text[64];
  const ssize_t size = getxattr(file.c_str(), "user.omnistore.expiry", text, sizeof text);
  return size < 0 ? "" : std::string(text, static_cast<std::size_t>(size));
}
bool has_sticky_bit(const std::string &file) {
  struct stat status;
  REQUIRE(::stat(file.c_str(), &status) == 0);
  return status.st_mode & S_ISVTX;
}
constexpr std::int64_t minute = 60 * 1000, hour = 60 * minute;
} // namespace

TEST_CASE("an expiry is in get, stat and listing until it has passed, and then the value is absent") {
  Fixture f;
  const std::int64_t expiry = f.host.time + minute;
  REQUIRE(f.store.set("k", "v", {.expiry = expiry}) == OMNISTORE_OK);
  Got got, stat;
  REQUIRE(f.store.get("k", got) == OMNISTORE_OK);
  REQUIRE(f.store.stat("k", stat) == OMNISTORE_OK);
  CHECK(got.expiry == expiry);
  CHECK(stat.expiry == expiry);
  f.host.time = expiry - 1;
  CHECK(f.store.get("k") == "v");
  CHECK(f.store.list() == Keys{"k"});
  f.host.time = expiry;
  CHECK(f.store.list().empty());
  CHECK(f.store.stat("k", stat) == OMNISTORE_NOT_FOUND);
  CHECK(f.store.get("k") == std::nullopt);
  CHECK(f.store.remove("k") == OMNISTORE_NOT_FOUND);
}

TEST_CASE("the expiry lies in an attribute, and the sticky bit says so") {
  Fixture f;
  f.store.set("with", "v", {.expiry = 1'700'000'123'456});
  f.store.set("without", "v");
  CHECK(attribute(f.file("with")) == "1700000123456");
  CHECK(has_sticky_bit(f.file("with")));
  CHECK(!has_sticky_bit(f.file("without")));
  CHECK(read_file(f.file("with")) == "v");
}

TEST_CASE("a read that meets an expired value removes it and reports it once") {
  Fixture f;
  f.store.set("a:k", "v", {.expiry = f.host.time + 5});
  f.host.time += 5;
  CHECK(f.store.get("a:k") == std::nullopt);
  CHECK(f.host.take_expired() == Keys{"a:k"});
  CHECK(f.names().empty());
  CHECK(f.store.get("a:k") == std::nullopt);
  CHECK(f.host.take_expired().empty());
}

TEST_CASE("a value that this store has set is removed when it is due, without being met") {
  Fixture f;
  for (int i = 0; i < 300; ++i) f.store.set("a:" + std::to_string(i), "v", {.expiry = f.host.time + 10 * minute + i});
  f.store.set("stays", "v");
  f.host.run_for(9 * minute);
  CHECK(f.names().size() == 302);
  f.host.run_for(2 * minute);
  CHECK(f.names() == Keys{"stays"});
  CHECK(f.host.take_expired().size() == 300);
}

TEST_CASE("a value that another store has set is removed by the walk after open, or when it is due later") {
  Fixture f;
  for (const char *key : {"a:b:c", "a", "x:y"}) f.store.set(key, "v", {.expiry = f.host.time + minute});
  f.store.set("a:b:later", "v", {.expiry = f.host.time + 10 * minute});
  f.store.set("z:stays", "v");
  Host host;
  host.time = f.host.time + 2 * minute;
  Store later(host, f.folder.path().string());
  host.run_for(5000);
  CHECK(f.names() == Keys{"a", "a/b", "a/b/later", "z", "z/stays"});
  CHECK(host.take_expired() == Keys{"a", "a:b:c", "x:y"});
  host.run_for(10 * minute);
  CHECK(f.names() == Keys{"z", "z/stays"});
}

TEST_CASE("the walk comes again each hour") {
  Fixture f;
  f.host.run_for(minute);
  {
    Host host;
    Store other(host, f.folder.path().string());
    other.set("k", "v", {.expiry = f.host.time + minute});
  }
  f.host.run_for(30 * minute);
  CHECK(f.exists("k"));
  f.host.run_for(hour);
  CHECK(!f.exists("k"));
}

TEST_CASE("the sweeper has few tasks waiting, however many values expire") {
  Fixture f;
  for (int i = 0; i < 1000; ++i) f.store.set("k", "v", {.expiry = f.host.time + 10 * hour - i});
  CHECK(f.host.tasks() < 5);
  f.host.run_for(3 * hour);
  CHECK(f.host.tasks() < 5);
}

TEST_CASE("a value that was set again is not removed when the old one's expiry passes") {
  Fixture f;
  f.store.set("k", "old", {.expiry = f.host.time + minute});
  f.store.set("k", "new");
  f.store.set("l", "old", {.expiry = f.host.time + minute});
  f.store.set("l", "new", {.expiry = f.host.time + 10 * minute});
  f.host.run_for(5 * minute);
  CHECK(f.store.get("k") == "new");
  CHECK(f.store.get("l") == "new");
  CHECK(f.host.take_expired().empty());
}

TEST_CASE("touch changes the expiry and nothing else") {
  Fixture f;
  f.store.set("a:k", "v");
  Got before, after;
  f.store.stat("a:k", before);
  REQUIRE(f.store.touch("a:k", f.host.time + minute) == OMNISTORE_OK);
  REQUIRE(f.store.stat("a:k", after) == OMNISTORE_OK);
  CHECK(after.expiry == f.host.time + minute);
  CHECK(after.etag == before.etag);
  CHECK(after.mtime == before.mtime);
  REQUIRE(f.store.touch("a:k", 0) == OMNISTORE_OK);
  REQUIRE(f.store.stat("a:k", after) == OMNISTORE_OK);
  CHECK(after.expiry == 0);
  CHECK(after.etag == before.etag);
  CHECK(after.mtime == before.mtime);
  f.host.run_for(hour);
  CHECK(f.store.get("a:k") == "v");
  CHECK(f.store.touch("none", f.host.time + minute) == OMNISTORE_NOT_FOUND);
}

TEST_CASE("touch with a shorter or a longer expiry holds for listings at once") {
  Fixture f;
  f.store.set("k", "v", {.expiry = f.host.time + hour});
  f.store.set("l", "v", {.expiry = f.host.time + minute});
  f.store.touch("k", f.host.time + minute);
  f.store.touch("l", f.host.time + hour);
  f.host.time += 2 * minute;
  CHECK(f.store.list() == Keys{"l"});
  CHECK(f.store.touch("k", f.host.time + hour) == OMNISTORE_NOT_FOUND);
}

TEST_CASE("touch and set with an expiry that has passed remove the value") {
  Fixture f;
  f.store.set("k", "v");
  CHECK(f.store.touch("k", f.host.time) == OMNISTORE_OK);
  CHECK(f.names().empty());
  f.store.set("k", "v");
  CHECK(f.store.set("k", "w", {.expiry = f.host.time}) == OMNISTORE_OK);
  CHECK(f.names().empty());
  CHECK(f.store.set("k", "w", {.expiry = f.host.time}) == OMNISTORE_OK);
  CHECK(f.store.set("k", "w", {.expiry = 1, .condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_OK);
  CHECK(f.store.set("k", "w", {.expiry = 1, .condition = OMNISTORE_IF_PRESENT}) == OMNISTORE_CONFLICT);
  f.store.set("k", "v");
  CHECK(f.store.set("k", "w", {.expiry = 1, .condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_CONFLICT);
  CHECK(f.store.get("k") == "v");
}

TEST_CASE("a read of a value with an expiry does not make a listing forget it") {
  Fixture f;
  f.store.set("k", "v", {.expiry = f.host.time + minute});
  f.store.get("k");
  // As a mount that notes every access would leave it.
  const timespec times[2] = {{0, UTIME_NOW}, {0, UTIME_OMIT}};
  REQUIRE(utimensat(AT_FDCWD, f.file("k").c_str(), times, 0) == 0);
  CHECK(f.store.list() == Keys{"k"});
  f.host.time += minute;
  CHECK(f.store.list().empty());
}

TEST_CASE("a sticky bit without an attribute means nothing") {
  Fixture f;
  write_file(f.file("k"), "v");
  REQUIRE(chmod(f.file("k").c_str(), 01644) == 0);
  CHECK(f.store.get("k") == "v");
  f.store.set("l", "v", {.expiry = f.host.time + minute});
  CHECK(f.store.list() == Keys{"k", "l"});
}

TEST_CASE("a read-only store hides expired values and leaves them") {
  Fixture f;
  f.store.set("k", "v", {.expiry = f.host.time + 1});
  f.host.time += 1;
  Store reader(f.host, f.folder.path().string(), ", \"readOnly\": true");
  CHECK(reader.get("k") == std::nullopt);
  CHECK(reader.list().empty());
  CHECK(f.exists("k"));
  CHECK(f.host.take_expired().empty());
}

TEST_CASE("a folder without user attributes keeps no expiry, and the traits say so") {
  Folder folder;
  Host host;
  CHECK((Store(host, folder.path().string()).traits.capabilities & OMNISTORE_CAN_TTL) != 0);
  // procfs has none, and every Linux has procfs.
  Store store(host, "/proc/self/task", ", \"readOnly\": true");
  CHECK((store.traits.capabilities & OMNISTORE_CAN_TTL) == 0);
}
