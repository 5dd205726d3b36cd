// SPDX-License-Identifier: Apache-2.0
// Plugins are loaded through a private copy, so that their files may be replaced under a running host.
#include "loader/copy.hpp"

#include <chrono>

#include <sys/stat.h>
#include <unistd.h>

#include "support.hpp"

using namespace test;
using omnistore::loader::Copy;
using omnistore::loader::private_copy;

namespace {

const std::string folder_name = "omnistore-" + std::to_string(::geteuid());

/// A runtime folder of the test's own, so that copies are its own too.
struct Runtime {
  Folder folder;
  Variable runtime{"XDG_RUNTIME_DIR", folder.path().c_str()};
  Variable temporary{"TMPDIR", folder.path().c_str()};
  std::string copies = folder / folder_name;
  std::vector<std::string> files() const {
    std::vector<std::string> found;
    for (const auto &entry : std::filesystem::directory_iterator(copies)) found.push_back(entry.path().string());
    std::sort(found.begin(), found.end());
    return found;
  }
};

/// Writes into a file as cp does: into the same inode.
void overwrite(const std::string &file, const std::string &bytes) {
  struct stat before, after;
  REQUIRE(::stat(file.c_str(), &before) == 0);
  write_file(file, bytes);
  REQUIRE(::stat(file.c_str(), &after) == 0);
  REQUIRE(before.st_ino == after.st_ino);
}

} // namespace

TEST_CASE("a plugin's file may be overwritten while its driver is loaded") {
  const Runtime runtime;
  const Folder folder;
  const std::string file = put(folder, "answers_1111", "sample");
  const DriverPtr driver = Registry({{folder.path()}, {}}).find("sample");
  overwrite(file, std::string(100, 'x'));
  CHECK(answer(*driver) == 1111);
}

TEST_CASE("a replaced file loads as a new generation beside the old") {
  const Runtime runtime;
  const Folder folder;
  const std::string file = put(folder, "answers_1111", "sample");
  const DriverPtr old = Registry({{folder.path()}, {}}).find("sample");
  overwrite(file, read_file(built("answers_2222")));
  const DriverPtr next = Registry({{folder.path()}, {}}).find("sample");
  CHECK(answer(*old) == 1111);
  CHECK(answer(*next) == 2222);
  CHECK(next->version == "2.0.0");
  CHECK(next->file == file);
}

TEST_CASE("the copy lies in a folder that only its user may enter, under a name with stem and hash") {
  const Runtime runtime;
  const DriverPtr driver = load("good");
  struct stat info;
  REQUIRE(::lstat(runtime.copies.c_str(), &info) == 0);
  CHECK(S_ISDIR(info.st_mode));
  CHECK((info.st_mode & 07777) == 0700);
  REQUIRE(runtime.files().size() == 1);
  const std::string name = std::filesystem::path(runtime.files().at(0)).filename().string();
  CHECK(name.size() == std::string("good-0123456789abcdef.so").size());
  CHECK(name.starts_with("good-"));
  CHECK(name.ends_with(".so"));
  CHECK(is_mapped(runtime.files().at(0)));
}

TEST_CASE("an equal copy is used again") {
  const Runtime runtime;
  const Copy first = private_copy("x", 7, "some bytes");
  struct stat before, after;
  REQUIRE(::stat(first.path.c_str(), &before) == 0);
  const Copy second = private_copy("x", 7, "some bytes");
  REQUIRE(::stat(second.path.c_str(), &after) == 0);
  CHECK(first.path == second.path);
  CHECK(before.st_ino == after.st_ino);
}

TEST_CASE("a copy with the right name and other bytes is not used") {
  const Runtime runtime;
  const std::string path = private_copy("x", 7, "some bytes").path;
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  write_file(path, "some bytEs");
  const Copy copy = private_copy("x", 7, "some bytes");
  CHECK(copy.path != path);
  CHECK(read_file(copy.path) == "some bytes");
}

TEST_CASE("copies that no process uses go when a new one of their stem is made") {
  const Runtime runtime;
  const Copy used = private_copy("x", 7, "used");
  const std::string unused = private_copy("x", 7, "unused").path;
  const std::string other_stem = private_copy("x-y", 7, "another").path;
  const Copy made = private_copy("x", 7, "new");
  std::vector<std::string> expected{used.path, other_stem, made.path};
  std::sort(expected.begin(), expected.end());
  CHECK(runtime.files() == expected);
  CHECK_FALSE(std::filesystem::exists(unused));
}

TEST_CASE("where XDG_RUNTIME_DIR is not set the copy lies in the temporary folder") {
  const Folder folder;
  const Variable runtime("XDG_RUNTIME_DIR", nullptr);
  const Variable temporary("TMPDIR", folder.path().c_str());
  CHECK(private_copy("x", 7, "bytes").path.starts_with(folder / folder_name));
}

TEST_CASE("where XDG_RUNTIME_DIR cannot be used the copy lies in the temporary folder") {
  const Folder folder;
  const Variable runtime("XDG_RUNTIME_DIR", (folder / "absent").c_str());
  const Variable temporary("TMPDIR", folder.path().c_str());
  CHECK(private_copy("x", 7, "bytes").path.starts_with(folder / folder_name));
}

TEST_CASE("a private folder that is a symbolic link is not used") {
  const Runtime runtime;
  const Folder elsewhere;
  std::filesystem::create_symlink(elsewhere.path(), runtime.copies);
  CHECK_THROWS_WITH(private_copy("x", 7, "bytes"), Catch::Contains(runtime.copies));
  CHECK(std::filesystem::is_empty(elsewhere.path()));
}

TEST_CASE("a private folder that others may enter is not used") {
  const Runtime runtime;
  std::filesystem::create_directory(runtime.copies);
  REQUIRE(::chmod(runtime.copies.c_str(), 0755) == 0);
  CHECK_THROWS_WITH(private_copy("x", 7, "bytes"), Catch::Contains("is open to others (chmod 700 it)"));
}

TEST_CASE("a private folder in one that others can write is not used") {
  const Runtime runtime;
  REQUIRE(::chmod(runtime.folder.path().c_str(), 0777) == 0);
  CHECK_THROWS_WITH(private_copy("x", 7, "bytes"), Catch::Contains("others can write its folder"));
}

TEST_CASE("where no copy can be made the plugin loads from where it is, with a warning") {
  const Runtime runtime;
  write_file(runtime.copies, "in the way");
  const Folder folder;
  const std::string file = put(folder, "good", "sample");
  const Log log;
  const DriverPtr driver = Registry({{folder.path()}, {}}).find("sample");
  CHECK(answer(*driver) == OMNISTORE_NOT_FOUND);
  CHECK(is_mapped(file));
  CHECK(contains(log.text.str(), "plugin " + file + ": loaded from where it is"));
  CHECK(contains(log.text.str(), runtime.copies));
}

TEST_CASE("a plugin that looks for its libraries beside itself finds them") {
  const Runtime runtime;
  CHECK(answer(*load("by_origin")) == 4242);
}

TEST_CASE("finding a plugin whose copy is there takes well under a millisecond besides the linker") {
  const Runtime runtime;
  const std::string bytes(100 * 1024, 'x');
  const Copy made = private_copy("x", 7, bytes);
  auto best = std::chrono::nanoseconds::max();
  for (int i = 0; i < 20; ++i) {
    const auto start = std::chrono::steady_clock::now();
    const Copy copy = private_copy("x", 7, bytes);
    best = std::min(best, std::chrono::nanoseconds(std::chrono::steady_clock::now() - start));
  }
  INFO(best.count() << " ns");
  CHECK(best < std::chrono::milliseconds(1));
}
