// SPDX-License-Identifier: Apache-2.0
// Values in and out, their places, and refusals.
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <deque>

#include "driven.hpp"

using namespace test;

namespace {
const std::string binary("bytes\0and\xff more\n", 16);
std::string long_value(std::size_t size) {
  std::string value(size, ' ');
  for (std::size_t i = 0; i < size; ++i) value[i] = static_cast<char>('a' + i * 7 % 251);
  return value;
}
} // namespace

TEST_CASE("the value of a:b is the file a/b and nothing else") {
  Fixture f;
  REQUIRE(f.store.set("a:b", binary) == OMNISTORE_OK);
  CHECK(read_file(f.file("a/b")) == binary);
  CHECK(f.names() == Keys{"a", "a/b"});
}

TEST_CASE("a batch of stats gives the meta of each key as a stat does") {
  Fixture f;
  for (const char *key : {"a", "d:1", "d:2", "e:1", "d:3", "n", "n:below", "u"}) f.store.set(key, key);
  f.store.set("d:ends", "soon", {.expiry = f.host.time + 60'000});
  f.store.set("e:over", "over", {.expiry = f.host.time + 10});
  f.host.time += 20;
  write_file(f.file("e/other"), "by another program");
  std::filesystem::create_symlink("1", f.file("d/link"));
  std::filesystem::create_directory(f.file("d/folder"));
  std::filesystem::create_symlink("/etc/passwd", f.file("d/out"));

  const omnistore_driver &driver = fs_driver();
  const std::string options = "{" + option("base", f.folder.path().string()) + "}";
  omnistore_open_request open{};
  open.size = sizeof open;
  open.options = omnistore::as_bytes(options);
  omnistore_traits traits = *driver.traits;
  void *self = nullptr;
  Call call;
  REQUIRE(driver.open(&f.host, &call, &open, &traits, &self) == OMNISTORE_OK);
  const Keys keys = {"a",      "d:1",     "d:2",    "d:none", "d:link",  "d:out",        "d:folder", "e:1",
                     "e:over", "e:other", "d:ends", "n",      "n:below", "none:deep:er", "u",        "a"};
  std::vector<omnistore_bytes> names;
  std::deque<Got> got(keys.size());
  std::vector<omnistore_sink *> sinks;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    names.push_back(omnistore::as_bytes(keys[i]));
    sinks.push_back(&got[i]);
  }
  const omnistore_get_request request{sizeof request, OMNISTORE_GET_META, 0, UINT64_MAX};
  const std::vector<const omnistore_get_request *> requests(keys.size(), &request);
  std::vector<omnistore_status> statuses(keys.size(), OMNISTORE_INTERNAL);
  CHECK(driver.stat_many(self, &call, names.data(), static_cast<std::uint32_t>(keys.size()), requests.data(),
                         sinks.data(), statuses.data()) == OMNISTORE_OK);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    INFO(keys[i]);
    Got single;
    CHECK(statuses[i] == driver.stat(self, &call, names[i], &request, &single));
    CHECK(got[i].value_size == single.value_size);
    CHECK(got[i].etag == single.etag);
    CHECK(got[i].expiry == single.expiry);
    CHECK(got[i].mtime == single.mtime);
  }
  CHECK(statuses[3] == OMNISTORE_NOT_FOUND);
  CHECK(statuses[5] == OMNISTORE_DENIED);
  CHECK(statuses[8] == OMNISTORE_NOT_FOUND);
  CHECK(got[9].value_size == 18);
  CHECK(got[10].expiry > 0);
  driver.close(self);
}

TEST_CASE("a file that another program wrote is a value") {
  Fixture f;
  write_file(f.file("x/y/z"), binary);
  CHECK(f.store.get("x:y:z") == binary);
  CHECK(f.store.list() == Keys{"x:y:z"});
}

TEST_CASE("a value comes back as it went in, whatever its size") {
  Fixture f;
  for (const std::size_t size : {0, 1, 4095, 4096, 1 << 20, (1 << 20) + 1, 5 << 20}) {
    const std::string value = long_value(size);
    REQUIRE(f.store.set("k", value) == OMNISTORE_OK);
    for (const bool offers : {true, false}) {
      Got got;
      got.offers_buffer = offers;
      REQUIRE(f.store.get("k", got) == OMNISTORE_OK);
      CHECK(got.begun == 1);
      CHECK(got.value_size == size);
      CHECK((got.bytes == value));
    }
  }
}

