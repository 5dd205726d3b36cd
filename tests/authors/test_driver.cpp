// SPDX-License-Identifier: Apache-2.0
// `omnistore test-driver`: what an author sees of it.
#include <catch2/catch.hpp>

#include <cli/program.hpp>

using test::omnistore;
using test::says;
using test::Strings;

namespace {

/// Tries a few rules of a plugin.
test::Result tried(const std::string &file, const Strings &more = {}) {
  Strings all{"test-driver", file, "--jobs", "1"};
  for (const char *rule : {"open-close", "get-missing", "get-what-was-set", "remove"}) {
    all.emplace_back("--rule");
    all.emplace_back(rule);
  }
  all.insert(all.end(), more.begin(), more.end());
  return omnistore(all);
}

std::size_t count(const std::string &text, const std::string &part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++found;
  return found;
}

} // namespace

TEST_CASE("a driver without a schema is tested like any other, and takes no options") {
  const std::string watches = OMNISTORE_BUILD "/examples/watches.so";
  const test::Result kept = tried(watches);
  INFO(kept.out << kept.err);
  CHECK(kept.code == 0);
  CHECK(says(kept.out, "4 rules: 4 kept"));
  const test::Result refused = tried(watches, {"--options", R"({"size": 1})"});
  CHECK(refused.code == 7);
  CHECK(says(refused.out, "options.size: there is no such field"));
}

TEST_CASE("a reason that several rules have in common is shown once") {
  const std::string fs = OMNISTORE_BUILD "/plugins/fs.so";
  const test::Result missing = tried(fs);
  INFO(missing.out << missing.err);
  CHECK(missing.code == 7);
  CHECK(count(missing.out, R"(the field "base" is missing (they are given with --options))") == 1);
  CHECK(says(missing.out, "3 other rules are broken for the same reason as open-close"));
  CHECK(says(missing.out, "4 rules: 0 kept, 4 broken"));
  const test::Result all = tried(fs, {"--all"});
  CHECK(count(all.out, R"(the field "base" is missing)") == 4);
}
