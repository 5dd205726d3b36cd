// SPDX-License-Identifier: Apache-2.0
// The lock file: which plugins a registry may load.
#include <fstream>

#include <sys/stat.h>

#include "loader/lock.hpp"
#include "loader/vet.hpp"
#include "support.hpp"

using namespace test;
using omnistore::loader::differences;
using omnistore::loader::FoundPlugin;
using omnistore::loader::LockDifference;
using omnistore::loader::LockedPlugin;
using omnistore::loader::PluginError;
using omnistore::loader::read_lock;
using omnistore::loader::write_lock;

namespace {

std::string sum(const std::string &file) { return omnistore::loader::sha256(read_file(file)); }

LockedPlugin entry(const std::string &file) {
  return {std::filesystem::path(file).filename(), file, sum(file), "sample", "1.0.0", "1.0", {{"sample", "1.0.0"}}};
}

/// A folder of plugins with a lock file beside it.
struct Locked {
  Folder folder;
  std::string lock = folder / "omnistore.lock";
  std::string plugins = folder / "plugins";
  Locked() { std::filesystem::create_directory(plugins); }
  std::string put(const std::string &plugin, const std::string &as) const {
    const std::string file = plugins + "/" + as + ".so";
    std::filesystem::copy_file(built(plugin), file, std::filesystem::copy_options::overwrite_existing);
    return file;
  }
  Registry registry() const { return Registry({{plugins}, {}, lock}); }
};

std::string wrong(const std::string &file) {
  try {
    read_lock(file);
  } catch (const PluginError &reason) {
    return reason.what();
  }
  return "nothing";
}

} // namespace

TEST_CASE("a plugin that is in the lock file loads") {
  const Locked place;
  write_lock(place.lock, {entry(place.put("good", "sample"))});
  Registry registry = place.registry();
  CHECK(registry.find("sample"));
}

TEST_CASE("a plugin that is not in the lock file is refused before any of its code runs") {
  const Locked place;
  write_lock(place.lock, {entry(place.put("good", "sample"))});
  const std::string file = place.put("load_aborts", "stranger"); // its constructor would end this process
  const Variable no_probe("OMNISTORE_PROBE", "");
  Registry registry = place.registry();
  CHECK(names(registry.all()) == std::vector<std::string>{"sample"});
  const RejectedPlugin reject = reject_of(registry, file);
  CHECK(contains(reject.reason, "it is not in the lock file " + place.lock));
  CHECK(contains(reject.advice, "run `omnistore plugins lock --lock " + place.lock + "`"));
  CHECK_FALSE(is_mapped("stranger"));
}

TEST_CASE("a plugin that differs from the lock file is refused with both sums") {
  const Locked place;
  const std::string file = place.put("good", "sample");
  const std::string before = sum(file);
  write_lock(place.lock, {entry(file)});
  place.put("answers_2222", "sample");
  Registry registry = place.registry();
  CHECK_THROWS_AS(registry.find("sample"), omnistore::Error);
  CHECK(
      contains(reject_of(registry, file).reason, "its locked sum is " + before + ", its present sum is " + sum(file)));
}

TEST_CASE("a locked plugin under another file's name is refused") {
  const Locked place;
  write_lock(place.lock, {entry(place.put("good", "sample"))});
  std::filesystem::rename(place.plugins + "/sample.so", place.plugins + "/other.so");
  Registry registry = place.registry();
  CHECK(registry.all().empty());
}

TEST_CASE("a locked plugin may lie in another folder") {
  const Locked place, elsewhere;
  write_lock(place.lock, {entry(elsewhere.put("good", "sample"))});
  place.put("good", "sample");
  Registry registry = place.registry();
  CHECK(registry.find("sample"));
}

TEST_CASE("a lock file that is missing or damaged lets no plugin in") {
  const Locked place;
  const std::string file = place.put("good", "sample");
  const std::string text = GENERATE("", "{", "[]", "{}", R"({"omnistoreLock": 2, "plugins": []})",
                                    R"({"omnistoreLock": 1, "plugins": [{"file": "sample.so"}]})");
  if (!text.empty()) write_file(place.lock, text);
  Registry registry = place.registry();
  CHECK(registry.all().empty());
  const RejectedPlugin reject = reject_of(registry, file);
  CHECK(contains(reject.reason, "the lock file " + place.lock + " cannot be used"));
  CHECK(contains(reject.advice, "omnistore plugins lock"));
}