TEST_CASE("a get of a part gives that part and the size of the whole") {
  Fixture f;
  f.store.set("k", "0123456789");
  const auto part = [&](std::uint64_t offset, std::uint64_t length) {
    Got got;
    CHECK(f.store.get("k", got, offset, length) == OMNISTORE_OK);
    CHECK(got.value_size == 10);
    return got.bytes;
  };
  CHECK(part(0, 3) == "012");
  CHECK(part(7, 100) == "789");
  CHECK(part(4, UINT64_MAX) == "456789");
  CHECK(part(10, 5).empty());
  CHECK(part(11, UINT64_MAX).empty());
  CHECK(part(2, 0).empty());
}

TEST_CASE("a missing key is not found, and nothing has begun") {
  Fixture f;
  f.store.set("folder:inside", "");
  for (const char *key : {"none", "none:below", "folder", "folder:inside:below"}) {
    Got got;
    CHECK(f.store.get(key, got) == OMNISTORE_NOT_FOUND);
    CHECK(f.store.stat(key, got) == OMNISTORE_NOT_FOUND);
    CHECK(got.begun == 0);
    CHECK(f.store.remove(key) == OMNISTORE_NOT_FOUND);
  }
}

TEST_CASE("stat gives size and time without the bytes") {
  Fixture f;
  f.store.set("k", "12345");
  struct stat status;
  REQUIRE(::stat(f.file("k").c_str(), &status) == 0);
  Got got;
  REQUIRE(f.store.stat("k", got) == OMNISTORE_OK);
  CHECK(got.value_size == 5);
  CHECK(got.mtime == status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000);
  CHECK(got.writes == 0);
  CHECK(got.expiry == 0);
}

TEST_CASE("a value that comes in pieces is stored whole") {
  Fixture f;
  Pieces source({long_value(1000000), long_value(3), long_value(70000)});
  REQUIRE(f.store.set("k", source, 1070003) == OMNISTORE_OK);
  CHECK((f.store.get("k") == long_value(1000000) + long_value(3) + long_value(70000)));
  Pieces unknown({"one", "two"});
  REQUIRE(f.store.set("k", unknown) == OMNISTORE_OK);
  CHECK(f.store.get("k") == "onetwo");
}

TEST_CASE("a source that fails leaves the old value and no file") {
  Fixture f;
  f.store.set("k", "old");
  Pieces source({"new", "er"}, OMNISTORE_UNAVAILABLE);
  CHECK(f.store.set("k", source) == OMNISTORE_UNAVAILABLE);
  Pieces in_folder({"new"}, OMNISTORE_UNAVAILABLE);
  CHECK(f.store.set("folder:k", in_folder) == OMNISTORE_UNAVAILABLE);
  CHECK(f.store.get("k") == "old");
  CHECK(f.names() == Keys{"k"});
}

TEST_CASE("a source that gives more or fewer bytes than announced is refused") {
  Fixture f;
  Pieces fewer({"abc"}), more({"abc"});
  CHECK(f.store.set("k", fewer, 4) == OMNISTORE_INVALID);
  CHECK(f.store.message() == "the value has fewer bytes than the 4 that were announced");
  CHECK(f.store.set("k", more, 2) == OMNISTORE_INVALID);
  CHECK(f.names().empty());
}

TEST_CASE("removing the last key of a folder removes the folders, up to base") {
  Fixture f;
  f.store.set("a:b:c:d", "1");
  f.store.set("a:x", "2");
  CHECK(f.store.remove("a:b:c:d") == OMNISTORE_OK);
  CHECK(f.names() == Keys{"a", "a/x"});
  CHECK(f.store.remove("a:x") == OMNISTORE_OK);
  CHECK(f.names().empty());
  CHECK(std::filesystem::exists(f.folder.path()));
}

