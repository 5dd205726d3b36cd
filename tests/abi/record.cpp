// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include <abi/run.hpp>
#include <omnistore/driver.h>
#include <support/temporary.hpp>

namespace {

std::vector<std::string> lines(const std::string &text) {
  std::vector<std::string> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty() && line[0] != '#') out.push_back(line);
  }
  return out;
}

/// The lines of `some` that `others` does not have.
std::string beyond(const std::vector<std::string> &some, const std::vector<std::string> &others) {
  std::string out;
  for (const std::string &line : some) {
    if (std::find(others.begin(), others.end(), line) == others.end()) out += line + "\n";
  }
  return out;
}

std::vector<std::string> header() {
  const test::Ran ran = test::run(ABI_LAYOUT);
  REQUIRE(ran.code == 0);
  return lines(ran.output);
}
std::vector<std::string> record() { return lines(test::read_file(OMNISTORE_SOURCE "/sdk/abi/v1.txt")); }

} // namespace

TEST_CASE("everything in the header is recorded") {
  INFO("What is new at the end of a struct, or a new value, is added to sdk/abi/v1.txt and told in sdk/abi/CHANGES.md. "
       "Nothing else may change within a major (sdk/abi/README.md).");
  CHECK(beyond(header(), record()) == "");
}

TEST_CASE("everything recorded is in the header") {
  INFO("The header has lost or changed what an earlier one promised (sdk/abi/README.md).");
  CHECK(beyond(record(), header()) == "");
}

TEST_CASE("the record is in the header's order") { CHECK(record() == header()); }

TEST_CASE("every struct that can grow starts with its size") {
  const std::vector<std::string> all = record();
  for (std::size_t i = 0; i + 1 < all.size(); ++i) {
    if (!all[i].starts_with("struct ") || all[i].starts_with("struct omnistore_bytes ")) continue;
    INFO(all[i]);
    CHECK(all[i + 1].ends_with(".size offset 0 size 4: uint32_t size"));
  }
}

TEST_CASE("CHANGES.md names the header's version") {
  const std::string changes = test::read_file(OMNISTORE_SOURCE "/sdk/abi/CHANGES.md");
  const std::string version = std::to_string(OMNISTORE_ABI_MAJOR) + "." + std::to_string(OMNISTORE_ABI_MINOR);
  CHECK(changes.find("\n## " + version + "\n") != std::string::npos);
}