TEST_CASE("a lock file that others can write is no lock") {
  const Locked place;
  write_lock(place.lock, {entry(place.put("good", "sample"))});
  ::chmod(place.lock.c_str(), 0666);
  CHECK(contains(wrong(place.lock), "others can write it"));
}

TEST_CASE("a registry follows its lock file when that changes") {
  const Locked place;
  write_lock(place.lock, {entry(place.put("good", "sample"))});
  Registry registry = place.registry();
  CHECK(registry.find("sample")->version == "1.0.0");
  const std::string file = place.put("answers_2222", "sample");
  CHECK_THROWS_AS(registry.find("sample"), omnistore::Error);
  write_lock(place.lock, {entry(file)});
  CHECK(registry.find("sample")->version == "2.0.0");
}

TEST_CASE("a new registry keeps no driver that the lock file has lost") {
  const Locked place;
  write_lock(place.lock, {entry(place.put("good", "sample"))});
  Registry before = place.registry();
  REQUIRE(before.find("sample"));
  write_lock(place.lock, {});
  Registry after({{place.plugins}, {}, place.lock}, &before);
  CHECK_THROWS_AS(after.find("sample"), omnistore::Error);
}

TEST_CASE("a lock file is written whole, in a stable order, for everybody to read") {
  const Locked place;
  const LockedPlugin a = entry(place.put("good", "a")), b = entry(place.put("other", "b"));
  const mode_t before = ::umask(077);
  write_lock(place.lock, {b, a, a});
  ::umask(before);
  const std::string text = read_file(place.lock);
  write_lock(place.lock, {a, b});
  CHECK(read_file(place.lock) == text);
  struct stat info;
  REQUIRE(::stat(place.lock.c_str(), &info) == 0);
  CHECK((info.st_mode & 07777) == 0644);
  const auto read = read_lock(place.lock);
  REQUIRE(read.size() == 2);
  CHECK(read[0].file == "a.so");
  CHECK(read[0].sha256 == a.sha256);
  CHECK(read[1].drivers == b.drivers);
  CHECK(std::distance(std::filesystem::directory_iterator(place.folder.path()), {}) == 2); // nothing is left beside it
}

TEST_CASE("a lock file that cannot be written leaves the old one") {
  const Locked place;
  CHECK_THROWS_AS(write_lock(place.folder / "none/omnistore.lock", {}), omnistore::Error);
}

TEST_CASE("each difference is added, missing or changed") {
  const Locked place;
  const LockedPlugin same = entry(place.put("good", "same")), gone = entry(place.put("good", "gone")),
                     other = entry(place.put("good", "other"));
  const std::string old = other.sha256, now = sum(place.put("answers_2222", "other"));
  const std::vector<FoundPlugin> found{
      {place.plugins + "/same.so", same.sha256}, {place.plugins + "/other.so", now}, {place.plugins + "/new.so", now}};
  const auto all = differences({same, gone, other}, found);
  REQUIRE(all.size() == 3);
  CHECK((all[0].kind == LockDifference::Kind::missing && all[0].file == "gone.so"));
  CHECK((all[1].kind == LockDifference::Kind::added && all[1].file == "new.so"));
  CHECK((all[2].kind == LockDifference::Kind::changed && all[2].locked == old && all[2].found == now));
  CHECK(differences({same}, {found[0]}).empty());
}

TEST_CASE("a driver shows the sum of the loaded bytes, whatever the file holds now") {
  const Folder folder;
  const std::string file = put(folder, "good", "sample");
  const std::string loaded = sum(file);
  const DriverPtr driver = Registry({{folder.path()}, {}}).find("sample");
  std::filesystem::remove(file);
  put(folder, "answers_2222", "sample");
  CHECK(driver->sha256() == loaded);
}

TEST_CASE("a plugin that is loaded from its own file shows its sum too") {
  const DriverPtr driver = load("by_origin");
  CHECK(driver->sha256() == sum(built("by_origin")));
}
