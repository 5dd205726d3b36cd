// SPDX-License-Identifier: Apache-2.0
// Listings reach their keys by seeks. A call without time left ends after 4096 keys.
#include "driven.hpp"
#include "support/seeks.hpp"

using namespace test;

TEST_CASE("a listing seeks past a large folder and to the beginning of a range, in both directions") {
  Fixture f;
  for (const char *key : {"a", "c"}) REQUIRE(f.store.set(key, "") == OMNISTORE_OK);
  for (int i = 10'000; i < 20'000; ++i) REQUIRE(f.store.set("b:" + std::to_string(i), "") == OMNISTORE_OK);
  check_seeks(f.store, 19'999);
}

TEST_CASE("a bound that is longer than LMDB's keys bounds a listing in both directions") {
  Fixture f;
  const std::string longest(511, 'k'), longer = longest + "x";
  for (const std::string &key : {std::string("a"), longest, std::string("z")})
    REQUIRE(f.store.set(key, "") == OMNISTORE_OK);
  CHECK(listed_at_once(f.store, OMNISTORE_ANY_DEPTH, 0, longer) == Keys{"z"});
  CHECK(listed_at_once(f.store, OMNISTORE_ANY_DEPTH, OMNISTORE_LIST_REVERSE, "", longer) == Keys{longest, "a"});
}
