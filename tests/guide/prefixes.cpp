// SPDX-License-Identifier: Apache-2.0
// The guide: Namespacing with Prefixes.
#include <catch2/catch.hpp>

#include "guide.hpp"

TEST_CASE("guide, prefixes: keys are kept as app:v1:provider:domain and shown without the prefix") {
  const test::Workplace here;
  omnistore::Storage storage = test::guide("prefixes");
  storage.set("wayback:example.com", "page");
  CHECK(test::read_file(".cache/app/v1/wayback/example.com") == "page");
  CHECK(storage.keys().all() == std::vector<std::string>{"wayback:example.com"});
  CHECK(storage.meta("wayback:example.com")->size == 4);
}

TEST_CASE("guide, prefixes: a mount's own takes the place of the global one") {
  const test::Workplace here;
  omnistore::Storage storage = test::guide("prefixes");
  storage.set("other:wayback:example.com", "newer");
  CHECK(test::read_file(".cache/app/v2/wayback/example.com") == "newer");
  CHECK(storage.keys().all() == std::vector<std::string>{"other:wayback:example.com"});
}
