// SPDX-License-Identifier: Apache-2.0
// Listings that reach their keys by seeks. A call without time left ends long before a scan of the folder would.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <catch2/catch.hpp>

#include "support/driven.hpp"

namespace test {

/// Returns a page of at most 100 keys that a driver lists within a call without time left.
inline Keys listed_at_once(Driven &store, std::uint32_t depth, std::uint32_t flags, std::string_view start = "",
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
  CHECK(store.driver().list(store.self(), &call, &request, &page) == OMNISTORE_OK);
  return page.keys();
}

/// The store has the keys `a`, b:10000 to b:LAST, and `c`. LAST has five digits.
inline void check_seeks(Driven &store, int last) {
  SECTION("over a large folder") {
    CHECK(listed_at_once(store, 0, 0) == Keys{"a", "c"});
    CHECK(listed_at_once(store, 0, OMNISTORE_LIST_FOLDERS) == Keys{"a", "b:", "c"});
    CHECK(listed_at_once(store, 0, OMNISTORE_LIST_REVERSE) == Keys{"c", "a"});
    CHECK(listed_at_once(store, 0, OMNISTORE_LIST_REVERSE | OMNISTORE_LIST_FOLDERS) == Keys{"c", "b:", "a"});
  }
  SECTION("to the beginning of a range") {
    const std::string first = "b:" + std::to_string(last - 1), second = "b:" + std::to_string(last);
    CHECK(listed_at_once(store, OMNISTORE_ANY_DEPTH, 0, first) == Keys{first, second, "c"});
    CHECK(listed_at_once(store, OMNISTORE_ANY_DEPTH, OMNISTORE_LIST_REVERSE, "", "b:10002") ==
          Keys{"b:10001", "b:10000", "a"});
  }
}

} // namespace test
