// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <filesystem>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include <abi/run.hpp>
#include <support/temporary.hpp>

namespace fs = std::filesystem;

namespace {

const fs::path sdk = fs::path(OMNISTORE_SOURCE) / "sdk/include";

/// The macros that the files of the SDK define when `header` is included, and that do not begin with OMNISTORE_.
std::string leaked_macros(const std::string &header, const std::string &compiler) {
  const test::Ran ran =
      test::run("echo '#include <omnistore/" + header + ">' | " + compiler + " -E -dD -I" + sdk.string() + " -");
  REQUIRE(ran.code == 0);
  std::string out, line;
  bool ours = false;
  for (std::istringstream in(ran.output); std::getline(in, line);) {
    if (line.starts_with("# ")) { // # 12 "the file that the next line is of"
      ours = line.find('"' + sdk.string()) != std::string::npos;
    } else if (ours && line.starts_with("#define ") && !line.starts_with("#define OMNISTORE_")) {
      out += line + "\n";
    }
  }
  return out;
}

} // namespace

TEST_CASE("the headers define no macro but OMNISTORE_...") {
  for (const auto &file : fs::directory_iterator(sdk / "omnistore")) {
    if (!file.is_regular_file()) continue;
    INFO(file.path());
    CHECK(leaked_macros(file.path().filename().string(), ABI_CXX " -x c++ -std=c++20") == "");
  }
  CHECK(leaked_macros("driver.h", ABI_CC " -x c -std=c11") == "");
  for (const auto &file : fs::directory_iterator(sdk / "omnistore" / "ext"))
    CHECK(leaked_macros("ext/" + file.path().filename().string(), ABI_CC " -x c -std=c11") == "");
}

TEST_CASE("the contract includes only <stddef.h> and <stdint.h>") {
  const std::regex include(R"(#\s*include\s*(\S+))");
  const auto includes = [&](const fs::path &file) {
    const std::string text = test::read_file(file.string());
    std::vector<std::string> all;
    for (auto match = std::sregex_iterator(text.begin(), text.end(), include); match != std::sregex_iterator(); ++match)
      all.push_back((*match)[1]);
    return all;
  };
  CHECK(includes(sdk / "omnistore/driver.h") == std::vector<std::string>{"<stddef.h>", "<stdint.h>"});
  for (const auto &file : fs::directory_iterator(sdk / "omnistore/ext"))
    CHECK(includes(file.path()) == std::vector<std::string>{"<omnistore/driver.h>"});
}

TEST_CASE("no plugin and no example includes a header of the host") {
  const std::regex include(R"rx(#\s*include\s*["<]omnistore/([^">]+)[">])rx");
  for (const char *folder : {"plugins", "sdk"}) {
    for (const auto &file : fs::recursive_directory_iterator(fs::path(OMNISTORE_SOURCE) / folder)) {
      if (!std::regex_search(file.path().extension().string(), std::regex("^\\.(c|h|cpp|hpp)$"))) continue;
      const std::string text = test::read_file(file.path());
      for (auto match = std::sregex_iterator(text.begin(), text.end(), include); match != std::sregex_iterator();
           ++match) {
        INFO(file.path() << " includes omnistore/" << (*match)[1]);
        CHECK(fs::exists(sdk / "omnistore" / (*match)[1].str()));
      }
    }
  }
}

TEST_CASE("the SDK's names are not the host's") {
  test::Folder folder;
  const std::string file = folder / "both.cpp";
  std::string text;
  for (const auto &include : {sdk, fs::path(OMNISTORE_SOURCE) / "host/include"}) {
    for (const auto &header : fs::directory_iterator(include / "omnistore")) {
      if (header.is_regular_file()) text += "#include <omnistore/" + header.path().filename().string() + ">\n";
    }
  }
  test::write_file(file, text);
  const test::Ran ran =
      test::run(ABI_CXX " -std=c++20 -fsyntax-only -I" + sdk.string() + " -I" OMNISTORE_SOURCE "/host/include " + file);
  INFO(ran.output);
  CHECK(ran.code == 0);
}

TEST_CASE("every block of code in the guides stands in a driver that is built") {
  std::string built;
  for (const char *folder :
       {"sdk/examples", "sdk/template/c", "sdk/template/cpp", "sdk/template/rust/src", "plugins/null"}) {
    for (const auto &file : fs::directory_iterator(fs::path(OMNISTORE_SOURCE) / folder)) {
      if (file.is_regular_file()) built += test::read_file(file.path());
    }
  }
  const std::string fence = "\n```";
  for (const char *page : {"GUIDE.md", "GUIDE-RUST.md"}) {
    const std::string guide = test::read_file(std::string(OMNISTORE_SOURCE "/sdk/") + page);
    int blocks = 0;
    for (std::size_t at = guide.find(fence); at != guide.npos; at = guide.find(fence, at), ++blocks) {
      const std::size_t start = guide.find('\n', at + 1) + 1, end = guide.find(fence, start - 1);
      REQUIRE(end != guide.npos);
      const std::string block = guide.substr(start, end + 1 - start);
      INFO(page << ": " << block);
      CHECK(built.find(block) != built.npos);
      at = end + fence.size();
    }
    CHECK(blocks >= 5);
  }
}

TEST_CASE("each function of the contract says on which threads it is called") {
  const std::regex function(R"(\(OMNISTORE_CALL \*(\w+)\))"), tag(R"(\[(entry|driver|store|call|any|close|task)\])");
  std::vector<fs::path> files{sdk / "omnistore/driver.h"};
  for (const auto &file : fs::directory_iterator(sdk / "omnistore/ext")) files.push_back(file.path());
  std::size_t found = 0;
  for (const fs::path &file : files) {
    const std::string text = test::read_file(file);
    for (auto match = std::sregex_iterator(text.begin(), text.end(), function); match != std::sregex_iterator();
         ++match, ++found) {
      // The comment above it, or that at the end of its line.
      const auto at = static_cast<std::size_t>(match->position());
      const std::size_t before = text.rfind("/*", at), end = text.find('\n', text.find(';', at));
      INFO(file << ": " << (*match)[1]);
      CHECK((std::regex_search(text.substr(before, at - before), tag) ||
             std::regex_search(text.substr(at, end - at), tag)));
    }
  }
  CHECK(found > 30);
}
