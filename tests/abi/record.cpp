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
std::vector<std::string> recorded(const std::string &file) {
  return lines(test::read_file(OMNISTORE_SOURCE "/sdk/abi/" + file));
}
std::vector<std::string> record() { return recorded("v1.txt"); }

/// Returns true if `now` promises what `then` did: the same line, or the same struct with more fields at its end.
bool keeps(const std::string &then, const std::string &now) {
  if (then == now) return true;
  const std::size_t size = then.rfind(' ') + 1;
  return then.starts_with("struct ") && now.starts_with(then.substr(0, size)) &&
         std::stoul(now.substr(size)) > std::stoul(then.substr(size));
}

struct Frozen {
  std::string file, checksum;
};

/// The records of the versions that are frozen. Each new minor adds its own.
const std::vector<Frozen> frozen = {
    {"v1.0.txt", "351f34ff94588127bd3d3db0e8c8b71e40acc0424db73abe3ff158469df23657"},
};

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

TEST_CASE("the record of a frozen version is as it was on the day of the freeze") {
  for (const Frozen &version : frozen) {
    INFO(version.file << " is never edited, since plugins were built by it (sdk/abi/README.md).");
    const test::Ran sum = test::run("sha256sum " OMNISTORE_SOURCE "/sdk/abi/" + version.file);
    CHECK(sum.output.substr(0, sum.output.find(' ')) == version.checksum);
  }
}

TEST_CASE("every line of a frozen record is still in the record, in the same order") {
  const std::vector<std::string> now = record();
  for (const Frozen &version : frozen) {
    auto at = now.begin();
    for (const std::string &line : recorded(version.file)) {
      const auto found = std::find_if(at, now.end(), [&](const std::string &other) { return keeps(line, other); });
      INFO(version.file << " has this line, and v1.txt lost it, changed it or moved it: " << line);
      REQUIRE((found != now.end() || line.starts_with("define OMNISTORE_ABI_MINOR ")));
      if (found != now.end()) at = found + 1;
    }
  }
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
