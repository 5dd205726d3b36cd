// SPDX-License-Identifier: Apache-2.0
// Plugins are loaded through a private copy, so that their files may be replaced under a running host.
#include "loader/copy.hpp"

#include <chrono>
#include <csignal>
#include <cstdlib>

#include <sys/stat.h>
#include <sys/wait.h>
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
  const Copy first = private_copy("x", 7, "some bytes");
  const std::string &path = first.path;
  REQUIRE(::chmod(path.c_str(), 0600) == 0);
  write_file(path, "some bytEs");
  const Copy copy = private_copy("x", 7, "some bytes");
  CHECK(copy.path != path);
  CHECK(read_file(copy.path) == "some bytes");
}

TEST_CASE("a copy goes with the last one that holds it") {
  const Runtime runtime;
  std::string path;
  {
    const Copy first = private_copy("x", 7, "some bytes");
    path = first.path;
    { const Copy second = private_copy("x", 7, "some bytes"); }
    CHECK(std::filesystem::exists(path));
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a process that ends takes the copies of its plugins away") {
  const Runtime runtime;
  const pid_t child = ::fork();
  if (child == 0) {
    load("good"); // it stays for the life of the process
    std::exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(runtime.files().empty());
}

TEST_CASE("copies that a killed process left go at the next start and those that are in use stay") {
  const Runtime runtime;
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t child = ::fork();
  if (child == 0) {
    const DriverPtr driver = load("good");
    ::raise(SIGKILL);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(runtime.files().size() == 1);
  const pid_t user = ::fork();
  if (user == 0) {
    const DriverPtr driver = load("answers_1111"); // takes what was left away
    if (::write(ready[1], "x", 1) == 1) ::pause();
    ::_exit(1);
  }
  char byte;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  const DriverPtr driver = load("answers_2222");
  const auto files = runtime.files();
  CHECK(files.size() == 2);
  CHECK(contains(files.at(0), "answers_1111-"));
  ::kill(user, SIGKILL);
  ::waitpid(user, &status, 0);
  ::close(ready[0]);
  ::close(ready[1]);
}

TEST_CASE("if XDG_RUNTIME_DIR is not set the copy lies in the temporary folder") {
  const Folder folder;
  const Variable runtime("XDG_RUNTIME_DIR", nullptr);
  const Variable temporary("TMPDIR", folder.path().c_str());
  CHECK(private_copy("x", 7, "bytes").path.starts_with(folder / folder_name));
}

TEST_CASE("if XDG_RUNTIME_DIR cannot be used the copy lies in the temporary folder") {
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

TEST_CASE("if no copy can be made the plugin loads from its own file, with a warning") {
  const Runtime runtime;
  write_file(runtime.copies, "in the way");
  const Folder folder;
  const std::string file = put(folder, "good", "sample");
  const Log log;
  const DriverPtr driver = Registry({{folder.path()}, {}}).find("sample");
  CHECK(answer(*driver) == OMNISTORE_NOT_FOUND);
  CHECK(is_mapped(file));
  CHECK(contains(log.text.str(), "plugin " + file + ": loaded in place"));
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
