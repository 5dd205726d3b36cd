// SPDX-License-Identifier: Apache-2.0
// Listings reach their keys by seeks. A call without time left ends after 4096 keys.
#include "driven.hpp"

using namespace test;

namespace {

/// `a`, 10,000 keys in the folder `b:`, and `c`.
void fill(Fixture &f) {
  for (const char *key : {"a", "c"}) REQUIRE(f.store.set(key, "") == OMNISTORE_OK);
  for (int i = 10'000; i < 20'000; ++i) REQUIRE(f.store.set("b:" + std::to_string(i), "") == OMNISTORE_OK);
}

Keys listed_at_once(Fixture &f, std::uint32_t depth, std::uint32_t flags, std::string_view start = "",
                    std::string_view end = "") {
  omnistore_list_request request{};
  request.size = sizeof request;
  request.flags = flags;
  request.depth = depth;
  request.limit = 100;
  request.start = omnistore::as_bytes(start);
  request.end = omnistore::as_bytes(end);
  Call call;
  call.left = 0;
  Page page;
  CHECK(f.store.driver().list(f.store.self(), &call, &request, &page) == OMNISTORE_OK);
  return page.keys();
}

} // namespace

TEST_CASE("a listing passes over a large folder by a seek in both directions") {
  Fixture f;
  fill(f);
  CHECK(listed_at_once(f, 0, 0) == Keys{"a", "c"});
  CHECK(listed_at_once(f, 0, OMNISTORE_LIST_FOLDERS) == Keys{"a", "b:", "c"});
  CHECK(listed_at_once(f, 0, OMNISTORE_LIST_REVERSE) == Keys{"c", "a"});
  CHECK(listed_at_once(f, 0, OMNISTORE_LIST_REVERSE | OMNISTORE_LIST_FOLDERS) == Keys{"c", "b:", "a"});
}

TEST_CASE("a listing of a range begins with a seek in both directions") {
  Fixture f;
  fill(f);
  CHECK(listed_at_once(f, OMNISTORE_ANY_DEPTH, 0, "b:19998") == Keys{"b:19998", "b:19999", "c"});
  CHECK(listed_at_once(f, OMNISTORE_ANY_DEPTH, OMNISTORE_LIST_REVERSE, "", "b:10002") ==
        Keys{"b:10001", "b:10000", "a"});
}

TEST_CASE("a bound that is longer than LMDB's keys bounds a listing in both directions") {
  Fixture f;
  const std::string longest(511, 'k'), longer = longest + "x";
  for (const std::string &key : {std::string("a"), longest, std::string("z")})
    REQUIRE(f.store.set(key, "") == OMNISTORE_OK);
  CHECK(listed_at_once(f, OMNISTORE_ANY_DEPTH, 0, longer) == Keys{"z"});
  CHECK(listed_at_once(f, OMNISTORE_ANY_DEPTH, OMNISTORE_LIST_REVERSE, "", longer) == Keys{longest, "a"});
}
