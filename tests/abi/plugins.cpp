// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <sstream>
#include <string>

#include <abi/run.hpp>

TEST_CASE("each plugin exports omnistore_plugin_entry and nothing else") {
  int plugins = 0;
  for (const std::string &folder :
       {std::string(OMNISTORE_BUILD "/plugins"), std::string(OMNISTORE_BUILD "/examples")}) {
    const test::Ran list = test::run("ls " + folder + "/*.so");
    REQUIRE(list.code == 0);
    std::istringstream files(list.output);
    for (std::string file; std::getline(files, file); ++plugins) {
      const test::Ran ran = test::run("nm -D --defined-only -f posix " + file + " | cut -d ' ' -f 1,2");
      INFO(file);
      CHECK(ran.output == "omnistore_plugin_entry T\n");
    }
  }
  CHECK(plugins >= 3); // null and the examples at least
}
