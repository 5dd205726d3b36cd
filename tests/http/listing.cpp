// SPDX-License-Identifier: Apache-2.0
// Listings: of servers that give all keys at once, as unstorage's does, and of those that give pages and cursors.
#include "driven.hpp"

using test::Got;
using test::Keys;
using test::Origin;
using test::StatusError;
using test::Store;

namespace {

/// Responds to every listing with this text.
void list(Origin &origin, const std::string &json) {
  origin.handle([json](const Origin::Request &request) -> std::optional<Origin::Answer> {
    if (request.method != "GET") return {};
    Origin::Answer answer;
    answer.body = json;
    return answer;
  });
}

omnistore_status status_of_list(Store &store, std::string_view cursor = {}) {
  try {
    store.bare.list("", 10, cursor);
    return OMNISTORE_OK;
  } catch (const StatusError &refused) {
    return refused.status;
  }
}

} // namespace

TEST_CASE("A server that gives all keys at once is listed in pages, in the order of the keys") {
  Origin origin;
  for (const char *path : {"/c", "/a/2", "/b/x/y", "/a/1", "/d"}) origin.serve(path, "x");
  Store store(origin);
  CHECK(store.bare.keys() == Keys{"a:1", "a:2", "b:x:y", "c", "d"});
  CHECK(origin.last().path == "/:");
  const auto first = store.bare.list("", 2);
  CHECK(first.keys == Keys{"a:1", "a:2"});
  // Keys that are added and removed in between move nothing.
  origin.serve("/a/0", "x");
  origin.remove("/a/2");
  const auto second = store.bare.list("", 2, first.cursor);
  CHECK(second.keys == Keys{"b:x:y", "c"});
  const auto third = store.bare.list("", 2, second.cursor);
  CHECK(third.keys == Keys{"d"});
  CHECK(third.cursor.empty());
}

TEST_CASE("A listing of a base requests just that base from the server") {
  Origin origin;
  for (const char *path : {"/a%20b/1", "/ab", "/c"}) origin.serve(path, "x");
  Store store(origin);
  store.bare.keys("a b:");
  CHECK(origin.last().path == "/a%20b/:");
  CHECK(origin.last().header("accept") == "application/json");
}

TEST_CASE("A base without keys is an empty page") {
  Origin origin;
  Store store(origin);
  CHECK(store.bare.keys("nothing:").empty());
}

TEST_CASE("Keys outside of the base, and keys that no host can request, are left out") {
  Origin origin;
  list(origin, R"(["a/1", "b/1", "a//2", "a/../3", "a/é", "", 7, {"a": "a/4"}, "a/5?", "a/1"])");
  Store store(origin);
  CHECK(store.bare.keys("a:", 1) == Keys{"a:1", "a:é"});
}

TEST_CASE("A server's own pages and cursors are followed") {
  Origin origin;
  origin.handle([](const Origin::Request &request) -> std::optional<Origin::Answer> {
    Origin::Answer answer;
    if (request.target == "/:?limit=2") {
      answer.body = R"(["c", "a"])";
      answer.headers = {{"X-Cursor", "to b&c"}};
    } else if (request.target == "/:?limit=2&cursor=to%20b%26c") {
      answer.body = R"(["b"])";
    } else {
      answer.status = 500;
    }
    return answer;
  });
  Store store(origin);
  CHECK(store.bare.keys("", 2) == Keys{"c", "a", "b"});
  CHECK(origin.count() == 2);
}

TEST_CASE("Keys are relative to the server's root, even if the base lies below it") {
  const auto [base, listed, stored] = GENERATE(table<const char *, const char *, const char *>({
      {"/x/y", R"(["x/y/a", "x/y/b/1"])", "/x/y/a"}, // the server's root is /
      {"/x/y", R"(["y/a", "y/b/1"])", "/x/y/a"},     // it is /x
      {"/x/y", R"(["a", "b/1"])", "/x/y/a"},         // it is /x/y
  }));
  CAPTURE(listed);
  Origin origin;
  origin.serve(stored, "value");
  origin.handle([text = std::string(listed)](const Origin::Request &request) -> std::optional<Origin::Answer> {
    if (!request.path.ends_with("/:")) return {};
    Origin::Answer answer;
    answer.body = text;
    return answer;
  });
  Store store(origin.url(base));
  CHECK(store.bare.keys() == Keys{"a", "b:1"});
  CHECK(store.bare.keys("", 1) == Keys{"a", "b:1"});
  CHECK(store.bare.get("a") == "value");
}

TEST_CASE("Keys that begin as the base's path does keep their beginning") {
  Origin origin;
  origin.serve("/x/x/a", "value"); // key x:a of a server whose root is /x
  origin.handle([](const Origin::Request &request) -> std::optional<Origin::Answer> {
    if (!request.path.ends_with("/:")) return {};
    Origin::Answer answer;
    answer.body = R"(["x/a"])";
    return answer;
  });
  Store store(origin.url("/x"));
  CHECK(store.bare.keys() == Keys{"x:a"});
}

TEST_CASE("A server without listings is distinguished from an empty one") {
  Origin origin;
  Store store(origin);
  SECTION("404") {
    origin.fail(1, 404);
    CHECK(status_of_list(store) == OMNISTORE_UNSUPPORTED);
  }
  SECTION("a page for people") {
    list(origin, "<html>Index of /</html>");
    CHECK(status_of_list(store) == OMNISTORE_UNSUPPORTED);
  }
  SECTION("JSON that ends too early") {
    list(origin, R"(["a", "b)");
    CHECK(status_of_list(store) == OMNISTORE_UNSUPPORTED);
  }
}

TEST_CASE("A cursor that this driver did not give is refused") {
  Origin origin;
  origin.serve("/a", "x");
  Store store(origin);
  for (const char *cursor : {"x", "k", "k0", "k0:", "s:a", "k9:a", "kx:a", "0:a"}) {
    CAPTURE(cursor);
    CHECK(status_of_list(store, cursor) == OMNISTORE_INVALID);
  }
  CHECK(origin.count() == 0);
}