TEST_CASE("a key that no file can stand for is refused, with the reason") {
  Fixture f;
  for (const char *key : {"$", "a:$", "$:a", "..", "a:..:b", ".", "a::b", ":a", "a:", "", "a/b", "/etc/passwd", "a?b",
                          "a\\b", "\xff", ".12ab.omnistore-tmp$", "a:.1.omnistore-tmp$:b"}) {
    INFO(key);
    Got got;
    CHECK(f.store.set(key, "x") == OMNISTORE_INVALID);
    CHECK(f.store.message().find('"') == 0);
    CHECK(f.store.get(key, got) == OMNISTORE_INVALID);
    CHECK(f.store.stat(key, got) == OMNISTORE_INVALID);
    CHECK(f.store.remove(key) == OMNISTORE_INVALID);
  }
  CHECK(f.names().empty());
}

TEST_CASE("a segment that is too long for the filesystem is too large to set and not there to get") {
  Fixture f;
  const std::string long_name(256, 'n');
  const std::string whole_name(255, 'n');
  for (const std::string &key : {long_name, "a:" + long_name, long_name + ":b"}) {
    CHECK(f.store.set(key, "x") == OMNISTORE_TOO_LARGE);
    CHECK(f.store.message().find("fit into a file's name") != std::string::npos);
    CHECK(f.store.set(key, "x", {.condition = OMNISTORE_IF_ABSENT}) == OMNISTORE_TOO_LARGE);
    CHECK(f.store.set(key, "x", {.expiry = f.host.time + 1000, .user = "u"}) == OMNISTORE_TOO_LARGE);
    Got got;
    CHECK(f.store.get(key, got) == OMNISTORE_TOO_LARGE);
    CHECK(f.store.stat(key, got) == OMNISTORE_TOO_LARGE);
    CHECK(f.store.touch(key, f.host.time + 1000) == OMNISTORE_TOO_LARGE);
    CHECK(f.store.touch_user(key, "u") == OMNISTORE_TOO_LARGE);
    CHECK(f.store.remove(key) == OMNISTORE_TOO_LARGE);
  }
  CHECK(f.names().empty());
  for (const std::string &key : {std::string(254, 'n'), whole_name + ":b"}) {
    CHECK(f.store.set(key, "x", {.expiry = f.host.time + 1000, .user = "u"}) == OMNISTORE_OK);
    CHECK(f.store.user(key) == "u");
    CHECK(f.store.touch_user(key, "w") == OMNISTORE_OK);
    CHECK(f.store.touch(key, f.host.time + 2000) == OMNISTORE_OK);
    CHECK(f.store.get(key) == "x");
    CHECK(f.store.remove(key) == OMNISTORE_OK);
  }
}

TEST_CASE("a key whose last segment fills a file's name keeps user meta like any other") {
  Fixture f;
  for (const std::string &key : {std::string(255, 'n'), "a:" + std::string(255, 'n')}) {
    std::string other = key; // differs in the last byte alone
    other.back() = 'o';
    CHECK(f.store.set(key, "x", {.expiry = f.host.time + 1000, .user = "u"}) == OMNISTORE_OK);
    CHECK(f.store.set(other, "x", {.user = "w"}) == OMNISTORE_OK);
    CHECK(f.store.user(key) == "u");
    CHECK(f.store.user(other) == "w");
    CHECK(f.store.set(key, "y", {.condition = OMNISTORE_IF_PRESENT}) == OMNISTORE_OK);
    CHECK(f.store.user(key).empty());
    CHECK(f.store.touch_user(key, "u") == OMNISTORE_OK);
    CHECK(f.store.touch(key, f.host.time + 1000) == OMNISTORE_OK);
    CHECK(f.store.user(key) == "u");
    CHECK(f.store.get(key) == "y");
    CHECK(f.store.list() == Keys{key, other});
    CHECK(f.store.remove(key) == OMNISTORE_OK);
    CHECK(f.store.user(other) == "w");
    CHECK(f.store.remove(other) == OMNISTORE_OK);
  }
  CHECK(f.names().empty()); // no file of user meta is left
}

TEST_CASE("a key of the largest size that the traits state can be set, listed and removed") {
  Fixture f;
  std::string key;
  while (key.size() < f.store.traits.max_key_size - 4) key += "abc:";
  key.resize(f.store.traits.max_key_size, 'x');
  REQUIRE(f.store.set(key, "v") == OMNISTORE_OK);
  REQUIRE(f.store.set(key.substr(0, key.rfind(':')), "own") == OMNISTORE_OK);
  CHECK(f.store.get(key) == "v");
  CHECK(f.store.list("", OMNISTORE_ANY_DEPTH, 1).size() == 2);
  CHECK(f.store.remove(key) == OMNISTORE_OK);
  CHECK(f.store.set(key + "x", "v") == OMNISTORE_TOO_LARGE);
}

