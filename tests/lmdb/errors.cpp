// SPDX-License-Identifier: Apache-2.0
// Each failure of the database has a status of its own, and a message that names the folder and the remedy.
#include <cerrno>
#include <cstring>

#include <lmdb.h>
#include <sys/fsuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "driven.hpp"
#include "fs/injected.hpp"

using namespace test;

namespace {

std::pair<omnistore_status, std::string> refusal(const std::string &path) {
  Host host;
  try {
    Store store(host, path);
  } catch (const StatusError &refused) {
    return {refused.status, refused.what()};
  }
  return {OMNISTORE_OK, ""};
}

bool has(const std::string &text, std::string_view part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

} // namespace

TEST_CASE("a folder whose data.mdb is no LMDB file is refused") {
  Folder folder;
  write_file(folder / "db/data.mdb", std::string(20'000, 'x'));
  const auto [status, message] = refusal(folder / "db");
  CHECK(status == OMNISTORE_CORRUPT);
  CHECK(has(message, folder / "db"));
  CHECK(has(message, "no LMDB database"));
}

TEST_CASE("a path that is a file is refused") {
  Folder folder;
  write_file(folder / "db", "x");
  CHECK(refusal(folder / "db").first == OMNISTORE_INVALID);
}

TEST_CASE("a database of a newer schema is refused") {
  Folder folder;
  const std::string path = folder / "db";
  {
    Host host;
    Store store(host, path);
  }
  MDB_env *env = nullptr;
  MDB_txn *txn = nullptr;
  MDB_dbi about = 0;
  std::uint32_t schema = 99;
  char name[] = "schema";
  MDB_val key{6, name}, value{sizeof schema, &schema};
  REQUIRE(mdb_env_create(&env) == 0);
  REQUIRE(mdb_env_set_maxdbs(env, 4) == 0);
  REQUIRE(mdb_env_open(env, path.c_str(), 0, 0600) == 0);
  REQUIRE(mdb_txn_begin(env, nullptr, 0, &txn) == 0);
  REQUIRE(mdb_dbi_open(txn, "about", 0, &about) == 0);
  REQUIRE(mdb_put(txn, about, &key, &value, 0) == 0);
  REQUIRE(mdb_txn_commit(txn) == 0);
  mdb_env_close(env);
  const auto [status, message] = refusal(path);
  CHECK(status == OMNISTORE_UNSUPPORTED);
  CHECK(has(message, "schema 99"));
}

TEST_CASE("a disk that is full, over quota or read-only is reported as such by every write, and loses nothing") {
  struct Cause {
    int error;
    omnistore_status status;
  };
  const Cause cause = GENERATE(Cause{ENOSPC, OMNISTORE_NO_SPACE}, Cause{EDQUOT, OMNISTORE_NO_SPACE},
                               Cause{EROFS, OMNISTORE_READ_ONLY}, Cause{EIO, OMNISTORE_IO});
  INFO(std::strerror(cause.error));
  Fixture f;
  REQUIRE(f.store.set("k", "old") == OMNISTORE_OK);
  REQUIRE(f.store.set("folder:k", "old") == OMNISTORE_OK);
  std::vector<omnistore_status> statuses;
  std::string message;
  const auto fails = [&](const Made &) { return cause.error; };
  if (!run_with_failures({SYS_pwrite64, SYS_pwritev, SYS_writev, SYS_write}, fails, [&] {
        statuses = {f.store.set("k", "new")};
        message = f.store.message();
        statuses.push_back(f.store.set("k", bytes_of(100'000)));
        statuses.push_back(f.store.remove("k"));
        statuses.push_back(f.store.touch("k", f.host.time + 1000));
        statuses.push_back(f.store.clear("folder:"));
      })) {
    WARN("NOT RUN: the kernel has no filters of system calls");
    return;
  }
  CHECK(statuses == std::vector<omnistore_status>(5, cause.status));
  CHECK(has(message, f.path));
  CHECK(f.store.list() == Keys{"folder:k", "k"});
  CHECK(f.store.get("k") == "old");
  CHECK(f.store.set("k", "new") == OMNISTORE_OK);
  CHECK(f.store.get("k") == "new");
}

TEST_CASE("a database that this user cannot write is refused, and the message names its folder") {
  if (geteuid() != 0) {
    WARN("NOT RUN: only root can take rights away from itself for a while");
    return;
  }
  Folder folder;
  const std::string path = folder / "db";
  Host host;
  Store(host, path).close();
  host.drop_tasks();
  for (const std::string &each : {folder.path().string(), path})
    std::filesystem::permissions(each, std::filesystem::perms::all);
  std::filesystem::permissions(path + "/data.mdb", static_cast<std::filesystem::perms>(0444));
  setfsuid(65534);
  const auto [status, message] = refusal(path);
  setfsuid(0);
  CHECK((status == OMNISTORE_DENIED || status == OMNISTORE_READ_ONLY));
  CHECK(has(message, path));
}

TEST_CASE("a store whose folder was moved away is unhealthy") {
  Fixture f;
  const auto *health =
      static_cast<const omnistore_health *>(f.store.driver().extension(f.store.self(), OMNISTORE_HEALTH));
  REQUIRE(health);
  Call call;
  CHECK(health->health(f.store.self(), &call) == OMNISTORE_OK);
  std::filesystem::rename(f.path, f.path + ".old");
  CHECK(health->health(f.store.self(), &call) == OMNISTORE_UNAVAILABLE);
}

TEST_CASE("a second copy of the plugin does not open a database that the first one has open") {
  Fixture f;
  const std::string copy = f.folder / "lmdb.so";
  std::filesystem::copy_file(OMNISTORE_BUILD "/plugins/lmdb.so", copy);
  const omnistore::testing::Library other(copy);
  Driven second(other.driver());
  omnistore_status status = OMNISTORE_OK;
  try {
    second.open(f.host, "{" + option("path", f.path) + "}");
  } catch (const StatusError &refused) {
    status = refused.status;
  }
  CHECK(status == OMNISTORE_UNAVAILABLE);
  f.store.close();
  second.open(f.host, "{" + option("path", f.path) + "}");
}
