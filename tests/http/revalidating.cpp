// SPDX-License-Identifier: Apache-2.0
// The extension omnistore.revalidate: a get that gives nothing if the copy is still good.
#include "driven.hpp"

using test::Got;
using test::Origin;
using test::Store;

namespace {

constexpr auto SAME = std::pair<omnistore_status, bool>(OMNISTORE_OK, true);
constexpr auto CHANGED = std::pair<omnistore_status, bool>(OMNISTORE_OK, false);

} // namespace

TEST_CASE("Nothing of the value comes while its etag is the same, and all of it when it is another") {
  const std::string etag = GENERATE("\"one\"", "W/\"one\"");
  Origin origin;
  origin.serve("/k", "first", etag);
  Store store(origin);
  Got first;
  REQUIRE(store.get("k", first) == OMNISTORE_OK);

  Got same;
  CHECK(store.get_changed("k", first.etag, same) == SAME);
  CHECK(origin.last().method == "GET");
  CHECK(origin.last().header("if-none-match") == etag);
  CHECK(same.begun == 1);
  CHECK(same.bytes.empty());
  CHECK(same.etag == first.etag);

  origin.serve("/k", "second", "\"two\"");
  Got changed;
  CHECK(store.get_changed("k", first.etag, changed) == CHANGED);
  CHECK(changed.bytes == "second");
  CHECK(changed.etag == "two");
  CHECK(origin.count() == 3);
}

TEST_CASE("A 304 without an ETag keeps the one of the request") {
  Origin origin;
  origin.fail(1, 304);
  Store store(origin);
  Got got;
  CHECK(store.get_changed("k", "one", got) == SAME);
  CHECK(got.etag == "one");
  CHECK(got.value_size == OMNISTORE_UNKNOWN_SIZE);
}

TEST_CASE("A server that knows no conditions but the same etag gives no value either") {
  Origin origin;
  origin.handle([](const Origin::Request &) {
    Origin::Answer answer;
    answer.headers = {{"ETag", "\"one\""}};
    answer.body = "the same";
    return answer;
  });
  Store store(origin);
  Got got;
  CHECK(store.get_changed("k", "one", got) == SAME);
  CHECK(got.begun == 1);
  CHECK(got.bytes.empty());
}

TEST_CASE("An etag that fits into no meta is fetched by HEAD") {
  const std::string long_etag = "W/\"" + std::string(80, 'f') + "\"";
  Origin origin;
  origin.serve("/k", "first", long_etag);
  Store store(origin);
  Got first;
  REQUIRE(store.get("k", first) == OMNISTORE_OK);
  CHECK(first.etag.size() <= 64);
  CHECK_FALSE(first.etag.empty());

  Got same;
  CHECK(store.get_changed("k", first.etag, same) == SAME);
  CHECK(same.begun == 1);
  CHECK(origin.last().method == "HEAD");
  CHECK(origin.count("GET") == 1);

  origin.serve("/k", "second", "W/\"" + std::string(79, 'f') + "e\"");
  Got changed;
  CHECK(store.get_changed("k", first.etag, changed) == CHANGED);
  CHECK(changed.bytes == "second");
  CHECK(changed.etag != first.etag);
}

TEST_CASE("A value that is gone is a miss for a caller with a copy") {
  Origin origin;
  Store store(origin);
  Got got;
  CHECK(store.get_changed("k", "one", got).first == OMNISTORE_NOT_FOUND);
  CHECK(got.begun == 0);
}

TEST_CASE("A 304 to a request without a condition is a failure") {
  Origin origin;
  origin.fail(1, 304);
  Store store(origin);
  Got got;
  CHECK(store.get("k", got) == OMNISTORE_IO);
}
