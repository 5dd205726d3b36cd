// SPDX-License-Identifier: Apache-2.0
// Listings reach their keys by seeks. A call without time left ends after 20,000 steps of SQLite's machine.
#include "driven.hpp"
#include "support/seeks.hpp"

using namespace test;

TEST_CASE("a listing seeks past a large folder and to the beginning of a range, in both directions") {
  Fixture f;
  f.sql(
      "INSERT INTO omnistore (key, value) VALUES ('a', ''), ('c', ''); WITH RECURSIVE n(i) AS (SELECT 10000 UNION ALL "
      "SELECT i + 1 FROM n WHERE i < 29999) INSERT INTO omnistore (key, value) SELECT 'b:' || i, '' FROM n");
  check_seeks(f.store, 29'999);
}
