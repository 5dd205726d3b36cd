// SPDX-License-Identifier: Apache-2.0
// Listings.
#include <catch2/catch.hpp>

#include <algorithm>

#include "program.hpp"

using test::Front;
using test::lines;
using test::Result;
using test::Strings;

namespace {

Strings sorted(Strings list) {
  std::sort(list.begin(), list.end());
  return list;
}

/// Files that no front has written, as many as several pages hold.
Strings many_files(const test::Place &place, unsigned count) {
  Strings keys;
  for (unsigned i = 0; i < count; ++i) {
    const std::string number = std::to_string(i);
    test::write_file(place.folder.path() / "root" / "many" / number, number);
    keys.push_back("many:" + number);
  }
  return sorted(keys);
}

} // namespace

TEST_CASE("ls gives every key once, over several pages and mounts") {
  const Front omnistore(GENERATE(false, true));
  Strings keys = many_files(omnistore.place, 2500);
  test::write_file(omnistore.place.folder.path() / "fixed" / "f", "x");
  keys.push_back("fixed:f");
  const Result listed = omnistore({"ls"});
  CHECK(listed.code == 0);
  const bool same = sorted(lines(listed.out)) == sorted(keys);
  CHECK(same);
}

TEST_CASE("ls --limit gives so many keys and no more") {
  const Front omnistore(GENERATE(false, true));
  many_files(omnistore.place, 1500);
  CHECK(lines(omnistore({"ls", "--limit", "1200"}).out).size() == 1200);
  CHECK(lines(omnistore({"ls", "many", "--limit", "1"}).out).size() == 1);
  CHECK(omnistore({"ls", "--limit", "0"}).code == 2);
}

TEST_CASE("ls takes a base, and a depth below it") {
  const Front omnistore(GENERATE(false, true));
  for (const char *key : {"a", "a:b", "a:b:c", "a:b:c:d", "ab"}) REQUIRE(omnistore({"set", key, "x"}).code == 0);
  CHECK(sorted(lines(omnistore({"ls", "a"}).out)) == Strings{"a:b", "a:b:c", "a:b:c:d"});
  CHECK(sorted(lines(omnistore({"ls", "a", "--depth", "1"}).out)) == Strings{"a:b", "a:b:c"});
  CHECK(sorted(lines(omnistore({"ls", "--depth", "0"}).out)) == Strings{"a", "ab"});
  CHECK(omnistore({"ls", "nothing"}).code == 0);
}

TEST_CASE("ls --folders shows each folder once, with a ':' at its end, and the keys beside it") {
  const Front omnistore(GENERATE(false, true));
  for (const char *key : {"a:b", "a:b:c", "a:b:d", "a:e:f", "ab"}) REQUIRE(omnistore({"set", key, "x"}).code == 0);
  CHECK(omnistore({"ls", "a", "--folders"}).out == "a:b\na:b:\na:e:\n");
  CHECK(omnistore({"ls", "a", "--folders", "--depth", "1"}).out == "a:b\na:b:c\na:b:d\na:e:f\n");
  const Strings top = lines(omnistore({"ls", "--folders"}).out);
  for (const char *name : {"a:", "ab", "fixed:", "mem:"}) CHECK(std::count(top.begin(), top.end(), name) == 1);
  CHECK(omnistore({"ls", "a", "--folders", "--json"}).out ==
        "{\"key\":\"a:b\"}\n{\"key\":\"a:b:\"}\n{\"key\":\"a:e:\"}\n");
}

TEST_CASE("ls --start and --end show the keys between them, --reverse shows the last first") {
  const Front omnistore(GENERATE(false, true));
  for (const char *key : {"a:1", "a:2", "a:3", "a:4", "mem:1", "mem:2"})
    REQUIRE(omnistore({"set", key, "x"}).code == 0);
  CHECK(omnistore({"ls", "a", "--start", "a:2", "--end", "a:4"}).out == "a:2\na:3\n");
  const Result refused = omnistore({"ls", "a", "--reverse"}); // of fs, which lists in ascending order alone
  CHECK(refused.code == 5);
  CHECK(refused.err.find("cannot list in descending order") != std::string::npos);
}

TEST_CASE("ls --long shows size and times in columns") {
  const Front omnistore(GENERATE(false, true));
  REQUIRE(omnistore({"set", "k", "12345"}).code == 0);
  REQUIRE(omnistore({"set", "ends", "x", "--ttl", "1h"}).code == 0);
  const Strings listed = lines(omnistore({"ls", "--long"}).out);
  REQUIRE(listed.size() == 2);
  for (const std::string &line : listed) {
    std::istringstream in(line);
    std::string size, mtime, expiry, key;
    in >> size >> mtime >> expiry >> key;
    CHECK(mtime.size() == 24);
    CHECK(size == (key == "k" ? "5" : "1"));
    CHECK((expiry == "never") == (key == "k"));
  }
}

TEST_CASE("ls --json is one object a line, with meta if --long is given") {
  const Front omnistore(GENERATE(false, true));
  REQUIRE(omnistore({"set", "a:b", "12345"}).code == 0);
  CHECK(omnistore({"ls", "--json"}).out == "{\"key\":\"a:b\"}\n");
  const auto line = omnistore({"ls", "--json", "--long"}).json();
  CHECK(line.at("key") == "a:b");
  CHECK(line.at("meta").at("size") == 5);
}

TEST_CASE("A reader that goes away ends ls without a word") {
  const Front omnistore(GENERATE(false, true));
  many_files(omnistore.place, 1500);
  const Result listed = omnistore({"ls"}, {.closed_output = true});
  CHECK(listed.code == 141);
  CHECK(listed.err.empty());
}

TEST_CASE("Both fronts give the same of the same data") {
  const Front remote(true);
  const test::Place &place = remote.place;
  many_files(place, 20);
  test::write_file(place.folder.path() / "root" / "odd" / "bytes", std::string("\0\xff\n", 3));
  REQUIRE(remote({"set", "meta", "x"}).code == 0);
  REQUIRE(remote({"set", "meta$", R"({"n":1})"}).code == 0);
  const std::vector<Strings> questions{
      {"get", "many:7"},
      {"get", "odd:bytes"},
      {"get", "absent"},
      {"get", "a:..:b"},
      {"has", "many:7"},
      {"has", "absent"},
      {"ls"},
      {"ls", "many", "--depth", "0"},
      {"ls", "--json"},
      {"get", "absent", "--json"},
      {"get", "", "--json"},
      {"set", "fixed:k", "x"},
      {"set", "fixed:k", "x", "--json"},
      {"mounts"},
      {"mounts", "--json"},
  };
  for (const Strings &question : questions) {
    Strings local{"-c", place.config()};
    local.insert(local.end(), question.begin(), question.end());
    const Result here = test::omnistore(local), there = remote(question);
    INFO(question[0] << " " << (question.size() > 1 ? question[1] : ""));
    CHECK(here.out == there.out);
    CHECK(here.err == there.err);
    CHECK(here.code == there.code);
  }
}
