// SPDX-License-Identifier: Apache-2.0
// Each failure of the file has a status of its own, and a message that names the file and the remedy.
#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "driven.hpp"
#include "fs/injected.hpp"

using namespace test;

namespace {

/// How an open fails.
std::pair<omnistore_status, std::string> refusal(const std::string &path, std::string_view more = "") {
  Host host;
  try {
    Store store(host, path, more);
  } catch (const StatusError &refused) {
    return {refused.status, refused.what()};
  }
  return {OMNISTORE_OK, ""};
}

Keys names_in(const std::filesystem::path &folder) {
  Keys names;
  for (const auto &entry : std::filesystem::directory_iterator(folder)) names.push_back(entry.path().filename());
  std::sort(names.begin(), names.end());
  return names;
}

bool has(const std::string &text, std::string_view part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a file that is no database is refused") {
  Folder folder;
  const std::string path = folder / "data.db";
  write_file(path, std::string(10'000, 'x'));
  const auto [status, message] = refusal(path);
  CHECK(status == OMNISTORE_CORRUPT);
  CHECK(has(message, path));
  CHECK(has(message, "no SQLite database"));
  CHECK(read_file(path) == std::string(10'000, 'x'));
}

TEST_CASE("a file of a newer schema is refused") {
  Folder folder;
  const std::string path = folder / "data.db";
  Host host;
  Store(host, path).close();
  host.drop_tasks();
  Sql{path}("PRAGMA user_version = 99");
  const auto [status, message] = refusal(path);
  CHECK(status == OMNISTORE_UNSUPPORTED);
  CHECK(has(message, "schema 99"));
  CHECK(has(message, path));
}

TEST_CASE("a table of another form is refused, and the message names the options") {
  Folder folder;
  const std::string path = folder / "data.db";
  Sql{path}("CREATE TABLE omnistore (a, b)");
  const auto [status, message] = refusal(path);
  CHECK(status == OMNISTORE_INVALID);
  CHECK(has(message, "layout and table"));
}

TEST_CASE("another program's database takes the table, and keeps its own marks") {
  Folder folder;
  const std::string path = folder / "data.db";
  Sql{path}("CREATE TABLE theirs (a); PRAGMA user_version = 7");
  Host host;
  Store store(host, path);
  CHECK(store.set("k", "v") == OMNISTORE_OK);
  CHECK(Sql{path}.one("PRAGMA user_version") == "7");
  host.drop_tasks();
}

TEST_CASE("a damaged file is corrupt, and the message says how to save the rest") {
  Folder folder;
  const std::string path = folder / "data.db";
  Host host;
  {
    Store store(host, path);
    for (int i = 0; i < 300; ++i) REQUIRE(store.set("k" + std::to_string(i), bytes_of(1000)) == OMNISTORE_OK);
    host.drop_tasks();
  }
  std::string bytes = read_file(path);
  for (std::size_t page = 10; page * 4096 < bytes.size(); ++page) bytes.replace(page * 4096, 64, 64, '\xee');
  write_file(path, bytes);
  Store store(host, path);
  bool corrupt = false;
  for (int i = 0; i < 300 && !corrupt; ++i) {
    Got got;
    corrupt = store.get("k" + std::to_string(i), got) == OMNISTORE_CORRUPT;
  }
  CHECK(corrupt);
  CHECK(has(store.message(), ".recover"));
  host.drop_tasks();
}

TEST_CASE("a store of maxBytes that is full refuses a set, keeps the old value and continues") {
  Folder folder;
  Host host;
  const std::string path = folder / "data.db";
  Store store(host, path, R"(,"maxBytes":1000000)");
  REQUIRE(store.set("k", "old") == OMNISTORE_OK);
  CHECK(store.set("k", bytes_of(2'000'000)) == OMNISTORE_NO_SPACE);
  CHECK(has(store.message(), "maxBytes"));
  CHECK(store.get("k") == "old");
  CHECK(store.set("k", "new") == OMNISTORE_OK);
  host.drop_tasks();
}

TEST_CASE("a disk that is full, over quota or read-only is reported as such by every write, and loses nothing") {
  struct Cause {
    int error;
    omnistore_status status;
  };
  const Cause cause = GENERATE(Cause{ENOSPC, OMNISTORE_NO_SPACE}, Cause{EDQUOT, OMNISTORE_NO_SPACE},
                               Cause{EROFS, OMNISTORE_READ_ONLY}, Cause{EIO, OMNISTORE_IO});
  INFO(std::strerror(cause.error));
  Folder folder;
  const std::string path = folder / "data.db";
  Host host;
  Store store(host, path, R"(,"durability":"full")");
  REQUIRE(store.set("k", "old") == OMNISTORE_OK);
  REQUIRE(store.set("folder:k", "old") == OMNISTORE_OK);
  std::vector<omnistore_status> statuses;
  std::string message;
  const auto fails = [&](const Made &) { return cause.error; };
  const bool was_run = run_with_failures({SYS_write, SYS_pwrite64, SYS_ftruncate, SYS_fallocate}, fails, [&] {
    statuses = {store.set("k", "new")};
    message = store.message();
    statuses.push_back(store.set("k", bytes_of(100'000)));
    Pieces pieces({bytes_of(2'000'000), "end"});
    statuses.push_back(store.set("k", pieces));
    statuses.push_back(store.remove("k"));
    statuses.push_back(store.touch("k", host.time + 1000));
    statuses.push_back(store.clear("folder:"));
  });
  if (!was_run) {
    WARN("NOT RUN: the kernel has no filters of system calls");
    return;
  }
  CHECK(statuses == std::vector<omnistore_status>(6, cause.status));
  CHECK(has(message, path));
  CHECK(names_in(folder.path()) == Keys{"data.db", "data.db-shm", "data.db-wal"});
  CHECK(store.list() == Keys{"folder:k", "k"});
  CHECK(store.get("k") == "old");
  CHECK(store.set("k", "new") == OMNISTORE_OK);
  CHECK(store.get("k") == "new");
  host.drop_tasks();
}

TEST_CASE("a file that cannot be made has the status of its cause") {
  Folder folder;
  const auto [error, status] = GENERATE(table<int, omnistore_status>({{EROFS, OMNISTORE_READ_ONLY},
                                                                      {EDQUOT, OMNISTORE_NO_SPACE},
                                                                      {EACCES, OMNISTORE_DENIED},
                                                                      {EMFILE, OMNISTORE_UNAVAILABLE}}));
  INFO(std::strerror(error));
  const long call = GENERATE(static_cast<long>(SYS_mknodat), static_cast<long>(SYS_mknod), static_cast<long>(SYS_mkdir),
                             static_cast<long>(SYS_openat));
  omnistore_status opened = OMNISTORE_OK;
  bool was_called = false;
  if (!run_with_failures(
          {call}, [&](const Made &) { return was_called = true, error; },
          [&] { opened = refusal(folder / "sub/data.db").first; })) {
    WARN("NOT RUN: the kernel has no filters of system calls");
    return;
  }
  CHECK(opened == (was_called ? status : OMNISTORE_OK));
}

TEST_CASE("a path that SQLite would take for a database in memory, or a folder, is refused with the remedy") {
  Folder folder;
  const auto [memory, about_memory] = refusal(folder / ":memory:");
  CHECK(memory == OMNISTORE_INVALID);
  CHECK(has(about_memory, "driver memory"));
  const auto [open_folder, about_folder] = refusal(folder / "sub/");
  CHECK(open_folder == OMNISTORE_INVALID);
  CHECK(has(about_folder, "folder"));
  CHECK(names_in(folder.path()).empty());
}

TEST_CASE("the driver makes the folders of its file, and a file that others cannot read") {
  Folder folder;
  const std::string path = folder / "a/b/data.db";
  Host host;
  const mode_t before = umask(0);
  Store store(host, path);
  REQUIRE(store.set("k", "v") == OMNISTORE_OK);
  umask(before);
  for (const std::string &file : {path, path + "-wal", path + "-shm"}) {
    struct stat status;
    REQUIRE(stat(file.c_str(), &status) == 0);
    CHECK((status.st_mode & 0777) == 0600);
  }
  host.drop_tasks();
}

TEST_CASE("a file that this user cannot write is refused as read_only, with the remedy") {
  if (geteuid() != 0) {
    WARN("NOT RUN: only root can take rights away from itself for a while");
    return;
  }
  Folder folder;
  const std::string path = folder / "data.db";
  Host host;
  Store(host, path).close();
  host.drop_tasks();
  std::filesystem::permissions(folder.path(), std::filesystem::perms::all);
  std::filesystem::permissions(path, static_cast<std::filesystem::perms>(0444));
  setfsuid(65534);
  const auto [status, message] = refusal(path);
  setfsuid(0);
  CHECK(status == OMNISTORE_READ_ONLY);
  CHECK(has(message, path));
  CHECK(has(message, "readOnly"));
}

TEST_CASE("a store of readOnly reads, hides expired values, and refuses every write") {
  Fixture f;
  REQUIRE(f.store.set("k", "v") == OMNISTORE_OK);
  REQUIRE(f.store.set("ends", "v", {.expiry = f.host.time + 10}) == OMNISTORE_OK);
  f.host.time += 10;
  Store reader(f.host, f.path, R"(,"readOnly":true)");
  CHECK((reader.traits.capabilities & OMNISTORE_READS_ONLY) != 0);
  CHECK(reader.get("k") == "v");
  CHECK(reader.list() == Keys{"k"});
  CHECK(reader.set("k", "w") == OMNISTORE_READ_ONLY);
  CHECK(reader.remove("k") == OMNISTORE_READ_ONLY);
  CHECK(reader.clear() == OMNISTORE_READ_ONLY);
  CHECK(reader.touch("k", 0) == OMNISTORE_READ_ONLY);
  f.host.drop_tasks();
}

TEST_CASE("a store of readOnly does not make its file") {
  Folder folder;
  const auto [status, message] = refusal(folder / "none.db", R"(,"readOnly":true)");
  CHECK(status == OMNISTORE_IO);
  CHECK(has(message, "none.db"));
  CHECK_FALSE(std::filesystem::exists(folder / "none.db"));
}

TEST_CASE("a value that is too long for a row is too_large, and its batch continues") {
  Fixture f;
  CHECK(f.store.traits.max_value_size > 900'000'000);
  CHECK(f.store.traits.max_value_size < 1'000'000'000);
}

TEST_CASE("a store whose file was moved away is unhealthy") {
  Fixture f;
  const auto *health =
      static_cast<const omnistore_health *>(f.store.driver().extension(f.store.self(), OMNISTORE_HEALTH));
  REQUIRE(health);
  Call call;
  CHECK(health->health(f.store.self(), &call) == OMNISTORE_OK);
  std::filesystem::rename(f.path, f.path + ".old");
  CHECK(health->health(f.store.self(), &call) == OMNISTORE_UNAVAILABLE);
  CHECK(has(call.message(), "moved"));
}
