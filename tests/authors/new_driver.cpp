// SPDX-License-Identifier: Apache-2.0
// What `omnistore new-driver` refuses, and what it writes. The scripts beside this build and try its projects. A test
// of the examples' length is here too.
#include <catch2/catch.hpp>

#include <algorithm>
#include <filesystem>

#include <cli/program.hpp>
#include <support/temporary.hpp>

using test::omnistore;
using test::says;
namespace fs = std::filesystem;

TEST_CASE("a name that no driver can have is refused, and a fitting one offered") {
  const test::Folder folder;
  const std::pair<std::string, std::string> names[] = {{"My Store", "my-store"},
                                                       {"3d", "d3d"},
                                                       {"a_b", "a-b"},
                                                       {"../x", "x"},
                                                       {std::string(65, 'a'), std::string(64, 'a')}};
  for (const auto &[name, offered] : names) {
    INFO(name);
    const auto refused = omnistore({"new-driver", name}, {.folder = folder.path()});
    CHECK(refused.code == 2);
    CHECK(says(refused.err, "a driver's name is a letter of a-z"));
    CHECK(says(refused.err, "`omnistore new-driver " + offered + "`"));
  }
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("a folder that exists is left alone") {
  const test::Folder folder;
  fs::create_directory(folder.path() / "mine");
  const auto refused = omnistore({"new-driver", "mine"}, {.folder = folder.path()});
  CHECK(refused.code == 2);
  CHECK(says(refused.err, "mine exists already"));
  CHECK(says(refused.err, "--folder"));
  CHECK(fs::is_empty(folder.path() / "mine"));
}

TEST_CASE("a language without a template is refused") {
  const test::Folder folder;
  CHECK(omnistore({"new-driver", "mine", "--lang", "cobol"}, {.folder = folder.path()}).code == 2);
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("a layer in each language has the files of that language and a layer's schema") {
  const std::pair<std::string, std::string> languages[] = {
      {"c", "mine.c"}, {"cpp", "mine.cpp"}, {"rust", "src/layer.rs"}};
  for (const auto &[language, file] : languages) {
    const test::Folder folder;
    REQUIRE(omnistore({"new-driver", "mine", "--layer", "--lang", language}, {.folder = folder.path()}).code == 0);
    CHECK(fs::exists(folder.path() / "mine" / file));
    CHECK(says(test::read_file(folder / "mine/options.schema.json"), "\"log\""));
    CHECK(says(test::read_file(folder / "mine/README.md"), "\"layers\""));
  }
}

TEST_CASE("a project goes into the folder that was named, with the driver's name put in") {
  const test::Folder folder;
  const auto made = omnistore({"--json", "new-driver", "a-1", "--folder", "deep/er"}, {.folder = folder.path()});
  REQUIRE(made.code == 0);
  CHECK(made.json().at("folder").as_string() == (folder.path() / "deep/er").string());
  CHECK(says(test::read_file(folder / "deep/er/a-1.cpp"), "\"a-1\""));
  for (const auto &entry : fs::recursive_directory_iterator(folder.path() / "deep/er"))
    if (entry.is_regular_file()) CHECK_FALSE(says(test::read_file(entry.path()), "@NAME@"));
}

TEST_CASE("an example fits on two screens: fewer than 80 lines in C++, fewer than 150 in C and in Rust") {
  // The interface of the Rust template, which nobody edits: omnistore/ is to Rust what driver.h and driver.hpp are.
  constexpr std::ptrdiff_t longest_of_interface = 300;
  std::size_t checked = 0;
  for (const char *folder : {"examples", "template"}) {
    for (const auto &entry : fs::recursive_directory_iterator(fs::path(OMNISTORE_SOURCE) / "sdk" / folder)) {
      const fs::path file = entry.path(), extension = file.extension();
      if (extension != ".cpp" && extension != ".c" && extension != ".rs") continue;
      const std::string text = test::read_file(file);
      const bool is_interface = file.parent_path().filename() == "omnistore" || file.filename() == "layer.rs";
      const std::ptrdiff_t limit = is_interface ? longest_of_interface : extension == ".cpp" ? 80 : 150;
      INFO(file);
      CHECK(std::ranges::count(text, '\n') < limit);
      checked += !is_interface;
    }
  }
  CHECK(checked >= 14); // seven examples, two templates for each of three languages, and the test of one
}
