// SPDX-License-Identifier: Apache-2.0
// Parts of the driver by themselves.
#include <algorithm>

#include <catch2/catch.hpp>

#include <fcntl.h>

#include "expiry/sweeper.hpp"
#include "listing/ignore.hpp"
#include "listing/walk.hpp"
#include "support/temporary.hpp"
#include "tree/tree.hpp"

namespace {
std::vector<std::string> texts_of(const fs::Names &names) {
  std::vector<std::string> texts;
  for (std::size_t i = 0; i < names.size(); ++i) texts.emplace_back(names.text(names[i]));
  return texts;
}
} // namespace

TEST_CASE("if a folder has too many names for the room, the first are kept and reading continues after them") {
  test::Folder folder;
  std::vector<std::string> expected;
  for (int i = 0; i < 1000; ++i) {
    const std::string name = "same-beginning-" + std::to_string(1000 + i * 37 % 1000);
    if (i % 10 == 0)
      std::filesystem::create_directory(folder / name);
    else
      test::write_file(folder / name, "");
    expected.push_back(name);
    if (i % 10 == 0) expected.push_back(name + ":");
  }
  std::sort(expected.begin(), expected.end());
  const fs::Ignore ignore({});
  for (const std::size_t limit : {1, 7, 100, 2000}) {
    std::vector<std::string> all, leftovers;
    std::string last;
    fs::Names names;
    do {
      const fs::Fd opened(open(folder.path().c_str(), O_RDONLY | O_DIRECTORY));
      names.read(opened.get(), "", ignore, {last, false}, leftovers, limit);
      REQUIRE(names.size() <= limit);
      for (std::string &text : texts_of(names)) all.push_back(std::move(text));
      last = all.back();
    } while (names.was_cut());
    CHECK((all == expected));
  }
}

TEST_CASE("globs have the same meaning as in unstorage") {
  const auto matches = fs::glob_matches;
  CHECK(matches("*", "a"));
  CHECK(!matches("*", "a/b"));
  CHECK(matches("**", "a/b/c"));
  CHECK(matches("**/x", "x"));
  CHECK(matches("**/x", "a/b/x"));
  CHECK(!matches("**/x", "a/xy"));
  CHECK(matches("a/**", "a"));
  CHECK(matches("a/**", "a/b/c"));
  CHECK(!matches("a/**", "ab"));
  CHECK(matches("a/**/z", "a/z"));
  CHECK(matches("a/**/z", "a/b/c/z"));
  CHECK(matches("**/a/**/b", "x/a/y/a/z/b"));
  CHECK(!matches("**/a/**/b", "x/b/a"));
  CHECK(matches("*.log", "x.log"));
  CHECK(matches("*.log", ".log"));
  CHECK(matches("a*b*c", "aXbYbZc"));
  CHECK(!matches("a*b*c", "aXbYbZ"));
  CHECK(matches("?x[a-c]", "1xb"));
  CHECK(!matches("?x[!a-c]", "1xb"));
  CHECK(matches("[]x]", "]"));
  CHECK(matches("a[b", "a[b"));
  CHECK(!matches("a", "a/b"));
  CHECK(!matches("a/b", "a"));
  CHECK(!matches("", "a"));
}

TEST_CASE("braces stand for each of their choices") {
  const fs::Ignore ignore({"{a,b}/*.{x,y}"});
  CHECK(ignore.file("a", "1.x"));
  CHECK(ignore.file("b", "1.y"));
  CHECK(!ignore.file("c", "1.y"));
  CHECK(!ignore.file("a", "1.z"));
  CHECK_THROWS_AS(fs::Ignore({"{a"}), omnistore::Failure);
  CHECK_THROWS_AS(fs::Ignore({"{a,{b,c}}"}), omnistore::Failure);
}

TEST_CASE("if there are too many deadlines for the room, the soonest are kept and a walk is due for the rest") {
  fs::Deadlines deadlines(10);
  for (int i = 0; i < 1000; ++i) deadlines.add(1000 + i * 37 % 1000, "k" + std::to_string(i * 37 % 1000));
  CHECK(deadlines.next() == 1000);
  CHECK(!deadlines.walk_is_due(1009));
  const std::vector<std::string> due = deadlines.due(1500, 100);
  CHECK(due == std::vector<std::string>{"k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9"});
  CHECK(deadlines.next() == 1010);
  CHECK(deadlines.walk_is_due(1010));
  CHECK(!deadlines.walk_is_due(1010));
  CHECK(deadlines.next() == std::nullopt);
}

TEST_CASE("due gives at most the requested number, and none too early") {
  fs::Deadlines deadlines;
  for (int i = 0; i < 5; ++i) deadlines.add(100, std::to_string(i));
  CHECK(deadlines.due(99, 10).empty());
  CHECK(deadlines.due(100, 3).size() == 3);
  CHECK(deadlines.due(100, 3).size() == 2);
}
