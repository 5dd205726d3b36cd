// SPDX-License-Identifier: Apache-2.0
// Listings reach their keys by seeks. A call without time left ends after 20,000 steps of SQLite's machine.
#include "driven.hpp"

using namespace test;

namespace {

/// `a`, 20,000 keys in the folder `b:`, and `c`.
void fill(Fixture &f) {
  f.sql(
      "INSERT INTO omnistore (key, value) VALUES ('a', ''), ('c', ''); WITH RECURSIVE n(i) AS (SELECT 10000 UNION ALL "
      "SELECT i + 1 FROM n WHERE i < 29999) INSERT INTO omnistore (key, value) SELECT 'b:' || i, '' FROM n");
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
  CHECK(listed_at_once(f, OMNISTORE_ANY_DEPTH, 0, "b:29998") == Keys{"b:29998", "b:29999", "c"});
  CHECK(listed_at_once(f, OMNISTORE_ANY_DEPTH, OMNISTORE_LIST_REVERSE, "", "b:10002") ==
        Keys{"b:10001", "b:10000", "a"});
}
