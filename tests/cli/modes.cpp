// SPDX-License-Identifier: Apache-2.0
// Access to the files that the program writes: they hold the values.
#include <sys/stat.h>

#include <catch2/catch.hpp>

#include "program.hpp"
#include "support/temporary.hpp"

using test::Front;

namespace {

mode_t mode_of(const std::string &file) {
  struct stat status {};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

} // namespace

TEST_CASE("Only the owner can read a new dump or a value's new file, and an older file keeps its mode") {
  const Front omnistore(false);
  const test::Folder folder;
  REQUIRE(omnistore({"set", "k", "v"}).code == 0);
  const std::vector<std::string> ways[] = {{"dump", "-o"}, {"get", "k", "-o"}};
  for (std::vector<std::string> words : ways) {
    const std::string file = folder / words[0];
    words.push_back(file);
    REQUIRE(omnistore(words).code == 0);
    CHECK(mode_of(file) == 0600);
    REQUIRE(::chmod(file.c_str(), 0644) == 0);
    REQUIRE(omnistore(words).code == 0);
    CHECK(mode_of(file) == 0644);
  }
}
