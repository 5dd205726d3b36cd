// SPDX-License-Identifier: Apache-2.0
// A plugin that others could write is not loaded, as ssh uses no such key.
#include <filesystem>

#include <sys/stat.h>
#include <unistd.h>

#include "loader/plugin_error.hpp"
#include "loader/vet.hpp"
#include "support.hpp"

using namespace test;
using omnistore::loader::PluginError;
using omnistore::loader::vet_permissions;

namespace {

void mode(const std::string &path, mode_t bits) { REQUIRE(::chmod(path.c_str(), bits) == 0); }

constexpr uid_t somebody = 54321;

/// Makes `path` somebody else's, and returns the user to vet for: root can give a file away, another user cannot, and
/// looks at his own file as somebody else instead. The folders above must be root's, or this one's, for both.
uid_t give_away(const std::string &path) {
  if (::geteuid() != 0) return somebody;
  REQUIRE(::lchown(path.c_str(), somebody, somebody) == 0);
  return 0;
}

} // namespace

TEST_CASE("a plugin file that its group can write is refused") {
  const Folder folder;
  const std::string file = put(folder, "good", "sample");
  mode(file, 0664);
  const RejectedPlugin reject = refused(file);
  CHECK(reject.reason == "others can write it (mode 0664)");
  CHECK(reject.advice == "chmod go-w " + file);
}

TEST_CASE("a plugin file that all can write is refused") {
  const Folder folder;
  const std::string file = put(folder, "good", "sample");
  mode(file, 0646);
  CHECK(refused(file).reason == "others can write it (mode 0646)");
}

TEST_CASE("a plugin in a folder that others can write is refused with the folder's name") {
  const Folder folder;
  put(folder, "good", "sample");
  mode(folder.path(), 0770);
  Registry registry({{folder.path()}, {}});
  registry.all();
  const RejectedPlugin reject = reject_of(registry, folder / "sample.so");
  CHECK(reject.reason == "others can write its folder " + folder.path().string() + " (mode 0770)");
  CHECK(reject.advice == "chmod go-w " + folder.path().string());
}

TEST_CASE("any folder above counts") {
  const Folder folder;
  std::filesystem::create_directories(folder / "a/b/c");
  const std::string file = folder / "a/b/c/sample.so";
  std::filesystem::copy_file(built("good"), file);
  CHECK_NOTHROW(vet_permissions(file, ::geteuid()));
  mode(folder / "a", 0777);
  CHECK(contains(refused(file).reason, "others can write its folder " + (folder / "a") + " (mode 0777)"));
}

TEST_CASE("a sticky folder that all can write is good, as /tmp is") {
  const Folder folder;
  const std::string file = put(folder, "good", "sample");
  mode(folder.path(), 01777);
  CHECK_NOTHROW(vet_permissions(file, ::geteuid()));
}

TEST_CASE("a plugin file of another user is refused, even if nobody else can write it") {
  const Folder folder;
  const std::string file = put(folder, "good", "sample");
  CHECK_NOTHROW(vet_permissions(file, ::geteuid()));
  const uid_t user = give_away(file);
  CHECK_THROWS_WITH(vet_permissions(file, user), Catch::Contains("it belongs to uid ") &&
                                                     Catch::Contains("neither root nor uid " + std::to_string(user)));
}

TEST_CASE("a folder of another user is refused") {
  const Folder folder;
  std::filesystem::create_directory(folder / "theirs");
  const std::string file = folder / "theirs/sample.so";
  std::filesystem::copy_file(built("good"), file);
  CHECK_NOTHROW(vet_permissions(file, ::geteuid()));
  CHECK_THROWS_AS(vet_permissions(file, give_away(folder / "theirs")), PluginError);
}

TEST_CASE("the target of a symbolic link is vetted, with the folders above") {
  const Folder folder, elsewhere;
  std::filesystem::create_directory(elsewhere / "open");
  std::filesystem::copy_file(built("good"), elsewhere / "open/real.so");
  std::filesystem::create_symlink(elsewhere / "open/real.so", folder / "sample.so");
  CHECK_NOTHROW(vet_permissions(folder / "sample.so", ::geteuid()));
  mode(elsewhere / "open", 0777);
  CHECK_THROWS_WITH(vet_permissions(folder / "sample.so", ::geteuid()), Catch::Contains(elsewhere / "open"));
  mode(elsewhere / "open", 0755);
  mode(elsewhere / "open/real.so", 0666);
  CHECK_THROWS_WITH(vet_permissions(folder / "sample.so", ::geteuid()), Catch::Contains(elsewhere / "open/real.so"));
}

TEST_CASE("the folder that a symbolic link lies in is vetted too") {
  const Folder folder, elsewhere;
  put(elsewhere, "good", "real");
  std::filesystem::create_symlink(elsewhere / "real.so", folder / "sample.so");
  mode(folder.path(), 0777);
  CHECK_THROWS_WITH(vet_permissions(folder / "sample.so", ::geteuid()), Catch::Contains(folder.path()));
}

TEST_CASE("a symbolic link of another user is refused") {
  const Folder folder;
  const std::string file = put(folder, "good", "real");
  std::filesystem::create_symlink(file, folder / "sample.so");
  CHECK_NOTHROW(vet_permissions(folder / "sample.so", ::geteuid()));
  CHECK_THROWS_AS(vet_permissions(folder / "sample.so", give_away(folder / "sample.so")), PluginError);
}

TEST_CASE("nothing of a refused file runs") {
  const Folder folder;
  const std::string file = put(folder, "good", "never_mapped_by_anyone");
  mode(file, 0666);
  refused(file);
  CHECK_FALSE(is_mapped("never_mapped_by_anyone"));
}