TEST_CASE("a read-only store refuses every write and makes no folder") {
  Folder folder;
  Host host;
  CHECK_THROWS_WITH(Store(host, folder / "none", ", \"readOnly\": true"), Catch::Contains("No such file"));
  CHECK(!std::filesystem::exists(folder / "none"));
  write_file(folder / "k", "v");
  Store store(host, folder.path().string(), ", \"readOnly\": true");
  CHECK((store.traits.capabilities & OMNISTORE_READS_ONLY) != 0);
  CHECK(store.get("k") == "v");
  CHECK(store.set("k", "w") == OMNISTORE_READ_ONLY);
  CHECK(store.remove("k") == OMNISTORE_READ_ONLY);
  CHECK(store.clear() == OMNISTORE_READ_ONLY);
  CHECK(store.touch("k", host.time + 1000) == OMNISTORE_READ_ONLY);
  CHECK(store.get("k") == "v");
}

TEST_CASE("base is made when it is missing") {
  Folder folder;
  Host host;
  Store store(host, folder / "new/base");
  CHECK(store.set("k", "v") == OMNISTORE_OK);
  CHECK(read_file(folder / "new/base/k") == "v");
}

TEST_CASE("a base that is a file is an error that names it") {
  Folder folder;
  Host host;
  write_file(folder / "file", "");
  CHECK_THROWS_WITH(Store(host, folder / "file"), Catch::Contains(folder / "file"));
}

TEST_CASE("a base that was removed is made again by the next write, and found again by the next read") {
  Fixture f;
  f.store.set("a:b", "1");
  std::filesystem::remove_all(f.folder.path());
  CHECK(f.store.get("a:b") == std::nullopt);
  CHECK(f.store.list().empty());
  CHECK(f.store.set("c:d", "2") == OMNISTORE_OK);
  CHECK(read_file(f.file("c/d")) == "2");
  std::filesystem::remove_all(f.folder.path());
  write_file(f.file("e"), "3");
  CHECK(f.store.get("e") == "3");
}

TEST_CASE("durability data and full store and remove like none, and state their promises") {
  for (const auto &[durability, keeps] : {std::pair{"none", OMNISTORE_KEEPS_PROCESS},
                                          {"data", OMNISTORE_KEEPS_PROCESS},
                                          {"full", OMNISTORE_KEEPS_POWER}}) {
    Folder folder;
    Host host;
    Store store(host, folder.path().string(), std::string(", \"durability\": \"") + durability + "\"");
    CHECK(store.traits.keeps == keeps);
    CHECK(store.set("a", "1") == OMNISTORE_OK);
    CHECK(store.set("a:b:c", "2") == OMNISTORE_OK);
    CHECK(store.set("a:b:c", "3", {.expiry = host.time + 1000}) == OMNISTORE_OK);
    CHECK(store.get("a") == "1");
    CHECK(store.get("a:b:c") == "3");
    CHECK(store.remove("a:b:c") == OMNISTORE_OK);
    CHECK(store.clear() == OMNISTORE_OK);
    CHECK(names_in(folder.path()).empty());
  }
}

TEST_CASE("without a free descriptor the store is unavailable, and says why") {
  Fixture f;
  f.store.set("k", "v");
  const pid_t child = fork();
  if (child == 0) {
    const rlimit none{0, 0};
    setrlimit(RLIMIT_NOFILE, &none);
    Got got;
    const bool right = f.store.get("k", got) == OMNISTORE_UNAVAILABLE && f.store.message() == "k: Too many open files";
    _exit(right ? 0 : 1);
  }
  int status = 1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("a deadline that has passed ends a long read") {
  Fixture f;
  Call late;
  late.left = 0;
  f.store.set("k", long_value(3 << 20));
  Got got;
  const omnistore_get_request request{sizeof request, 0, 0, UINT64_MAX};
  CHECK(fs_driver().get(f.store.self(), &late, omnistore::as_bytes("k"), &request, &got) == OMNISTORE_TIMEOUT);
}
