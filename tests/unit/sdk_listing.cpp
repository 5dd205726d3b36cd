// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include <omnistore/driver.hpp>
#include <omnistore/listing.hpp>
#include <omnistore/testing.hpp>

using omnistore::as_bytes;
using omnistore::KeyBounds;
using omnistore::listed;

namespace {

struct Asked {
  std::string_view base{};
  std::uint32_t depth = OMNISTORE_ANY_DEPTH, flags = 0;
  std::string_view start{}, end{}, cursor{};
  std::uint32_t limit = 100;
};
omnistore_list_request request_of(const Asked &asked) {
  return {sizeof(omnistore_list_request), asked.flags,           as_bytes(asked.base), asked.depth, asked.limit,
          as_bytes(asked.cursor),         as_bytes(asked.start), as_bytes(asked.end)};
}
constexpr std::uint32_t folders = OMNISTORE_LIST_FOLDERS, reverse = OMNISTORE_LIST_REVERSE;

struct Words {
  std::optional<std::string> get(omnistore::Key) { return {}; }
  std::vector<std::string> list() { return {"b:x", "a", "c:d:e", "c:d:f", "c:z", "a!", "b:y", "d"}; }
};
constexpr omnistore_driver words = omnistore::driver<Words>("words", "1.0.0", "Words");

std::vector<std::string> all(Asked asked) {
  const omnistore::testing::BareStore store(words);
  std::vector<std::string> names;
  std::string cursor;
  do {
    omnistore::PageSink page([&](std::string_view name, const omnistore_meta *) {
      names.emplace_back(name);
      return OMNISTORE_OK;
    });
    asked.cursor = cursor;
    const omnistore_list_request request = request_of(asked);
    omnistore::testing::BareCall call;
    REQUIRE(store.child().list(omnistore::Call(&call), request, page) == OMNISTORE_OK);
    cursor = page.cursor;
  } while (!cursor.empty());
  return names;
}

} // namespace

TEST_CASE("a listing shows a key by its own name within its depth, and by its folder below it") {
  const omnistore_list_request shallow = request_of({.base = "a:", .depth = 0, .flags = folders});
  CHECK(listed(shallow, "a:b") == "a:b");
  CHECK(listed(shallow, "a:b:c:d") == "a:b:");
  CHECK(listed(shallow, "b:c").empty());
  CHECK(listed(request_of({.base = "a:", .depth = 1, .flags = folders}), "a:b:c:d") == "a:b:c:");
  CHECK(listed(request_of({.base = "a:", .depth = 0}), "a:b:c").empty());
  CHECK(listed(request_of({.flags = folders}), "a:b:c") == "a:b:c");
  CHECK(listed(request_of({.depth = 0, .flags = folders, .start = "a:b"}), "a:c").empty());
}

TEST_CASE("the keys of a range are those between its bounds that lie under the base") {
  const KeyBounds whole(request_of({}));
  CHECK((whole.from.empty() && whole.to.empty() && !whole.empty()));
  const KeyBounds base(request_of({.base = "a:", .start = "a", .end = "b"}));
  CHECK((base.from == "a:" && base.to == "a;"));
  const KeyBounds part(request_of({.base = "a:", .start = "a:m", .end = "a:n"}));
  CHECK((part.from == "a:m" && part.to == "a:n"));
  CHECK(KeyBounds(request_of({.base = "a:", .start = "b"})).empty());
  CHECK(KeyBounds(request_of({.start = "b", .end = "b"})).empty());
}

TEST_CASE("a bound among the keys of a folder moves after them") {
  const KeyBounds shallow(request_of({.depth = 0, .flags = folders, .start = "a:m", .end = "c:m"}));
  CHECK((shallow.from == "a;" && shallow.to == "c;"));
  const KeyBounds exact(request_of({.depth = 0, .flags = folders, .start = "a:", .end = "c:"}));
  CHECK((exact.from == "a:" && exact.to == "c:"));
}

TEST_CASE("a page continues after the last name of the one before") {
  CHECK(KeyBounds(request_of({}), "a").from == std::string("a\0", 2));
  CHECK(KeyBounds(request_of({.depth = 0, .flags = folders}), "a:").from == "a;");
  CHECK(KeyBounds(request_of({.flags = reverse}), "a").to == "a");
  CHECK(KeyBounds(request_of({.depth = 0, .flags = folders | reverse}), "a:").to == "a:");
}

TEST_CASE("a simple list has ranges, folders and the descending order from the SDK") {
  using Names = std::vector<std::string>;
  for (const std::uint32_t limit : {1u, 2u, 100u}) {
    CHECK(all({.depth = 0, .flags = folders, .limit = limit}) == Names{"a", "a!", "b:", "c:", "d"});
    CHECK(all({.depth = 0, .flags = folders | reverse, .limit = limit}) == Names{"d", "c:", "b:", "a!", "a"});
    CHECK(all({.depth = 1, .flags = folders, .limit = limit}) == Names{"a", "a!", "b:x", "b:y", "c:d:", "c:z", "d"});
    CHECK(all({.start = "a!", .end = "c:d:f", .limit = limit}) == Names{"a!", "b:x", "b:y", "c:d:e"});
    CHECK(all({.flags = reverse, .start = "b:y", .end = "d", .limit = limit}) == Names{"c:z", "c:d:f", "c:d:e", "b:y"});
  }
}
